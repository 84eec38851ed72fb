"""What a JSON document has that its message has not: said by field, in the contract's own names."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.rpc.error_details_pb2 import BadRequest

from kernel.errors import InvalidArgument

_STEP: Final = re.compile(r"Failed to parse (\w+) field: ")
_SHOWN: Final = 20
_WORDS: Final = {
    FieldDescriptor.CPPTYPE_INT32: "a whole number of 32 bits",
    FieldDescriptor.CPPTYPE_INT64: "a whole number of 64 bits",
    FieldDescriptor.CPPTYPE_UINT32: "a whole number of 32 bits, not below 0",
    FieldDescriptor.CPPTYPE_UINT64: "a whole number of 64 bits, not below 0",
    FieldDescriptor.CPPTYPE_DOUBLE: "a number",
    FieldDescriptor.CPPTYPE_FLOAT: "a number",
    FieldDescriptor.CPPTYPE_BOOL: "true or false",
    FieldDescriptor.CPPTYPE_STRING: "a string of whole Unicode characters",
}
_WELL_KNOWN: Final = {
    "google.protobuf.Timestamp": "a time such as 2026-01-31T09:30:00Z",
    "google.protobuf.Duration": "a duration such as 90s",
    "google.protobuf.FieldMask": "field names such as title,tags",
    "google.protobuf.Value": "any JSON",
}


def refuse_unknown(document: Mapping[str, Any], message: Descriptor, path: str = "") -> None:
    """Raise InvalidArgument for a name that no field, or no value of an enum, has.

    `json_format` would take a second spelling of each (`threadId`), and so the same field twice;
    and 2**32 + 1, 1.9 or true for a value whose number is 1.
    """
    for name, value in document.items():
        field = message.fields_by_name.get(name) if name.isascii() else None
        if field is None:
            names = _some([f.name for f in message.fields])
            raise _invalid(path + shown(name), f"there is no such field; there are {names}")
        values = value if isinstance(value, list) else [value]
        if field.enum_type is not None and not all(_is_one(field.enum_type, v) for v in values):
            raise _invalid(path + name, f"takes {_kind(field)}")
        inner = field.message_type
        if inner is not None and inner.GetOptions().map_entry:
            inner = inner.fields_by_name["value"].message_type
            values = list(value.values()) if isinstance(value, dict) else []
        if inner is not None and not inner.full_name.startswith("google.protobuf."):
            for one in values:
                if isinstance(one, dict):
                    refuse_unknown(one, inner, f"{path}{name}.")


def _is_one(enum: EnumDescriptor, value: Any) -> bool:
    if isinstance(value, bool | float | list | dict):
        return False
    return value is None or str(value) in _values(enum)


@cache
def _values(enum: EnumDescriptor) -> frozenset[str]:
    """By name and by number, which in a query is text, too."""
    return frozenset(word for one in enum.values for word in (one.name, str(one.number)))


def shown(name: str) -> str:
    """A name of somebody else's, as an error may bear it."""
    return ascii(name[:100])[1:-1]


def misfit(problem: Exception, message: Descriptor) -> InvalidArgument:
    """The error for what `json_format` could not read; it tells the way to the field in words."""
    told, steps = str(problem), []
    field: FieldDescriptor | None = None
    while (step := _STEP.match(told)) and message is not None:
        told, field = told[step.end() :], message.fields_by_name.get(step[1])
        steps.append(step[1])
        if field is None or field.message_type is None:
            break
        message = field.message_type
    if field is None:
        return InvalidArgument("the body does not fit the request; /docs shows what does")
    return _invalid(".".join(steps), f"takes {_kind(field)}")


def _invalid(path: str, words: str) -> InvalidArgument:
    violation = BadRequest.FieldViolation(field=path, description=words, reason="TYPE")
    return InvalidArgument(
        f"{path}: {words}", details=[BadRequest(field_violations=[violation])], fields=path
    )


def _kind(field: FieldDescriptor) -> str:
    many = "a list, each item " if field.is_repeated else ""
    if field.type == FieldDescriptor.TYPE_BYTES:
        return f"{many}base64"
    if (enum := field.enum_type) is not None:
        return f"{many}one of {_some(_names(enum))}"
    if (message := field.message_type) is not None:
        if message.GetOptions().map_entry:
            return "an object"
        return many + _WELL_KNOWN.get(message.full_name, "an object")
    return many + _WORDS[field.cpp_type]


def _names(enum: EnumDescriptor) -> list[str]:
    return [value.name for value in enum.values if value.number]


def _some(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
