"""Lane G's rules: an answer is checked against what was recorded before it is delivered."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

# What an answer may claim to have done, by the kind of action that would do it.
_CLAIMS: Final = {
    "delete": r"deleted|removed|erased|supprimée?s?|effacée?s?",
    "send": r"sent|notified|e-?mailed|envoyée?s?|notifiée?s?",
    "publish": r"published|posted|publiée?s?",
    "transfer": r"transferred|moved|transférée?s?|déplacée?s?",
    "payment": r"paid|wired|payée?s?|virée?s?",
    "export": r"exported|exportée?s?",
    "create": r"created|founded|créée?s?",
    "update": r"updated|appended|added|archived|ajoutée?s?|archivée?s?|mise?s? à jour",
}
_DONE: Final = (
    r"\b(?:i(?: have|'ve|’ve)?|was|were|has been|have been|is|are|now"
    r"|j['’]ai|a été|ont été|est|sont)\b"
)
_PATTERNS: Final = {
    kind: re.compile(rf"{_DONE}(?: now| just| bien)? ?(?:{verbs})\b", re.IGNORECASE)
    for kind, verbs in _CLAIMS.items()
}
_NEGATED: Final = re.compile(
    r"\b(?:not|never|n['’]|pas|nothing|cannot|can't|unable)\b", re.IGNORECASE
)
# Law of the silent budget: what remains of a token budget is nobody's answer.
_TOKENS: Final = r"\b(?:tokens?|jetons?)\b"
_REMAINS: Final = (
    r"\b(?:left|remain(?:s|ing)?|budget|limite?|quota|allowance|restants?|restent|reste)\b"
)
_SENTENCE: Final = re.compile(r"[^.!?\n]*(?:[.!?](?=\d)[^.!?\n]*)*[.!?\n]?")


def unsupported(answer: str, succeeded: Iterable[str]) -> Sequence[str]:
    """The kinds of action that the answer claims and no recorded outcome supports."""
    done = set(succeeded)
    sentences = re.split(r"(?<=[.!?])\s+|\n", answer)
    return [
        kind
        for kind, pattern in _PATTERNS.items()
        if kind not in done and any(pattern.search(s) and not _NEGATED.search(s) for s in sentences)
    ]


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
