"""Lane G's rules: an answer is checked against what was recorded before it is delivered."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

# What an answer may claim to have done, and the kinds of action that would do it: the first is the
# one that is missed where none of them was. English pasts and participles, French participles.
_DEEDS: Final = (
    ("delete", r"deleted|erased|wiped|purged|gotten rid of|got rid of|supprimée?s?|effacée?s?"),
    ("delete update configure", r"removed|retirée?s?|enlevée?s?"),
    (
        "send payment",
        r"sent|resent|e-?mailed|messaged|notified|informed|forwarded|replied|told(?! you)",
    ),
    ("send payment", r"envoyée?s?"),
    ("send", r"let \w+ know|delivered|notifiée?s?|prévenue?s?|avertie?s?|répondu"),
    ("send", r"transmise?s?|dit à"),
    ("publish", r"published|publiée?s?"),
    ("publish send create", r"posted"),
    ("transfer update send payment", r"transferred|moved|transférée?s?|déplacée?s?"),
    ("payment", r"paid|wired|bought|purchased|reimbursed|refunded|payée?s?|virée?s?|achetée?s?"),
    ("payment", r"réglée?s?|remboursée?s?|versée?s?"),
    ("export", r"exported|downloaded|exportée?s?|téléchargée?s?"),
    ("create", r"created|founded|créée?s?"),
    ("update create configure", r"added|ajoutée?s?"),
    ("update create", r"updated|appended|renamed|archived|archivée?s?|renommée?s?|mise?s? à jour"),
    ("configure", r"(?:given|gave) \w+ access|granted|revoked|donné accès|donné les droits"),
    ("configure send publish transfer", r"shared|partagée?s?"),
)
# What an action leaves behind, and nouns for actions with what says that they are over.
_OVER: Final = (
    r"(?:(?:is|has been|was|a été|est) )?(?:now |bien )?"
    r"(?:completed?|made|done|placed|processed|finished|went through|effectuée?|faite?|terminée?)\b"
)
_STATES: Final = (
    ("delete", r"\bis (?:now )?gone\b|\bno longer exists?\b|\bn['’]existe(?:nt)? plus\b"),
    ("publish", r"\b(?:is|are) (?:now )?(?:live|public|online)\b|\best (?:désormais )?en ligne\b"),
    ("configure", r"\bnow (?:has|have) access\b|\ba (?:désormais|maintenant) accès\b"),
    ("delete", rf"\b(?:deletion|removal|suppression) {_OVER}"),
    ("payment", rf"\b(?:payment|purchase|order|paiement|virement|achat) (?:has |have )?{_OVER}"),
    ("transfer", rf"\b(?:transfer|migration|transfert|déplacement) {_OVER}"),
    ("export", rf"\b(?:export|exportation) {_OVER}"),
    ("publish", rf"\bpublication {_OVER}"),
)
_ADVERBS: Final = (
    r"(?:(?:\w+ly|\w+ment|now|just|already|also|then|all|both|bien|déjà|aussi|tous"
    r"|toutes?|désormais|donc|enfin)\s+){0,4}"
)
_BY_US: Final = (
    r"\b(?:(?:i|we)(?: have|['’]ve)?|j['’](?:ai|en ai|y ai)|je (?:les? |l['’]|vous l['’])ai"
    r"|(?:nous|on) (?:avons|a))\s+"
)
_PASSIVE: Final = (
    r"(?<!that )(?<!which )(?<!who )(?<!qui )(?<!have )"
    r"\b(?:was|were|(?<!could )(?<!may )(?<!might )(?<!would )(?<!should )"
    r"ha(?:s|ve)(?: \w+){0,2} been|is|are"
    r"|it['’]s|(?:a|ont)(?: \w+){0,2} été|est|sont|c['’]est|vien(?:t|nent) d['’]être)\s+"
)
_THING: Final = (
    r"(?:(?:the|your|le|la|les|l['’]|votre|vos)\s*)?(?:thread|message|e-?mail|mail|file|note|draft"
    r"|invoice|bill|article|post|report|invitation|data|document|fil|fichier|facture|brouillon"
    r"|rapport|courriel)s?(?: \d+)?\s+"
)
# What follows a participle that reports a deed; "deleted threads" are only some threads.
_WHAT: Final = (
    r"(?=\W*$|\s+(?:the|this|that|these|those|your|my|all|both|it|them|him|her|an?|to|as|from"
    r"|successfully|ownership|everything|l[ae]s?|un|une|votre|vos|à|aux?|\d+)\b|\s+l['’])"
)
_INFINITIVES: Final = {
    "delete": r"supprimer|effacer",
    "delete update configure": r"retirer|enlever",
    "send": r"envoyer|prévenir|avertir|répondre|notifier|transmettre",
    "publish": r"publier",
    "transfer update send": r"transférer|déplacer",
    "payment": r"payer|virer|acheter|régler|rembourser|verser",
    "export": r"exporter",
    "create": r"créer",
    "update create": r"archiver|renommer|ajouter|mettre à jour",
    "configure send publish transfer": r"partager",
}


class _Claim(NamedTuple):
    kinds: tuple[str, ...]
    form: re.Pattern[str]
    alone: bool = False  # without a subject, which may stand in the clause before
    passive: bool = False


def _claims() -> Iterator[_Claim]:
    for names, verbs in _DEEDS:
        kinds = tuple(names.split())
        deed = rf"{_ADVERBS}(?:{verbs})\b"
        yield _Claim(kinds, re.compile(_BY_US + deed, re.IGNORECASE))
        yield _Claim(kinds, re.compile(_PASSIVE + deed, re.IGNORECASE), passive=True)
        yield _Claim(
            kinds, re.compile(rf"^\W*(?:{_THING})?{deed}{_WHAT}", re.IGNORECASE), alone=True
        )
    for names, verbs in _INFINITIVES.items():
        just = rf"\b(?:je viens|nous venons|on vient) d(?:e |['’])(?:l['’]|les? |la )?(?:{verbs})\b"
        yield _Claim(tuple(names.split()), re.compile(just, re.IGNORECASE))
    for kind, form in _STATES:
        yield _Claim((kind,), re.compile(form, re.IGNORECASE), passive=True)


_CLAIMS: Final = tuple(_claims())
_NEGATED: Final = re.compile(
    r"\b(?:not(?! only)|never|n['’](?!existe)|ne|pas|nothing|nobody|none|cannot|can['’]t|unable"
    r"|aucune?|rien|no (?!longer|problem))\b|n['’]t\b|\bn['’](?!existe)",
    re.IGNORECASE,
)
# Before a claim they say that it is none yet, or somebody else's.
_CONDITION: Final = re.compile(
    r"\b(?:if|when|whenever|once|unless|until|whether|says?|said|tells?|according|si|s['’]ils?"
    r"|quand|lorsqu\w*|une fois|dès que|dit que|indique|selon)\b",
    re.IGNORECASE,
)
# Somebody else's deed, a deed of another day, and the plan that waits for a person.
_ELSEWHERE: Final = re.compile(
    r"\b(?:by (?!me\b|us\b)|par (?!moi\b|nous\b)|yesterday|hier|last (?:week|month|year)"
    r"|for (?:your )?approval|pour (?:approbation|validation|accord))",
    re.IGNORECASE,
)
_AFTER: Final = re.compile(r"\b(?:after|après)\b", re.IGNORECASE)
_PRESENT: Final = re.compile(r"(?:is|are|est|sont)\b", re.IGNORECASE)
_QUOTED: Final = re.compile(r"“[^”\n]{0,500}”|«[^»\n]{0,500}»|\"[^\"\n]{0,500}\"")
_ASIDE: Final = re.compile(
    r",\s*(?:as|comme)\b[^,\n]{0,60},|\b(?:gone|went) ahead and\b", re.IGNORECASE
)
_CLAUSE: Final = re.compile(r"\s*,\s+|\s+(?:and|but|then|et|mais|puis)\s+", re.IGNORECASE)
_GREETING: Final = re.compile(
    r"^\W*(?:(?:all )?done|ok(?:ay)?|yes|sure|voilà|c['’]est fait|fait|oui|d['’]accord)?\W*$",
    re.IGNORECASE,
)
_OURS: Final = re.compile(_BY_US, re.IGNORECASE)
# Law of the silent budget: what remains of a token budget is nobody's answer.
_TOKENS: Final = r"\b(?:tokens?|jetons?)\b"
_REMAINS: Final = (
    r"\b(?:left|remain(?:s|ing)?|budget|limite?|quota|allowance|restants?|restent|reste)\b"
)
_SENTENCE: Final = re.compile(r"[^.!?\n]*(?:[.!?](?=\d)[^.!?\n]*)*[.!?\n]?")


def unsupported(answer: str, succeeded: Iterable[str]) -> Sequence[str]:
    """The kinds of action that the answer claims and no recorded outcome supports."""
    done = set(succeeded)
    told = _QUOTED.sub(" ", answer)
    sentences = re.split(r"(?<=[.!?])\s+|\n|;|:(?=\s)|\s[—–-]\s", told)
    missed = [
        claim.kinds[0]
        for sentence in sentences
        if not sentence.rstrip().endswith("?")
        for claim in _claimed(_ASIDE.sub(" ", sentence))
        if done.isdisjoint(claim.kinds)
    ]
    return list(dict.fromkeys(missed))


def _claimed(sentence: str) -> Iterator[_Claim]:
    """What a sentence claims, clause by clause: a subject or a condition holds for what follows."""
    ours, conditional, after = True, False, False
    for clause in _CLAUSE.split(sentence):
        found = [claim for claim in _CLAIMS if _holds(claim, clause, ours=ours, after=after)]
        if not conditional:
            yield from found
        ours = ours and bool(found or _GREETING.search(clause) or _OURS.search(clause))
        conditional = conditional or bool(_CONDITION.search(clause))
        after = after or bool(_AFTER.search(clause))


def _holds(claim: _Claim, clause: str, *, ours: bool, after: bool) -> bool:
    match = claim.form.search(clause) if ours or not claim.alone else None
    if match is None or _NEGATED.search(clause) or _CONDITION.search(clause[: match.end()]):
        return False
    if claim.passive and after and _PRESENT.match(match.group()):
        return False
    return not ((claim.passive or claim.alone) and _ELSEWHERE.search(clause, match.end()))


def without_budgets(answer: str) -> str:
    """The answer without sentences that tell a token budget's figures."""
    kept = [s for s in _SENTENCE.findall(answer) if not _tells_budget(s)]
    return "".join(kept).strip()


def _tells_budget(sentence: str) -> bool:
    """A number, the word tokens, and a word of what remains, in one sentence."""
    return bool(
        re.search(r"\d", sentence)
        and re.search(_TOKENS, sentence, re.IGNORECASE)
        and re.search(_REMAINS, sentence, re.IGNORECASE)
    )
