"""JSON in, message out, and back. Field names are the proto's own on both sides."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from kernel.errors import InvalidArgument
from services.gateway.contract import Binding
from services.gateway.misfits import misfit, refuse_unknown, shown

_STANDS_FOR: Final = (("if-match", "etag"), ("idempotency-key", "request_id"))


def request_message(
    binding: Binding,
    path: Mapping[str, str],
    query: Sequence[tuple[str, str]],
    body: bytes,
    headers: Mapping[str, str],
) -> Message:
    """The RPC's request, from everything that an HTTP request may say it with.

    A field in the path wins over one of the body. `If-Match` stands for `etag` and
    `Idempotency-Key` for `request_id`, where the request has such a field and does
    not say it itself. Raises InvalidArgument naming what does not fit.
    """
    document = _body(body) if binding.whole_body else {}
    descriptor = binding.method.input_type
    for name, value in query:
        _put(document, descriptor, name, value)
    for header, field in _STANDS_FOR:
        if header in headers and field in descriptor.fields_by_name:
            if not (value := headers[header].strip('"')):
                # Read as nothing said, it would drop the very condition that somebody wanted.
                raise InvalidArgument("the header is empty", field=header)
            if (header, value) != ("if-match", "*"):  # whatever it is like
                document.setdefault(field, value)
    document |= path
    try:
        refuse_unknown(document, descriptor)
        return json_format.ParseDict(document, binding.request_class(), max_recursion_depth=64)
    # A SystemError: protobuf's own, for half a character where a name or an object is due.
    except (json_format.ParseError, ValueError, RecursionError, SystemError) as problem:
        raise misfit(problem, descriptor) from None


def response_json(message: Message) -> dict[str, Any]:
    """The answer as JSON, with every field that has a value or a default."""
    document: dict[str, Any] = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return document


def _body(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    try:
        document = json.loads(
            body.decode("utf-8-sig"),  # bytes may be in UTF-16, too, which JSON is not
            parse_constant=_refuse_constant,
            parse_float=_finite,
            object_pairs_hook=_refuse_doubles,
        )
    except (ValueError, RecursionError):
        raise InvalidArgument("the body is not JSON in UTF-8") from None
    if not isinstance(document, dict):
        raise InvalidArgument("the body must be a JSON object")
    return document


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _finite(number: str) -> float:
    if math.isinf(value := float(number)):
        raise ValueError("too large a number")
    return value


def _refuse_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Readers disagree about which of two holds: nobody may see one and the gateway the other."""
    document: dict[str, Any] = {}
    for name, value in pairs:
        if name in document:
            raise InvalidArgument("the field is given twice", field=shown(name))
        document[name] = value
    return document


def _put(document: dict[str, Any], descriptor: Descriptor, name: str, value: str) -> None:
    """Set a query field, dotted where it lies deeper; repeated where it is repeated."""
    *outer, last = name.split(".")
    for part in outer:
        field = descriptor.fields_by_name.get(part)
        if field is None or field.message_type is None:
            raise InvalidArgument("there is no such field", field=shown(name))
        document, descriptor = document.setdefault(part, {}), field.message_type
        if not isinstance(document, dict):
            raise InvalidArgument("the field is given twice", field=shown(name))
    field = descriptor.fields_by_name.get(last)
    if field is None:
        raise InvalidArgument("there is no such field", field=shown(name))
    converted = _converted(field, value)
    if field.is_repeated and isinstance(document.setdefault(last, []), list):
        document[last].append(converted)
    elif last in document:
        raise InvalidArgument("the field is given twice", field=shown(name))
    else:
        document[last] = converted


def _converted(field: FieldDescriptor, value: str) -> Any:
    if field.type == FieldDescriptor.TYPE_BOOL:
        if value not in ("true", "false"):
            raise InvalidArgument("the field takes true or false", field=field.name)
        return value == "true"
    return value
