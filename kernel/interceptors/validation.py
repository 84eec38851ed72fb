"""Parses the bytes and checks them against the rules that stand on the fields."""

from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import protovalidate
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import BadRequest

from kernel.errors import InvalidArgument
from kernel.interceptors.method import Handler, Method, ServicerContext

_collect: Final = protovalidate.Validator().collect_violations
# Of a large request only the first problem is looked for: all may be millions, and each takes time.
_LARGE_BYTES: Final = 8_192
_MOST_TOLD: Final = 16  # so that the trailers hold them


class MalformedRequest(InvalidArgument):
    """The bytes are no message of this RPC."""

    reason = "MALFORMED_REQUEST"
    message = "the request cannot be parsed"


def validate(method: Method, inner: Handler) -> Handler:
    """Inside, requests are messages that keep the rules of their proto."""
    deserialize = method.deserialize

    async def handle(request: Any, context: ServicerContext) -> Any:
        return await inner(checked(deserialize, request), context)

    async def handle_stream(requests: Any, context: ServicerContext) -> Any:
        return await inner(each(requests), context)

    async def each(requests: AsyncIterator[bytes]) -> AsyncIterator[Any]:
        async for request in requests:
            yield checked(deserialize, request)

    return handle_stream if method.streams_requests else handle


def checked(deserialize: Callable[[bytes], Any], data: bytes) -> Any:
    """The message, or InvalidArgument naming the fields that break their rules."""
    try:
        message = deserialize(data)
    except DecodeError:
        raise MalformedRequest from None
    violations = _collect(message, fail_fast=len(data) > _LARGE_BYTES)[:_MOST_TOLD]
    if not violations:
        return message
    problems = [(_path(v.proto), v.proto.message, v.proto.rule_id) for v in violations]
    fields = BadRequest(
        field_violations=[
            BadRequest.FieldViolation(field=field, description=message, reason=_reason(rule))
            for field, message, rule in problems
        ]
    )
    told = "; ".join(f"{field}: {message}" for field, message, _ in problems[:5])
    raise InvalidArgument(told, details=[fields], fields=",".join(p[0] for p in problems)[:500])


def _reason(rule: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in rule).upper()[:63]


def _path(violation: Any) -> str:
    """`targets[2].id`, as AIP-193 writes it."""
    path = ""
    for element in violation.field.elements if violation.field else ():
        path += f".{element.field_name}" if path else element.field_name
        if element.subscript is not None:
            path += f"[{element.subscript.value}]"
    return path
