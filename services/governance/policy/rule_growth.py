"""What a condition makes while it goes through a list: nothing. Pure.

CEL's evaluator bounds the steps that a condition may take, and not what it holds meanwhile: a text
that is doubled thirty times is more than a machine has, and nothing can interrupt it. So what goes
through a list compares and selects, and puts nothing together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from cel_expr_python.cel import Expression
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.empty_pb2 import Empty
from google.protobuf.unknown_fields import UnknownFieldSet

_LOOPS: Final = re.compile(r"\b(?:all|exists|exists_one|filter|map)\b")
# The numbers of cel.expr.CheckedExpr and cel.expr.Expr, of which nobody publishes Python stubs.
_ROOT: Final = 4
_CONST, _IDENT, _SELECT, _CALL, _LIST, _MAP, _LOOP = 3, 4, 5, 6, 7, 8, 9
_NAME: Final = 1
_OPERANDS: Final = {_SELECT: (1,), _CALL: (1, 3), _LIST: (1,)}
_ENTRY: Final = (3, 4)
_VARIABLES, _RANGE, _BODY = (1, 8), 2, (5, 6, 7)
_COLLECTED: Final = b"@result"
"""What a loop has found so far, a name that no condition can spell."""


class _Place(NamedTuple):
    """An expression, the variables of the loops that it is in, and whether a literal holds it."""

    expression: bytes
    variables: frozenset[bytes] = frozenset()
    literal: bool = False


def puts_together(condition: str, compiled: Expression) -> bool:
    """Whether it adds, or makes lists or maps, of what it goes through."""
    if not _LOOPS.search(condition):
        return False
    checked = Packed.FromString(compiled.serialize()).value
    waiting = [_Place(root) for number, root in _fields(checked) if number == _ROOT]
    while waiting:
        place = waiting.pop()
        for kind, content in _fields(place.expression):
            if _is_refused(kind, content, place):
                return True
            waiting += _within(kind, content, place)
    return False


def _is_refused(kind: int, content: bytes, place: _Place) -> bool:
    if kind == _IDENT:
        return place.literal and _name(place.expression) in place.variables
    added = _added(content) if kind == _CALL and place.variables else []
    return bool(added) and not _collects(added, place.variables)


def _within(kind: int, content: bytes, place: _Place) -> Iterator[_Place]:
    if kind == _LOOP:
        parts = list(_fields(content))
        own = place.variables | {name for number, name in parts if number in _VARIABLES}
        for number, part in parts:
            if number == _RANGE or number in _BODY:
                variables = own if number in _BODY else place.variables
                yield place._replace(expression=part, variables=variables)
    elif kind == _MAP:
        for number, entry in _fields(content):
            for part in (part for n, part in _fields(entry) if n in _ENTRY) if number == 2 else ():
                yield _Place(part, place.variables, literal=True)
    elif not (kind == _CALL and place.variables and _added(content)):
        for number, part in _fields(content) if kind in _OPERANDS else ():
            if number in _OPERANDS[kind]:
                yield _Place(part, place.variables, place.literal or kind == _LIST)


def _added(call: bytes) -> list[bytes]:
    """Both sides of an addition; nothing where it is another call."""
    parts = list(_fields(call))
    return [part for number, part in parts if number == 3] if (2, b"_+_") in parts else []


def _collects(sides: Sequence[bytes], variables: frozenset[bytes]) -> bool:
    """Whether an addition is that of `filter` or `exists_one`: an element as it is, or a count."""
    collected, added = sides
    if _name(collected) != _COLLECTED:
        return False
    for kind, content in _fields(added):
        if kind == _LIST:
            elements = [part for number, part in _fields(content) if number == 1]
            return len(elements) == 1 and _name(elements[0]) in variables
    return any(kind == _CONST for kind, _ in _fields(added))


def _name(expression: bytes) -> bytes:
    """Of an identifier; empty for whatever else it is."""
    for kind, content in _fields(expression):
        if kind == _IDENT:
            return dict(_fields(content)).get(_NAME, b"")
    return b""


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The numbers and contents of its parts, but for plain numbers."""
    found: Any = UnknownFieldSet(Empty.FromString(message))
    for field in found:
        if isinstance(field.data, bytes):
            yield field.field_number, field.data
