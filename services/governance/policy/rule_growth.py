"""What a condition makes while it goes through a list: nothing. Pure.

CEL's evaluator bounds the steps that a condition may take, and not what it holds meanwhile: a text
that is doubled thirty times is more than a machine has, and nothing can interrupt it. So what goes
through a list compares and selects, and puts nothing together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from services.governance.policy.rule_tree import (
    BODY,
    CALL,
    COLLECTED,
    CONST,
    FUNCTION,
    IDENT,
    LIST,
    LOOP,
    MAP,
    RANGE,
    VARIABLES,
    fields,
    name,
    operands,
)


class _Place(NamedTuple):
    """An expression, the variables of the loops that it is in, and whether a literal holds it."""

    expression: bytes
    variables: frozenset[bytes] = frozenset()
    literal: bool = False


def puts_together(root: bytes) -> bool:
    """Whether a condition adds, or makes lists or maps, of what it goes through."""
    waiting = [_Place(root)]
    while waiting:
        place = waiting.pop()
        for kind, content in fields(place.expression):
            if _is_refused(kind, content, place):
                return True
            waiting += _within(kind, content, place)
    return False


def _is_refused(kind: int, content: bytes, place: _Place) -> bool:
    if kind == IDENT:
        return place.literal and name(place.expression) in place.variables
    added = _added(content) if kind == CALL and place.variables else []
    return bool(added) and not _collects(added, place.variables)


def _within(kind: int, content: bytes, place: _Place) -> Iterator[_Place]:
    if kind == LOOP:
        parts = list(fields(content))
        own = place.variables | {part for number, part in parts if number in VARIABLES}
        for number, part in parts:
            if number == RANGE or number in BODY:
                variables = own if number in BODY else place.variables
                yield place._replace(expression=part, variables=variables)
    elif not (kind == CALL and place.variables and _added(content)):
        literal = place.literal or kind in (LIST, MAP)
        for part in operands(kind, content):
            yield _Place(part, place.variables, literal)


def _added(call: bytes) -> list[bytes]:
    """Both sides of an addition; nothing where it is another call."""
    return operands(CALL, call) if (FUNCTION, b"_+_") in fields(call) else []


def _collects(sides: Sequence[bytes], variables: frozenset[bytes]) -> bool:
    """Whether an addition is that of `filter` or `exists_one`: an element as it is, or a count."""
    collected, added = sides
    if name(collected) != COLLECTED:
        return False
    for kind, content in fields(added):
        if kind == LIST:
            elements = operands(LIST, content)
            return len(elements) == 1 and name(elements[0]) in variables
    return any(kind == CONST for kind, _ in fields(added))
