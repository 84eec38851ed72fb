"""Text as a person must see it: nothing invisible, nothing disguised, nothing lost.

A character that could mislead is written as its code point, ⟦U+202E⟧, and flagged;
`original` reads the text back. Ordinary letters of any language stay as they are.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from chenu_gate.look_alikes import ALWAYS, disguised

OPENING, CLOSING = "⟦", "⟧"
_ESCAPED = re.compile(r"⟦U\+([0-9A-F]{4,6})⟧")
_BIDIRECTIONAL = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
# Drawn as nothing although Unicode calls them letters, marks or symbols.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U00016fe4\U0001d159\U000e0000-\U000e0fff]"
)
# Our own brackets, so that no text can imitate an escape; and what ordinary texts hold, which is
# shown but too common to warn of: line breaks, tabs, the narrow spaces of French punctuation.
_SPELLED_OUT = frozenset(f"{OPENING}{CLOSING}\n\t\u00a0\u202f")
_MAX_MARKS = 3


class Flag(StrEnum):
    """Why a text deserves a second look."""

    meaning: str

    def __new__(cls, flag: str, meaning: str) -> Flag:
        member = str.__new__(cls, flag)
        member._value_ = flag
        member.meaning = meaning
        return member

    BIDIRECTIONAL = "BIDIRECTIONAL", "characters that would turn the direction of the text"
    INVISIBLE = "INVISIBLE", "characters that cannot be seen"
    CONTROL = "CONTROL", "control characters"
    LOOK_ALIKE = "LOOK_ALIKE", "characters that look like others"
    STACKED_MARKS = "STACKED_MARKS", "marks drawn over other characters"
    UNKNOWN = "UNKNOWN", "characters without an agreed appearance"
    # Only a warning: the letters are real, their order on a screen may not be the order here.
    RIGHT_TO_LEFT = "RIGHT_TO_LEFT", "letters written from right to left"


_HIDDEN_CATEGORIES = {
    "Cc": Flag.CONTROL,
    "Cf": Flag.INVISIBLE,
    "Zl": Flag.INVISIBLE,
    "Zp": Flag.INVISIBLE,
    "Zs": Flag.INVISIBLE,
    "Cs": Flag.UNKNOWN,
    "Co": Flag.UNKNOWN,
    "Cn": Flag.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class VisibleText:
    """A text made visible, and the characters that were flagged in it, by flag."""

    text: str
    flagged: dict[Flag, list[str]]


def visible(text: str) -> VisibleText:
    """The text with every misleading character spelled out; no two texts look the same."""
    if text.isascii() and text.isprintable():
        return VisibleText(text, {})
    parts: list[str] = []
    flagged: dict[Flag, list[str]] = {}
    for char, flag, escape in _judged(text):
        parts.append(_code_point(char) if escape else char)
        if flag is not None:
            flagged.setdefault(flag, []).append(char)
    return VisibleText("".join(parts), flagged)


def original(text: str) -> str:
    """The text that `visible` was given."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)


def _judged(text: str) -> Iterator[tuple[str, Flag | None, bool]]:
    """Each character, its flag if it has one, and whether it must be spelled out."""
    impostors = disguised(text)
    marks = _MAX_MARKS  # a mark with nothing under it lands on whatever is drawn before the text
    for position, char in enumerate(text):
        flag, escape = _by_itself(char)
        if not escape and position in impostors:
            flag, escape = Flag.LOOK_ALIKE, True
        if escape:
            marks = _MAX_MARKS
        elif unicodedata.category(char) not in {"Mn", "Mc"}:
            marks = 0 if char.isalnum() else _MAX_MARKS
        elif marks < _MAX_MARKS:
            marks += 1
        else:
            flag, escape = Flag.STACKED_MARKS, True
        yield char, flag, escape


@lru_cache(maxsize=8192)
def _by_itself(char: str) -> tuple[Flag | None, bool]:
    """What a character is wherever it stands: its flag, and whether it must be spelled out."""
    if char in _SPELLED_OUT:
        return None, True
    if flag := _hidden(char) or _disguise(char):
        return flag, True
    if unicodedata.bidirectional(char) in {"R", "AL", "AN"}:
        return Flag.RIGHT_TO_LEFT, False
    return None, False


def _hidden(char: str) -> Flag | None:
    if char in _BIDIRECTIONAL:
        return Flag.BIDIRECTIONAL
    if _BLANK.match(char):
        return Flag.INVISIBLE
    return _HIDDEN_CATEGORIES.get(unicodedata.category(char)) if char != " " else None


def _disguise(char: str) -> Flag | None:
    if unicodedata.category(char) == "Me" or unicodedata.combining(char) == 1:
        return Flag.STACKED_MARKS
    return Flag.LOOK_ALIKE if char in ALWAYS or _spells_ascii(char) else None


def _spells_ascii(char: str) -> bool:
    """Whether Unicode itself holds it to be one ASCII character in another dress."""
    if char.isascii() or char in "，；：！？（）":  # the everyday punctuation of Chinese
        return False
    dress = unicodedata.decomposition(char).partition(" ")[0]
    plain = unicodedata.normalize("NFKC", char)
    raised = {"<super>", "<sub>", "<circle>"}
    return len(plain) == 1 and plain.isascii() and dress not in raised


def _code_point(char: str) -> str:
    return f"{OPENING}U+{ord(char):04X}{CLOSING}"
