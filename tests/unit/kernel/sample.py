"""A service of its own for the kernel's tests: four kinds of RPC, a field with a rule.

Built at run time, so that no proto of a real service is needed to test the plumbing.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import grpc
from buf.validate import validate_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from chenu.events.v1 import method_policy_pb2
from chenu.events.v1.method_policy_pb2 import CallerKind
from kernel.context import current, new_id
from kernel.tokens import KeySet, SigningKey

PACKAGE = "chenu.sample.v1"
SERVICE = f"{PACKAGE}.SampleService"
TEXT, NUMBER = 9, 3
KINDS = {
    "Echo": (False, False),
    "Count": (False, True),
    "Collect": (True, False),
    "Converse": (True, True),
    "Public": (False, False),
    "ForNova": (False, False),
    "ForVoters": (False, False),
    "ForAudit": (False, False),
}
HUMAN, AGENT = CallerKind.CALLER_KIND_HUMAN, CallerKind.CALLER_KIND_AGENT
DELEGATION, VOTER = CallerKind.CALLER_KIND_DELEGATION, CallerKind.CALLER_KIND_VOTER
CALLERS = {
    "Public": [],
    "ForNova": [DELEGATION],
    "ForVoters": [VOTER],
    "ForAudit": [CallerKind.CALLER_KIND_SERVICE],
}


def _policy(name: str) -> method_policy_pb2.MethodPolicy:
    return method_policy_pb2.MethodPolicy(
        public=name == "Public",
        callers=CALLERS.get(name, [HUMAN, AGENT, DELEGATION, CallerKind.CALLER_KIND_SERVICE]),
        services={"ForAudit": ["audit"], "ForVoters": ["gateway"]}.get(name, []),
    )


def _file(service: str, methods: Sequence[str], *, policies: bool) -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name=f"chenu/sample/v1/{service.lower()}.proto",
        package=PACKAGE,
        syntax="proto3",
        dependency=["buf/validate/validate.proto", "chenu/events/v1/method_policy.proto"],
    )
    for message in (f"{service}Request", f"{service}Response"):
        made = file.message_type.add(name=message)
        text = made.field.add(name="text", number=1, type=TEXT, label=1)
        made.field.add(name="number", number=2, type=NUMBER, label=1)
        made.field.add(name="page_token", number=3, type=TEXT, label=1)
        if message.endswith("Request"):
            bounds: Any = text.options.Extensions
            bounds[validate_pb2.field].string.max_len = 20
    served = file.service.add(name=service)
    for name in methods:
        streams_requests, streams_responses = KINDS[name]
        method = served.method.add(
            name=name,
            input_type=f".{PACKAGE}.{service}Request",
            output_type=f".{PACKAGE}.{service}Response",
            client_streaming=streams_requests,
            server_streaming=streams_responses,
        )
        if policies:
            options: Any = method.options.Extensions
            options[method_policy_pb2.policy].CopyFrom(_policy(name))
    return descriptor_pool.Default().AddSerializedFile(file.SerializeToString())


_file("SampleService", list(KINDS), policies=True)
_file("LawlessService", ["Echo"], policies=False)


def _message(name: str) -> Any:
    pool = descriptor_pool.Default()
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))


Request, Response = _message("SampleServiceRequest"), _message("SampleServiceResponse")
Behaviour = Callable[[Any], Any]


class Servicer:
    """Answers with what it was sent; `behave` may do anything else first."""

    def __init__(self) -> None:
        self.behave: Behaviour = lambda _: None
        self.callers: list[Any] = []

    async def Echo(self, request: Any, context: Any) -> Any:
        self.callers.append(current().caller)
        outcome = self.behave(request)
        if asyncio.iscoroutine(outcome):
            outcome = await outcome
        return outcome or Response(text=request.text, number=request.number)

    Public = ForNova = ForVoters = ForAudit = Echo

    async def Count(self, request: Any, context: Any) -> AsyncIterator[Any]:
        for number in range(request.number):
            self.behave(number)
            yield Response(number=number)

    async def Collect(self, requests: Any, context: Any) -> Any:
        numbers = [request.number async for request in requests]
        self.behave(numbers)
        return Response(number=sum(numbers))

    async def Converse(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        async for request in requests:
            self.behave(request)
            yield Response(text=request.text)


def add_servicer(servicer: Any, server: Any, *, service: str = SERVICE) -> None:
    """What generated code does."""
    handlers = {}
    for name, (requests, responses) in KINDS.items():
        make = getattr(grpc, f"{_side(requests)}_{_side(responses)}_rpc_method_handler")
        handlers[name] = make(
            getattr(servicer, name),
            request_deserializer=Request.FromString,
            response_serializer=Response.SerializeToString,
        )
    if service != SERVICE:
        handlers = {"Echo": handlers["Echo"]}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    server.add_registered_method_handlers(service, handlers)


def _side(streams: bool) -> str:
    return "stream" if streams else "unary"


class Stub:
    """What a generated stub is."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        for name, (requests, responses) in KINDS.items():
            make = getattr(channel, f"{_side(requests)}_{_side(responses)}")
            setattr(
                self,
                name,
                make(
                    f"/{SERVICE}/{name}",
                    request_serializer=Request.SerializeToString,
                    response_deserializer=Response.FromString,
                ),
            )

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


class Issuer:
    """Stands in for identity: a key, and tokens of every kind signed with it."""

    def __init__(self, key: SigningKey) -> None:
        self.key = key

    async def jwks(self) -> str:
        import json

        return json.dumps({"keys": [self.key.jwk]})

    def key_set(self) -> KeySet:
        return KeySet(self.jwks)

    def claims(self, **changes: Any) -> dict[str, Any]:
        claims = {
            "sub": new_id(), "identity": new_id(), "tenant": new_id(), "actor": "human",
            "roles": ["member"], "sid": new_id(), "aud": "chenu",
        }  # fmt: skip
        return {k: v for k, v in (claims | changes).items() if v is not None}

    def access(self, **changes: Any) -> str:
        return self.key.sign(self.claims(**changes), typ="access+jwt", ttl=600)

    def service(self, name: str, **changes: Any) -> str:
        claims = {"sub": name, "aud": "chenu", "actor": "service"} | changes
        return self.key.sign(claims, typ="service+jwt", ttl=600)

    def of_kind(self, typ: str, audience: str, **changes: Any) -> str:
        return self.key.sign(self.claims(aud=audience, **changes), typ=typ, ttl=600)


def bearer(token: str, service: str = "") -> list[tuple[str, str]]:
    """The headers that carry these tokens."""
    headers = [("authorization", f"Bearer {token}")] if token else []
    if service:
        headers.append(("x-chenu-service-authorization", f"Bearer {service}"))
    return headers


def monotonic_in(seconds: float) -> float:
    return time.monotonic() + seconds
