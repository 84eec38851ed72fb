"""Cut a readable text into sentences of words."""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Final

from services.nova.intent.lexicon import currencies
from services.nova.intent.normalisation import without_accents
from services.nova.intent.spelling import LONGEST, within

# Every repetition is bounded or followed by what it cannot match itself: the time stays linear.
_TOKEN: Final = re.compile(
    r"(?P<url>https?://\S+|www\.\S+)"
    r"|(?P<email>[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4})"
    r"|(?P<amount>[$€£¥] ?\d{1,15}(?:[.,]\d{1,15}){0,4}[km]?\b"
    r"|\d{1,15}(?:[., \u00a0\u202f]\d{1,15}){0,4} ?k?[$€£¥])"
    r"|(?P<number>\d+(?:[.,:/]\d+)*%?(?![\w@$]))"
    r"|(?P<word>[\w@$]+(?:'[\w@$]+)*)"
    r"|(?P<mark>\n|[^\w\s])",
    re.IGNORECASE,
)
_SPELLED: Final = re.compile(r"(?<![^\W_])[^\W\d_](?:(?! {2})[\W_]{1,3}[^\W\d_]){2,}(?![^\W_])")
_E_MAIL: Final = re.compile(r"\be-mail", re.IGNORECASE)
_TITLE: Final = re.compile(r"\b(mr|mrs|ms|dr|m|mme|mlle|prof|st)\.", re.IGNORECASE)
_EXTENSION: Final = re.compile(
    r"(?<=\w)\.(?:pdf|docx?|txt|md|csv|xlsx?|pptx?|json|html?|png|jpe?g|zip)\b", re.IGNORECASE
)
_TLDR: Final = re.compile(r"\btl;dr", re.IGNORECASE)
_SINGLE_QUOTED: Final = re.compile(r"(?<!\w)'([^'\n]{1,200})'(?!\w)")
WORDS_AT_MOST: Final = 1_000
_QUOTED_AT_MOST: Final = 30
_LONGEST_SENTENCE: Final = 100
_LONGEST_WORD: Final = 64
_HARD: Final = frozenset(".!?;:\n()[]{}•|…。！？")
_SOFT: Final = frozenset(",—–/")
_EMOJI: Final = frozenset("🗑📧📤💸")

_SHORT: Final = {
    "can't": "can not", "cannot": "can not", "won't": "will not", "shan't": "shall not",
    "let's": "let us", "lets": "let us", "i'm": "i am", "im": "i am", "dont": "do not",
    "doesnt": "does not", "didnt": "did not", "cant": "can not", "couldnt": "could not",
    "wouldnt": "would not", "shouldnt": "should not", "isnt": "is not", "ain't": "is not",
    "gonna": "going to", "wanna": "want to", "gotta": "got to", "gimme": "give me",
    "lemme": "let me", "rmv": "remove", "snd": "send", "pls": "please", "plz": "please",
    "u": "you", "ya": "you", "ur": "your",
    "whats": "what is", "hows": "how is", "wheres": "where is", "whos": "who is", "id": "id",
    "jveux": "je veux", "jvoudrais": "je voudrais", "jaimerais": "j aimerais", "jai": "j ai",
    "cest": "c est", "pk": "pourquoi", "pq": "pourquoi", "tt": "tout", "msg": "message",
    "msgs": "messages", "ça": "ca", "aujourd'hui": "aujourd'hui", "d'accord": "d'accord",
    "d'abord": "d'abord", "e-mail": "email", "y'all": "you", "thats": "that is", "c": "c",
}  # fmt: skip
_ENDINGS: Final = {"'d": "would", "'ll": "will", "'re": "are", "'ve": "have", "'m": "am"}
_BEFORE_IS: Final = frozenset(
    ["what", "that", "it", "he", "she", "there", "who", "how", "where", "here", "when", "why"]
)


# With a capital in the middle of a line they begin a sentence whose full stop was forgotten.
_ASKING: Final = frozenset([
    "what", "how", "why", "where", "when", "who", "which", "do", "does", "is", "are", "can",
    "could", "should", "would", "que", "quoi", "comment", "pourquoi", "ou", "quand", "qui",
    "quel", "quelle", "est", "peux", "pouvez"
])  # fmt: skip


class Token:
    """A word, or what stands for one."""

    __slots__ = ("capital", "joined", "kind", "quoted", "raw", "word")

    def __init__(self, raw: str, kind: str, *, capital: bool = False, joined: bool = False) -> None:
        self.raw = raw
        self.word = without_accents(raw)
        self.kind = kind
        self.capital = capital
        self.joined = joined
        self.quoted = False


class Sentence:
    """Words up to a full stop, a colon or the like; commas among them are tokens too."""

    __slots__ = ("end", "tokens")

    def __init__(self, tokens: list[Token], end: str) -> None:
        self.tokens = tokens
        self.end = end

    @property
    def asks(self) -> bool:
        """Whether it ends in a question mark."""
        return self.end in {"?", "？"}


@lru_cache(maxsize=8192)
def _expanded(raw: str) -> tuple[str, ...]:
    """A word as the words that it is short for: don't → do not, l'accès → l accès."""
    if raw in _SHORT:
        return tuple(_SHORT[raw].split())
    if "_" in raw:
        return tuple(part for whole in raw.split("_") if whole for part in _expanded(whole))
    return _contracted(raw) if "'" in raw else (raw,)


def _contracted(raw: str) -> tuple[str, ...]:
    if raw.endswith("n't"):
        return (raw[:-3], "not")
    for ending, word in _ENDINGS.items():
        if raw.endswith(ending):
            return (raw.removesuffix(ending), word)
    base = raw.removesuffix("'s")
    if base != raw:
        return (base, "is") if base in _BEFORE_IS else (base,)
    return tuple(part for part in raw.split("'") if part)


def _spelled(match: re.Match[str]) -> str:
    letters = "".join(letter for letter in match.group() if letter.isalpha())
    hidden = within(without_accents(letters.lower()))
    if len(letters) == 3 and hidden != letters.lower():  # y a-t-il; options a, b, c
        return match.group()
    return f" {letters if len(letters) <= LONGEST else ''} {hidden} "


def _tokens(text: str) -> Iterator[Token]:
    text = _EXTENSION.sub("", text)
    text = _SPELLED.sub(_spelled, _E_MAIL.sub("email", _TLDR.sub("tldr", _TITLE.sub(r"\1 ", text))))
    text = _SINGLE_QUOTED.sub(r'"\1"', text)
    hyphen_at = -1
    for match in _TOKEN.finditer(text):
        kind, chunk = match.lastgroup or "", match.group()
        if kind == "word":
            joined = match.start() == hyphen_at
            capital = chunk[0].isupper() and not (len(chunk) > 1 and chunk.isupper())
            if len(chunk) > _LONGEST_WORD:  # no word of a language; what hides in it is kept
                chunk = within(without_accents(chunk.lower())) or chunk[:_LONGEST_WORD]
            for raw in _expanded(chunk.lower()):
                yield Token(raw, "word", capital=capital, joined=joined)
                joined = False
        elif kind == "mark" and chunk == "-":
            glued = match.start() > 0 and text[match.start() - 1].isalnum()
            hyphen_at = match.end() if glued else -1
            if not glued:
                yield Token(",", "mark")
        elif kind == "mark":
            yield Token(chunk, "word" if chunk in _EMOJI or chunk in "&+" else "mark")
        else:
            yield Token(chunk.lower(), kind)


def _with_amounts(tokens: list[Token]) -> list[Token]:
    """Numbers that money follows become one token with it."""
    merged: list[Token] = []
    for token in tokens:
        if merged and merged[-1].kind == "number" and token.word in currencies():
            merged[-1].kind = "amount"
        else:
            merged.append(token)
    return merged


def _without_quotes(tokens: list[Token]) -> list[Token]:
    """Mark the words between quotation marks; a pair that is too far apart is not one."""
    closing, kept = -1, []
    for index, token in enumerate(tokens):
        if token.raw == '"' and token.kind == "mark":
            if index > closing:
                window = range(index + 1, min(index + 2 + _QUOTED_AT_MOST, len(tokens)))
                closing = next((i for i in window if tokens[i].raw == '"'), closing)
            continue
        token.quoted = index < closing
        if not (token.quoted and token.kind == "mark"):
            kept.append(token)
    if all(token.quoted for token in kept if token.kind != "mark"):
        for token in kept:  # a text that is nothing but a quotation says it itself
            token.quoted = False
    return kept


def sentences(text: str) -> tuple[list[Sentence], bool]:
    """The sentences of a readable text, and whether they are all of it."""
    read = list(islice(_tokens(text), WORDS_AT_MOST + 1))
    found: list[Sentence] = []
    current: list[Token] = []
    for token in _without_quotes(_with_amounts(read[:WORDS_AT_MOST])):
        if token.kind != "mark":
            if current and _begins(token, current[-1]):
                found.append(Sentence(current, ""))
                current = []
            current.append(token)
        elif token.raw in _HARD:
            if current:
                found.append(Sentence(current, token.raw))
                current = []
            elif found and token.raw == "?":
                found[-1].end = "?"
        elif token.raw in _SOFT and current and current[-1].kind != "mark":
            current.append(token)
        if len(current) == _LONGEST_SENTENCE:
            found.append(Sentence(current, ""))
            current = []
    if current:
        found.append(Sentence(current, ""))
    return found, len(read) <= WORDS_AT_MOST


def _begins(token: Token, before: Token) -> bool:
    plain = before.kind == "word" and not before.capital
    return token.capital and not token.quoted and plain and token.word in _ASKING
