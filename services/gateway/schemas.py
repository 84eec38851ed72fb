"""JSON Schemas of messages: types, limits and comments, as the descriptors tell them."""

from typing import Any, Final

from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from services.gateway.wording import comment_of

Schemas = dict[str, Any]
"""By the name that others refer to them by."""

_NUMBER: Final = {"type": "string", "format": "int64"}
_SCALARS: Final[dict[int, dict[str, Any]]] = {
    FieldDescriptor.TYPE_DOUBLE: {"type": "number"},
    FieldDescriptor.TYPE_FLOAT: {"type": "number"},
    FieldDescriptor.TYPE_INT64: _NUMBER,
    FieldDescriptor.TYPE_UINT64: _NUMBER,
    FieldDescriptor.TYPE_INT32: {"type": "integer", "format": "int32"},
    FieldDescriptor.TYPE_UINT32: {"type": "integer", "format": "int64"},
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
}
WELL_KNOWN: Final[dict[str, dict[str, Any]]] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string"},
    "google.protobuf.Struct": {"type": "object"},
    "google.protobuf.FieldMask": {"type": "string", "description": "Comma-separated field names."},
}


def reference(message: Descriptor, schemas: Schemas) -> dict[str, Any]:
    """What refers to a message, whose schema is then among the `schemas`."""
    if message.full_name in WELL_KNOWN:
        return dict(WELL_KNOWN[message.full_name])
    name = message.full_name
    if name not in schemas:
        schemas[name] = {}  # taken before its fields are read: messages may hold themselves
        properties = {field.name: field_schema(field, schemas) for field in message.fields}
        required = [field.name for field in message.fields if _rules(field).required]
        schema: dict[str, Any] = {"type": "object", "properties": properties}
        if required:
            schema["required"] = required
        if words := comment_of(name):
            schema["description"] = words
        schemas[name] = schema
    return {"$ref": f"#/components/schemas/{name}"}


def field_schema(field: FieldDescriptor, schemas: Schemas) -> dict[str, Any]:
    """What a field of a message may hold."""
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        value = field.message_type.fields_by_name["value"]
        return {"type": "object", "additionalProperties": _one(value, schemas)}
    one = _one(field, schemas)
    rules = _rules(field)
    if field.is_repeated:
        schema: dict[str, Any] = {"type": "array", "items": one | _limits(rules.repeated.items)}
        if rules.repeated.max_items:
            schema["maxItems"] = rules.repeated.max_items
        if rules.repeated.min_items:
            schema["minItems"] = rules.repeated.min_items
        one = schema
    else:
        one |= _limits(rules)
    if words := comment_of(field.full_name):
        one["description"] = words
    return one


def _one(field: FieldDescriptor, schemas: Schemas) -> dict[str, Any]:
    if field.enum_type is not None:
        return _enum(field.enum_type, schemas)
    if field.message_type is not None:
        return reference(field.message_type, schemas)
    return dict(_SCALARS[field.type])


def _enum(enum: EnumDescriptor, schemas: Schemas) -> dict[str, Any]:
    schemas.setdefault(
        enum.full_name, {"type": "string", "enum": [value.name for value in enum.values]}
    )
    return {"$ref": f"#/components/schemas/{enum.full_name}"}


def _rules(field: FieldDescriptor) -> Any:
    options: Any = field.GetOptions()
    return options.Extensions[validate_pb2.field]


def _limits(rules: Any) -> dict[str, Any]:
    """The limits that the validation rules set, in JSON Schema's words."""
    limits = _text_limits(rules.string) if rules.HasField("string") else {}
    number = rules.int32 if rules.HasField("int32") else None
    for rule, word in (("gte", "minimum"), ("lte", "maximum")):
        if number is not None and number.HasField(rule):
            limits[word] = getattr(number, rule)
    if limits and rules.ignore == validate_pb2.IGNORE_IF_ZERO_VALUE:
        return {"anyOf": [limits, {"const": "" if number is None else 0}]}
    return limits


def _text_limits(text: Any) -> dict[str, Any]:
    limits: dict[str, Any] = {}
    for rule, word in (("min_len", "minLength"), ("max_len", "maxLength"), ("pattern", "pattern")):
        if text.HasField(rule):
            limits[word] = getattr(text, rule)
    for rule in ("uuid", "email", "uri"):
        if text.WhichOneof("well_known") == rule:
            limits["format"] = rule
    if text.HasField("const"):
        limits["const"] = text.const
    if getattr(text, "in"):
        limits["enum"] = list(getattr(text, "in"))
    return limits
