"""What a compiled condition consists of, read from its serialized form. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from cel_expr_python.cel import Expression
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.empty_pb2 import Empty
from google.protobuf.unknown_fields import UnknownFieldSet

# The numbers of cel.expr.CheckedExpr and cel.expr.Expr, of which nobody publishes Python stubs.
_ROOT: Final = 4
CONST, IDENT, SELECT, CALL, LIST, MAP, LOOP = 3, 4, 5, 6, 7, 8, 9
NAME: Final = 1
FUNCTION: Final = 2
_STRING: Final = 6
OPERANDS: Final = {SELECT: (1,), CALL: (1, 3), LIST: (1,)}
ENTRIES, ENTRY = 2, (3, 4)
VARIABLES, RANGE, BODY = (1, 8), 2, (5, 6, 7)
COLLECTED: Final = b"@result"
"""What a loop has found so far, a name that no condition can spell."""


def root(compiled: Expression) -> bytes:
    """The outermost expression of a condition."""
    return dict(fields(Packed.FromString(compiled.serialize()).value))[_ROOT]


def operands(kind: int, content: bytes) -> list[bytes]:
    """The expressions that a selection, a call, a list or a map is made of."""
    if kind == MAP:
        entries = [entry for number, entry in fields(content) if number == ENTRIES]
        return [part for entry in entries for number, part in fields(entry) if number in ENTRY]
    return [part for number, part in fields(content) if number in OPERANDS.get(kind, ())]


def function(call: bytes) -> str:
    """The name of what is called."""
    return dict(fields(call)).get(FUNCTION, b"").decode()


def is_constant(expression: bytes) -> bool:
    """Whether it is a number, a text and the like as it stands there."""
    return any(kind == CONST for kind, _ in fields(expression))


def text(constant: bytes) -> str:
    """What a constant text says; empty for other constants."""
    for kind, content in fields(constant):
        if kind == CONST:
            return dict(fields(content)).get(_STRING, b"").decode()
    return ""


def name(expression: bytes) -> bytes:
    """Of an identifier; empty for whatever else it is."""
    for kind, content in fields(expression):
        if kind == IDENT:
            return dict(fields(content)).get(NAME, b"")
    return b""


def fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The numbers and contents of its parts, but for plain numbers."""
    found: Any = UnknownFieldSet(Empty.FromString(message))
    for field in found:
        if isinstance(field.data, bytes):
            yield field.field_number, field.data
