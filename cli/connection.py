"""Calls to a stack: addresses from its folder, tokens from its session, failures in words.

    threads = here.connection.stub(ThreadServiceStub)          # as the person who is logged in
    auth = here.connection.stub(AuthServiceStub, token="")     # without any token
    votes = here.connection.stub(CheckpointServiceStub, token=vote_token)

Nova is called with a delegation, which the connection exchanges the access token for.
"""

import json
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Final, Protocol, TypeVar

import grpc

from cli.credentials import Credentials
from cli.problems import problem_of
from cli.session_file import SessionFile
from cli.state import State

DEADLINE_SECONDS: Final = 30.0
_SERVICE_CONFIG: Final = json.dumps(
    {
        "methodConfig": [
            {
                "name": [{}],
                "retryPolicy": {
                    "maxAttempts": 3,
                    "initialBackoff": "0.2s",
                    "maxBackoff": "2s",
                    "backoffMultiplier": 3,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ]
    }
)
_OPTIONS: Final[list[tuple[str, Any]]] = [
    ("grpc.service_config", _SERVICE_CONFIG),
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", 16 << 20),
    ("grpc.max_metadata_size", 16 << 10),
    ("grpc.absolute_max_metadata_size", 32 << 10),
]
S_co = TypeVar("S_co", covariant=True)
Token = Callable[[], Coroutine[Any, Any, str]]


class StubClass(Protocol[S_co]):
    """A generated stub's class."""

    __module__: str

    def __call__(self, channel: grpc.aio.Channel) -> S_co:
        """A stub on a channel."""


class Connection:
    """Channels to the services of one stack, closed with `close`."""

    def __init__(self, state: State, session: SessionFile | None = None) -> None:
        self.state = state
        self.credentials = Credentials(
            session or SessionFile(state.session), lambda: self._telling("identity", None)
        )
        self._open: dict[str, grpc.aio.Channel] = {}

    def stub(self, stub_class: StubClass[S_co], *, token: str | None = None, at: str = "") -> S_co:
        """A stub whose calls carry the session's token for it, or `token` where one is given.

        `at` names the service where it is not the contract's own: executors share one contract.
        """
        service = at or stub_class.__module__.split(".")[1]
        if token is not None:
            return stub_class(self._telling(service, _constant(token) if token else None))
        own = self.credentials
        return stub_class(
            self._telling(service, own.delegation_token if service == "nova" else own.access_token)
        )

    def bare(self, service: str) -> grpc.aio.Channel:
        """A channel that adds nothing and explains nothing."""
        if service not in self._open:
            address = self.state.address(service)
            self._open[service] = grpc.aio.insecure_channel(address, options=_OPTIONS)
        return self._open[service]

    async def close(self) -> None:
        """Close every channel."""
        for channel in self._open.values():
            await channel.close()

    def _telling(self, service: str, token: Token | None) -> grpc.aio.Channel:
        channel: Any = _TellingChannel(self.bare(service), self.state.address(service), token)
        return channel  # type: ignore[no-any-return]


class _TellingChannel:
    """What a stub needs of a channel: calls with a token and a deadline, that fail in words."""

    def __init__(self, inner: grpc.aio.Channel, address: str, token: Token | None) -> None:
        self._inner, self._address, self._token = inner, address, token

    def unary_unary(self, *args: Any, **kwargs: Any) -> Any:
        """A callable that awaits one answer."""
        call: Any = self._inner.unary_unary(*args, **kwargs)

        async def send(
            request: Any, *, timeout: float | None = DEADLINE_SECONDS, metadata: Any = ()
        ) -> Any:
            try:
                return await call(
                    request, timeout=timeout, metadata=(*await self._metadata(), *metadata)
                )
            except grpc.aio.AioRpcError as error:
                raise problem_of(error, self._address) from error

        return send

    def unary_stream(self, *args: Any, **kwargs: Any) -> Any:
        """A callable that yields answers; without a deadline unless one is given."""
        call: Any = self._inner.unary_stream(*args, **kwargs)

        async def send(
            request: Any, *, timeout: float | None = None, metadata: Any = ()
        ) -> AsyncIterator[Any]:
            sent = (*await self._metadata(), *metadata)
            answers = call(request, timeout=timeout, metadata=sent)
            try:
                async for answer in answers:
                    yield answer
            except grpc.aio.AioRpcError as error:
                raise problem_of(error, self._address) from error
            finally:
                answers.cancel()

        return send

    async def _metadata(self) -> tuple[tuple[str, str], ...]:
        if self._token is None:
            return ()
        return (("authorization", f"Bearer {await self._token()}"),)


def _constant(token: str) -> Token:
    async def give() -> str:
        return token

    return give
