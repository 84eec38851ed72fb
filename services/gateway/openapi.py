"""OpenAPI 3.1 from the descriptors: paths, schemas, limits and comments, nothing by hand."""

from typing import Any, Final

from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from services.gateway.contract import Binding, bindings
from services.gateway.wording import comment_of

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
_WELL_KNOWN: Final[dict[str, dict[str, Any]]] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string"},
    "google.protobuf.Struct": {"type": "object"},
    "google.protobuf.FieldMask": {"type": "string", "description": "Comma-separated field names."},
}
_TICKET: Final = {
    "name": "ticket",
    "in": "query",
    "required": False,
    "description": "Of POST /api/v2/auth/tickets, instead of the bearer token.",
    "schema": {"type": "string"},
}
_PROBLEM: Final = {
    "description": "A problem (RFC 9457); 423 when a person must decide first.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_PROBLEM_SCHEMA: Final = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string"},
        "reason": {"type": "string"},
        "metadata": {"type": "object"},
        "violations": {"type": "array", "items": {"type": "object"}},
        "checkpoint_id": {"type": "string"},
        "checkpoints": {"type": "array", "items": {"type": "object"}},
    },
}


def document() -> dict[str, Any]:
    """The whole description."""
    schemas: dict[str, Any] = {"Problem": _PROBLEM_SCHEMA}
    paths: dict[str, dict[str, Any]] = {}
    for binding in bindings():
        operation = _operation(binding, schemas)
        paths.setdefault(binding.path, {})[binding.verb.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "CHE·NU",
            "version": "2",
            "description": "AI agents act for people; what could hurt waits for a person.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "session": {"type": "apiKey", "in": "cookie", "name": "chenu_session"},
            },
        },
    }


def _operation(binding: Binding, schemas: dict[str, Any]) -> dict[str, Any]:
    method, described = binding.method, comment_of(binding.method.full_name)
    answer = _content(binding, schemas)
    operation: dict[str, Any] = {
        "operationId": f"{method.containing_service.name}_{method.name}_{_slug(binding)}",
        "tags": [method.containing_service.name],
        "summary": described.split(". ")[0][:120],
        "description": described,
        "parameters": _parameters(binding, schemas),
        "responses": {"200": {"description": "OK", "content": answer}, "default": _PROBLEM},
        "security": [] if binding.policy.public else [{"bearer": []}],
    }
    if binding.whole_body:
        operation["requestBody"] = {
            "content": {"application/json": {"schema": _reference(method.input_type, schemas)}}
        }
    return operation


def _content(binding: Binding, schemas: dict[str, Any]) -> dict[str, Any]:
    if binding.sends_a_file:
        return {"application/octet-stream": {}}
    media = "text/event-stream" if binding.streams else "application/json"
    return {media: {"schema": _reference(binding.method.output_type, schemas)}}


def _slug(binding: Binding) -> str:
    return binding.path.strip("/").replace("/", "_").replace("{", "").replace("}", "")


def _parameters(binding: Binding, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    in_path = binding.path_parameters
    parameters = []
    for field in binding.method.input_type.fields:
        if field.name in in_path:
            place = "path"
        elif not binding.whole_body and field.message_type is None:
            place = "query"
        else:
            continue
        parameters.append(
            {
                "name": field.name,
                "in": place,
                "required": place == "path",
                "description": comment_of(field.full_name),
                "schema": _field(field, schemas),
            }
        )
    return parameters + [_TICKET] * binding.sends_events


def _reference(message: Descriptor, schemas: dict[str, Any]) -> dict[str, Any]:
    if message.full_name in _WELL_KNOWN:
        return dict(_WELL_KNOWN[message.full_name])
    name = message.full_name
    if name not in schemas:
        schemas[name] = {}  # taken before its fields are read: messages may hold themselves
        properties = {field.name: _field(field, schemas) for field in message.fields}
        required = [field.name for field in message.fields if _rules(field).required]
        schema: dict[str, Any] = {"type": "object", "properties": properties}
        if required:
            schema["required"] = required
        if words := comment_of(name):
            schema["description"] = words
        schemas[name] = schema
    return {"$ref": f"#/components/schemas/{name}"}


def _field(field: FieldDescriptor, schemas: dict[str, Any]) -> dict[str, Any]:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        value = field.message_type.fields_by_name["value"]
        return {"type": "object", "additionalProperties": _one(value, schemas)}
    one = _one(field, schemas)
    rules = _rules(field)
    if field.is_repeated:
        schema: dict[str, Any] = {"type": "array", "items": one}
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


def _one(field: FieldDescriptor, schemas: dict[str, Any]) -> dict[str, Any]:
    if field.enum_type is not None:
        return _enum(field.enum_type, schemas)
    if field.message_type is not None:
        return _reference(field.message_type, schemas)
    return dict(_SCALARS[field.type])


def _enum(enum: EnumDescriptor, schemas: dict[str, Any]) -> dict[str, Any]:
    schemas.setdefault(
        enum.full_name, {"type": "string", "enum": [value.name for value in enum.values]}
    )
    return {"$ref": f"#/components/schemas/{enum.full_name}"}


def _rules(field: FieldDescriptor) -> Any:
    options: Any = field.GetOptions()
    return options.Extensions[validate_pb2.field]


def _limits(rules: Any) -> dict[str, Any]:
    """The limits that the validation rules set, in JSON Schema's words."""
    text, limits = rules.string, {}
    for rule, word in (("min_len", "minLength"), ("max_len", "maxLength"), ("pattern", "pattern")):
        if text.HasField(rule):
            limits[word] = getattr(text, rule)
    for rule in ("uuid", "email", "uri"):
        if text.WhichOneof("well_known") == rule:
            limits["format"] = rule
    if getattr(text, "in"):
        limits["enum"] = list(getattr(text, "in"))
    number = rules.int32 if rules.HasField("int32") else None
    for rule, word in (("gte", "minimum"), ("lte", "maximum")):
        if number is not None and number.HasField(rule):
            limits[word] = getattr(number, rule)
    return limits
