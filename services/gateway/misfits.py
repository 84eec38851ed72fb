"""What a JSON document has that its message has not: said by field, in the contract's own names."""

import re
from typing import Final

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.rpc.error_details_pb2 import BadRequest

from kernel.errors import InvalidArgument

_STEP: Final = re.compile(r"Failed to parse (\w+) field: ")
_UNKNOWN: Final = re.compile(r'has no field named "([^"]{1,100})')
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
    if unknown := _UNKNOWN.search(told):
        steps.append(unknown[1])
        names = [f.name for f in message.fields]
        return _invalid(".".join(steps), f"there is no such field; there are {_some(names)}")
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
