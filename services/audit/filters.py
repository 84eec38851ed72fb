"""Filters as AIP-160 writes them, a subset: parsed here, asked of the database in `matching`.

    action = delete AND time > "2026-11-01T00:00:00Z"
    sphere = business (outcome = PERMISSION_DENIED OR outcome = UNAUTHENTICATED)
    NOT actor:nova "invoice 12"

OR binds more tightly than AND, terms side by side are an AND, `-` is NOT. A word
without a field is looked for in the whole record. `:` means "has": a part of a
text, and `field:*` that there is one.
"""

import re
from dataclasses import dataclass
from typing import Final

from services.audit.errors import InvalidFilter

MAX_TERMS: Final = 50
MAX_DEPTH: Final = 10
COMPARATORS: Final = ("=", "!=", "<=", ">=", "<", ">", ":")
_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<sign><=|>=|!=|[=<>:()])"""
    r"""|(?P<minus>-(?=[^\s\d]))|(?P<word>[^\s"'=<>!:()]+))"""
)
# The parts of a time or of "thread/<id>" are one word; only a time has colons in it.
_TIME: Final = re.compile(r"\s*\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True, slots=True)
class Term:
    """One comparison; without a field a text to look for."""

    field: str
    comparator: str
    value: str


@dataclass(frozen=True, slots=True)
class Not:
    """What must not hold."""

    inner: "Node"


@dataclass(frozen=True, slots=True)
class All:
    """All of these hold."""

    inner: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Some:
    """At least one of these holds."""

    inner: tuple["Node", ...]


Node = Term | Not | All | Some


def parse(text: str) -> Node | None:
    """The tree of a filter, None for an empty one; InvalidFilter says where it breaks."""
    if not text.strip():
        return None
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = self._terms = 0

    @property
    def at_end(self) -> bool:
        return self._at >= len(self._tokens)

    def wrong(self, problem: str) -> InvalidFilter:
        if self.at_end:
            return InvalidFilter("the filter ends too early", position="end")
        position, _, text = self._tokens[self._at]
        return InvalidFilter(f"{problem} {text[:40]!r} in the filter", position=str(position))

    def whole(self) -> Node:
        node = self.expression(0)
        if not self.at_end:
            raise self.wrong("unexpected")
        return node

    def expression(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise self.wrong("too deep at")
        parts = [self._some(depth)]
        while not self.at_end and not self._is(")"):
            if self._is("AND"):
                self._at += 1
            parts.append(self._some(depth))
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _some(self, depth: int) -> Node:
        parts = [self._term(depth)]
        while self._is("OR"):
            self._at += 1
            parts.append(self._term(depth))
        return parts[0] if len(parts) == 1 else Some(tuple(parts))

    def _term(self, depth: int) -> Node:
        if self._is("NOT") or self._is("-"):
            self._at += 1
            return Not(self._simple(depth))
        return self._simple(depth)

    def _simple(self, depth: int) -> Node:
        if self._is("("):
            self._at += 1
            inner = self.expression(depth + 1)
            self._take(")")
            return inner
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise self.wrong("too many terms at")
        quoted, value = self._value()
        if quoted or self.at_end or self._tokens[self._at][2] not in COMPARATORS:
            return Term("", ":", value)
        comparator = self._tokens[self._at][2]
        self._at += 1
        return Term(value, comparator, self._value()[1])

    def _value(self) -> tuple[bool, str]:
        if self.at_end or self._tokens[self._at][1] not in ("quoted", "word"):
            raise self.wrong("a value should stand before")
        _, kind, text = self._tokens[self._at]
        if kind == "word" and text in ("AND", "OR", "NOT"):
            raise self.wrong("a value should stand before")
        self._at += 1
        if kind == "quoted":
            return True, re.sub(r"\\(.)", r"\1", text[1:-1])
        return False, text

    def _is(self, text: str) -> bool:
        if self.at_end:
            return False
        _, kind, found = self._tokens[self._at]
        return kind != "quoted" and found == text

    def _take(self, text: str) -> None:
        if not self._is(text):
            raise self.wrong("a bracket is open before")
        self._at += 1


def _tokens(text: str) -> list[tuple[int, str, str]]:
    """(position, kind, text) of each token."""
    found: list[tuple[int, str, str]] = []
    at = 0
    while text[at:].strip():
        match = _TIME.match(text, at)
        if match:
            found.append((at, "word", match[0].strip()))
        else:
            match = _TOKEN.match(text, at)
            if match is None or match.lastgroup is None:
                raise InvalidFilter(
                    f"the filter cannot be read at {text[at : at + 20]!r}", position=str(at)
                )
            found.append((at, match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return found
