"""OpenAPI 3.1 from the descriptors: paths, schemas, limits and comments, nothing by hand."""

from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor

from chenu.events.v1.method_policy_pb2 import CallerKind
from chenu.governance.v1.checkpoint_pb2 import BlockedCheckpoint
from services.gateway.contract import Binding, bindings
from services.gateway.credentials import SESSION_COOKIE, TICKET
from services.gateway.schemas import WELL_KNOWN, Schemas, field_schema, reference
from services.gateway.sse import RESUMED
from services.gateway.wording import comment_of

_HEADERS: Final = (
    ("If-Match", "etag", "Stands for `etag`."),
    ("Idempotency-Key", "request_id", "Stands for `request_id`."),
)
_IDENTITY: Final = {
    "name": "X-CHE-NU-Identity",
    "in": "header",
    "description": "Another of one's own identities to act as.",
    "schema": {"type": "string", "format": "uuid"},
}
_RESUME: Final = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "The id of the last event that came; the stream goes on after it.",
    "schema": {"type": "string"},
}
_IN_THE_COOKIE: Final = "session_secret"
_SESSION: Final[dict[str, Any]] = {"session": [], "csrf": []}
_SECURITY_SCHEMES: Final = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE},
    "csrf": {
        "type": "apiKey",
        "in": "header",
        "name": "X-CSRF-Token",
        "description": "The csrf_token of the log-in.",
    },
    "ticket": {
        "type": "apiKey",
        "in": "query",
        "name": TICKET,
        "description": "Of POST /api/v2/auth/tickets, for whoever can send no header.",
    },
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
        "metadata": {"type": "object", "additionalProperties": {"type": "string"}},
        "violations": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "description": {"type": "string"}},
            },
        },
    },
}
_MORE_OF_A_BLOCK: Final = {
    "checkpoints": {"type": "array", "items": {"$ref": "#/components/schemas/BlockedCheckpoint"}},
    "omitted": {"type": "integer"},
    "run_id": {"type": "string"},
}


def document() -> dict[str, Any]:
    """The whole description."""
    schemas = _problem_schemas()
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
            "securitySchemes": _SECURITY_SCHEMES,
        },
    }


def _problem_schemas() -> Schemas:
    """A problem; where it is a block, what the first checkpoint holds stands in it as well."""
    schemas: Schemas = {}
    descriptor: Any = BlockedCheckpoint.DESCRIPTOR
    reference(descriptor, schemas)
    blocked = schemas.pop(descriptor.full_name)
    members = blocked["properties"]
    members["expires_at"] = members.pop("expire_time")
    of_a_block = members | _MORE_OF_A_BLOCK
    problem = _PROBLEM_SCHEMA | {"properties": _PROBLEM_SCHEMA["properties"] | of_a_block}
    return schemas | {"BlockedCheckpoint": blocked, "Problem": problem}


def _operation(binding: Binding, schemas: Schemas) -> dict[str, Any]:
    method, described = binding.method, comment_of(binding.method.full_name)
    answer = _content(binding, schemas)
    operation: dict[str, Any] = {
        "operationId": f"{method.containing_service.name}_{method.name}_{_slug(binding)}",
        "tags": [method.containing_service.name],
        "summary": described.split(". ")[0][:120],
        "description": described,
        "parameters": _parameters(binding, schemas),
        "responses": {"200": {"description": "OK", "content": answer}, "default": _PROBLEM},
        "security": _security(binding),
    }
    if binding.whole_body:
        operation["requestBody"] = {
            "content": {"application/json": {"schema": _body(binding, schemas)}}
        }
    return operation


def _security(binding: Binding) -> list[dict[str, Any]]:
    if binding.is_for(CallerKind.CALLER_KIND_VOTER):
        return [_SESSION]
    ways: list[dict[str, Any]] = [] if binding.policy.public else [{"bearer": []}]
    if _IN_THE_COOKIE in binding.method.input_type.fields_by_name:
        return [way | _SESSION for way in ways or [{}]]
    return ways + [{"ticket": []}] * binding.sends_events


def _body(binding: Binding, schemas: Schemas) -> dict[str, Any]:
    """The request, without what the path says."""
    to_it = reference(binding.method.input_type, schemas)
    properties = schemas[binding.method.input_type.full_name]["properties"]
    for name in (*binding.path_parameters, _IN_THE_COOKIE):
        properties.pop(name, None)
    return to_it


def _content(binding: Binding, schemas: Schemas) -> dict[str, Any]:
    if binding.sends_a_file:
        named = "content_type" in binding.method.output_type.fields_by_name
        return {"*/*" if named else "application/octet-stream": {"schema": {}}}
    media = "text/event-stream" if binding.streams else "application/json"
    to_it = reference(binding.method.output_type, schemas)
    properties = schemas[binding.method.output_type.full_name]["properties"]
    if properties.pop(_IN_THE_COOKIE, None):
        properties["csrf_token"] = {"type": "string", "description": "For X-CSRF-Token."}
    return {media: {"schema": to_it}}


def _slug(binding: Binding) -> str:
    return binding.path.strip("/").replace("/", "_").replace("{", "").replace("}", "")


def _parameters(binding: Binding, schemas: Schemas) -> list[dict[str, Any]]:
    in_path = binding.path_parameters
    parameters = []
    for field in binding.method.input_type.fields:
        if field.name in in_path:
            place = "path"
        elif not binding.whole_body and _in_a_query(field):
            place = "query"
        else:
            continue
        parameters.append(
            {
                "name": field.name,
                "in": place,
                "required": place == "path",
                "description": comment_of(field.full_name),
                "schema": field_schema(field, schemas),
            }
        )
    return parameters + _header_parameters(binding)


def _in_a_query(field: FieldDescriptor) -> bool:
    return field.message_type is None or field.message_type.full_name in WELL_KNOWN


def _header_parameters(binding: Binding) -> list[dict[str, Any]]:
    fields = binding.method.input_type.fields_by_name
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "header", "description": words, "schema": {"type": "string"}}
        for name, field, words in _HEADERS
        if field in fields
    ]
    if not binding.policy.public:
        parameters.append(_IDENTITY)
    return parameters + [_RESUME] * (binding.sends_events and any(f in fields for f in RESUMED))
