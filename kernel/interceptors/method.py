"""One RPC as the interceptors see it, with all that can be known before a call."""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.descriptor_pool import Default

from chenu.events.v1 import method_policy_pb2

if TYPE_CHECKING:
    from kernel.denials import Denials
    from kernel.tokens import KeySet

ServicerContext = grpc.aio.ServicerContext[Any, Any]
Handler = Callable[[Any, ServicerContext], Awaitable[Any]]
Interceptor = Callable[["Method", Handler], Handler]


@dataclass(frozen=True, slots=True)
class Method:
    """An RPC of one of our services, its policy and what enforcing that needs."""

    name: str
    policy: method_policy_pb2.MethodPolicy
    behaviour: Any
    deserialize: Callable[[bytes], Any]
    serialize: Callable[[Any], bytes]
    streams_requests: bool
    streams_responses: bool
    service: str
    keys: "KeySet"
    denials: "Denials | None"


def policies(service: str) -> dict[str, method_policy_pb2.MethodPolicy]:
    """The policy of each method of a gRPC service; ValueError where one has none."""
    found = {}
    for method in Default().FindServiceByName(service).methods:
        extension: Any = method_policy_pb2.policy
        policy = method.GetOptions().Extensions[extension]
        if not policy.public and not policy.callers:
            raise ValueError(f"{method.full_name} has no (chenu.events.v1.policy)")
        found[method.name] = policy
    return found


def innermost(method: Method) -> Handler:
    """The servicer's own method, brought to the one form that all interceptors have."""
    behaviour, serialize = method.behaviour, method.serialize

    async def answer(request: Any, context: ServicerContext) -> Any:
        return serialize(await behaviour(request, context))

    async def stream(request: Any, context: ServicerContext) -> None:
        async with aclosing(behaviour(request, context)) as responses:
            async for response in responses:
                await context.write(serialize(response))

    return stream if method.streams_responses else answer


def grpc_handler(method: Method, handler: Handler) -> "grpc.RpcMethodHandler[Any, Any]":
    """What the gRPC server calls: bytes in, bytes out, of the right kind."""
    kinds: Any = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }
    made: grpc.RpcMethodHandler[Any, Any] = kinds[
        method.streams_requests, method.streams_responses
    ](handler)
    return made
