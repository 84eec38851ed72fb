"""Calls to other services: what a hop must pass on, it passes on by itself.

    threads = ThreadServiceStub(service.channels.channel("threads"))
    thread = await threads.GetThread(GetThreadRequest(thread_id=id))   # as current().caller
    with acting_as(delegation): await threads.GetThread(...)           # with another token
    with alone(): await identity.CheckVoter(...)                       # the service on its own

Passed on: the deadline (minus a margin; 30 s where there is none), the caller's
token, the service's own token, x-request-id, trace context. UNAVAILABLE is
retried by gRPC, at most three attempts, within the deadline, after the delay
that the server names. Calls are coroutines (streams: async generators), so a
stub's answer is awaited or iterated and has no call object.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from math import inf
from typing import Any, Final, cast

import grpc
from google.protobuf.wrappers_pb2 import StringValue

from chenu.events.v1.method_policy_pb2 import CallerKind
from kernel.context import CallContext, call_in_hand
from kernel.errors import DeadlineExceeded
from kernel.settings import SharedSettings
from kernel.telemetry import trace_headers
from kernel.tokens import SigningKey

DEFAULT_DEADLINE_SECONDS: Final = 30.0
MARGIN_SECONDS: Final = 0.05
_TOKEN_TTL_SECONDS: Final = 600
_PASSED_ON: Final = {
    CallerKind.CALLER_KIND_HUMAN,
    CallerKind.CALLER_KIND_AGENT,
    CallerKind.CALLER_KIND_DELEGATION,
}
Outgoing = Callable[[float | None], Awaitable[tuple[float, list[tuple[str, str]]]]]
_acting: ContextVar[str | None] = ContextVar("chenu_acting", default=None)
_RETRY: Final = {
    "maxAttempts": 3, "initialBackoff": "0.1s", "maxBackoff": "2s", "backoffMultiplier": 3,
    "retryableStatusCodes": ["UNAVAILABLE"],
}  # fmt: skip
_SERVICE_CONFIG: Final = json.dumps(
    {
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [{"name": [{}], "retryPolicy": _RETRY}],
    }
)
LIMITS: Final[list[tuple[str, Any]]] = [
    ("grpc.max_receive_message_length", 4 << 20),
    ("grpc.max_send_message_length", 4 << 20),
    ("grpc.max_metadata_size", 16 << 10),
    ("grpc.absolute_max_metadata_size", 32 << 10),
]
OPTIONS: Final = [
    *LIMITS,
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # gRPC itself would leave a service that was away alone for up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.min_reconnect_backoff_ms", 5_000),  # in truth: how long one attempt may take
    ("grpc.service_config", _SERVICE_CONFIG),
]


@contextmanager
def acting_as(token: str) -> Iterator[None]:
    """Calls inside carry this token instead of the current caller's."""
    reset = _acting.set(token)
    try:
        yield
    finally:
        _acting.reset(reset)


@contextmanager
def alone() -> Iterator[None]:
    """Calls inside carry the service's own token only."""
    with acting_as(""):
        yield


class ServiceToken:
    """The service's own token: an assertion signed by its key, traded at identity."""

    METHOD: Final = "/chenu.identity.v1.TokenService/IssueServiceToken"

    def __init__(self, service: str, key: SigningKey, identity: grpc.aio.Channel) -> None:
        # Field 1 of the request is the assertion, field 1 of the answer the token: a StringValue
        # reads and writes both, and the kernel needs no stub of a service.
        self._issue: Any = identity.unary_unary(
            self.METHOD, StringValue.SerializeToString, StringValue.FromString
        )
        self._service, self._key = service, key
        self._token, self._renewed = "", -inf
        self._lock = asyncio.Lock()

    async def __call__(self) -> str:
        """A token with a quarter of its life before it; less, while it is renewed or cannot be."""
        life = 0.95 if self._lock.locked() else 0.75  # one asks for the next, others do not wait
        if self._age() > life * _TOKEN_TTL_SECONDS:
            async with self._lock:
                if self._age() > 0.75 * _TOKEN_TTL_SECONDS:
                    await self._renew()
        return self._token

    def _age(self) -> float:
        return time.monotonic() - self._renewed

    async def _renew(self) -> None:
        claims = {"sub": self._service, "aud": "identity"}
        assertion = self._key.sign(claims, typ="assertion+jwt", ttl=60)
        try:
            answer = await self._issue(StringValue(value=assertion), timeout=10)
        except grpc.aio.AioRpcError:
            if self._age() > 0.95 * _TOKEN_TTL_SECONDS:
                raise
        else:
            self._token, self._renewed = answer.value, time.monotonic()


class Channels:
    """One channel to each service, made when it is first asked for."""

    def __init__(self, settings: SharedSettings, service: str, key: SigningKey | None) -> None:
        self._settings = settings
        self._open: dict[str, grpc.aio.Channel] = {}
        self.credentials: Callable[[], Awaitable[str]] | None = None
        if key is not None:
            self.credentials = ServiceToken(service, key, self.bare("identity"))

    def bare(self, service: str, address: str = "") -> grpc.aio.Channel:
        """A channel that adds nothing: no token, no deadline. An address, where it is not ours."""
        key = address or service
        if key not in self._open:
            address = address or self._settings.address(service)
            self._open[key] = open_channel(address, self._settings)
        return self._open[key]

    def channel(self, service: str) -> grpc.aio.Channel:
        """A channel that passes on what the module's text says."""
        return cast(grpc.aio.Channel, _Passing(self.bare(service), self.outgoing))

    async def close(self) -> None:
        """Close them all; calls in hand are cancelled."""
        for channel in self._open.values():
            await channel.close()

    async def outgoing(self, timeout: float | None) -> tuple[float, list[tuple[str, str]]]:
        """Timeout and metadata of the next call."""
        call = call_in_hand()
        if timeout is None:
            timeout = DEFAULT_DEADLINE_SECONDS
        remaining = call.remaining() if call else None
        if remaining is not None:
            timeout = min(timeout, remaining - MARGIN_SECONDS)
        if timeout <= 0:
            raise DeadlineExceeded
        metadata = list(trace_headers().items())
        if call is not None:
            metadata.append(("x-request-id", call.request_id))
        if token := _token(call):
            metadata.append(("authorization", f"Bearer {token}"))
        if self.credentials is not None:
            own = await self.credentials()
            metadata.append(("x-chenu-service-authorization", f"Bearer {own}"))
        return timeout, metadata


class _Passing:
    """A channel's four kinds of calls, which carry what a hop passes on."""

    # A channel around a channel, since the interceptors of grpc.aio cost a task per call.

    def __init__(self, inner: grpc.aio.Channel, outgoing: Outgoing) -> None:
        self.unary_unary = _passing(inner.unary_unary, _one_answer, outgoing)
        self.stream_unary = _passing(inner.stream_unary, _one_answer, outgoing)
        self.unary_stream = _passing(inner.unary_stream, _many_answers, outgoing)
        self.stream_stream = _passing(inner.stream_stream, _many_answers, outgoing)


def _passing(make: Callable[..., Any], send: Callable[..., Any], outgoing: Outgoing) -> Any:
    """What a stub calls to make one of its methods."""
    return lambda *args, **kwargs: partial(send, outgoing, make(*args, **kwargs))


async def _one_answer(
    outgoing: Outgoing, call: Any, request: Any, *, timeout: float | None = None, metadata: Any = ()
) -> Any:
    timeout, passed = await outgoing(timeout)
    return await call(request, timeout=timeout, metadata=(*passed, *(metadata or ())))


async def _many_answers(
    outgoing: Outgoing, call: Any, request: Any, *, timeout: float | None = None, metadata: Any = ()
) -> AsyncIterator[Any]:
    timeout, passed = await outgoing(timeout)
    answers = call(request, timeout=timeout, metadata=(*passed, *(metadata or ())))
    try:
        async for answer in answers:
            yield answer
    finally:
        answers.cancel()


def open_channel(address: str, settings: SharedSettings) -> grpc.aio.Channel:
    """A channel with our options; with mutual TLS where the settings name the files."""
    if not (files := settings.tls_files()):
        return grpc.aio.insecure_channel(address, options=OPTIONS)
    authority, key, certificate = files
    credentials = grpc.ssl_channel_credentials(authority, key, certificate)
    return grpc.aio.secure_channel(address, credentials, options=OPTIONS)


def _token(call: CallContext | None) -> str:
    acting = _acting.get()
    if acting is not None:
        return acting
    return call.caller.token if call is not None and call.caller.kind in _PASSED_ON else ""
