"""Takes a request's words apart: what is quoted, which sentence asks, which clause orders."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

# Whatever is quoted, and every JSON object, is replaced by a mark before words are looked at,
# so that no word inside a title or a payload is taken for an order.
MARK: Final = "\ue000\\d+\ue001"
_MARKED: Final = re.compile("\ue000(\\d+)\ue001")
_LISTED: Final = re.compile(
    rf"{MARK}(?:(?:\s*,\s*(?:and\s+|et\s+)?|\s+(?:and|et)\s+){MARK})*", re.IGNORECASE
)
_QUOTED: Final = re.compile(
    r'"([^"]+)"|“([^”]+)”|«\s*([^»]+?)\s*»|(?<![\w’\'])[\'‘]([^\'’\n]+)[\'’](?!\w)'
)
_BLANKS: Final = re.compile(r"[^\S\n]+")
_SENTENCE: Final = re.compile(r"[^.!?;\n]+(?:[.!?;](?!\s|$)[^.!?;\n]*)*[.!?;]*")
_QUESTION: Final = re.compile(
    r"(?:what|why|how|when|where|who|whom|whose|which|is|are|was|were|does|do you|did|should|shall"
    r"|may|might|would it|could it|has|have you|explain|describe|tell me (?:about|how|what|why)"
    r"|comment|pourquoi|quand|où|qui|quelle?s?|qu['’]|que (?:se|fait|veut|signifie)|combien"
    r"|est-ce que (?!tu peux|vous pouvez)|explique|décris|dis-moi (?:comment|pourquoi|ce)"
    r"|faut-il|dois-je|devrais-je|puis-je)(?!\w)",
    re.IGNORECASE,
)
_COURTESY: Final = re.compile(
    r"(?:please|kindly|hey|hi|hello|ok(?:ay)?|nova|also|now|first|finally|next|go ahead and"
    r"|let['’]?s"
    r"|(?:can|could|would|will) you|i(?:['’]d like| would like| want| need)(?: you)? to"
    r"|s['’]il (?:te|vous) pla[iî]t|svp|stp|bonjour|salut|aussi|maintenant|d['’]abord|enfin"
    r"|(?:est-ce que )?(?:tu peux|vous pouvez)|(?:peux|pourrais|veux)-tu"
    r"|(?:pouvez|pourriez|voulez)-vous"
    r"|(?:j['’]aimerais|je (?:veux|voudrais|souhaite))(?: que (?:tu|vous))?|il faut)(?!\w)[\s,:!]*",
    re.IGNORECASE,
)
_REFUSAL: Final = re.compile(r"(?:don['’]?t|do not|never|without|ne |n['’]|sans )", re.IGNORECASE)
_FRENCH: Final = re.compile(
    r"\b(?:le|la|les|un|une|des|du|de|dans|sur|et|puis|ensuite|fil|sphère|est|que|qui|mes|mon|ma"
    r"|au|aux|avec|pour|ce|cette|tu|vous|je)\b|[éèàçùêô]",
    re.IGNORECASE,
)
_ENGLISH: Final = re.compile(
    r"\b(?:the|a|an|to|of|and|then|in|my|thread|threads|is|are|what|with|for|it|this|that|you|i)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Masked:
    """A text whose quotations and JSON objects stand aside, each under its number."""

    text: str
    kept: list[tuple[Any, str]] = field(default_factory=list)

    def open(self, text: str) -> str:
        """The text with what stood aside, without quotation marks."""
        return _MARKED.sub(lambda found: _as_text(self.kept[int(found[1])][0]), text)

    def written(self, text: str) -> str:
        """The text as the person wrote it."""
        return _MARKED.sub(lambda found: self.kept[int(found[1])][1], text)

    def values(self, text: str) -> list[Any]:
        """What stands aside first in this part of the text, with what is listed beside it."""
        listed = _LISTED.search(text)
        numbers = _MARKED.findall(listed[0]) if listed else []
        return [self.kept[int(number)][0] for number in numbers]


def mask(text: str) -> Masked:
    """Put quotations and JSON objects aside."""
    kept: list[tuple[Any, str]] = []

    def aside(value: Any, written: str) -> str:
        kept.append((value, written))
        return f"\ue000{len(kept) - 1}\ue001"

    parts = [
        plain + (aside(value, written) if written else "")
        for plain, value, written in _json_apart(_MARKED.sub("", text))
    ]
    text = _QUOTED.sub(
        lambda found: aside(next(group for group in found.groups() if group), found[0]),
        "".join(parts),
    )
    # One blank is as good as many, and patterns that begin with blanks stay linear.
    return Masked(_BLANKS.sub(" ", text), kept)


def splitter(verb: str) -> re.Pattern[str]:
    """What stands between two orders: a word of sequence, or an `and` in front of a verb."""
    order = rf"(?=(?:{_COURTESY.pattern})*(?:{_REFUSAL.pattern})?{verb})"
    return re.compile(
        r",?\s*\b(?:and then|then|after that|afterwards|but|et puis|et ensuite|puis|ensuite|mais)\b"
        rf"[,\s]*|(?:,\s*|\s+)(?:and|et)\s+{order}|,\s*{order}",
        re.IGNORECASE,
    )


def clauses(text: str, between: re.Pattern[str]) -> Iterator[str]:
    """The orders in a masked text, in turn, bare of courtesies; questions are left out.

    A refusal stays, and orders nothing: it does not begin with a verb.
    """
    for sentence in _SENTENCE.findall(text):
        if is_question(sentence):
            continue
        for clause in between.split(sentence):
            yield without_courtesy(clause).strip(" \t,.!?;:")


def is_question(sentence: str) -> bool:
    """Whether a sentence asks for words, so that the verbs in it order nothing."""
    bare = without_courtesy(sentence.strip())
    polite = bare != sentence.strip()
    return bool(_QUESTION.match(bare)) or (sentence.rstrip().endswith("?") and not polite)


def without_courtesy(text: str) -> str:
    """The text from its first word that means something."""
    text, start = text.strip(), 0
    while found := _COURTESY.match(text, start):
        start = found.end()
    return text[start:]


def in_french(text: str) -> bool:
    """Whether to answer in French."""
    return len(_FRENCH.findall(text)) > len(_ENGLISH.findall(text))


def _json_apart(text: str) -> Iterator[tuple[str, Any, str]]:
    """Each JSON object with the plain text in front of it; the rest of the text at the end."""
    decoder, start, brace = json.JSONDecoder(), 0, text.find("{")
    while brace >= 0:
        try:
            value, end = decoder.raw_decode(text, brace)
        except (ValueError, RecursionError):
            brace = text.find("{", brace + 1)
            continue
        yield text[start:brace], value, text[brace:end]
        start, brace = end, text.find("{", end)
    yield text[start:], None, ""


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
