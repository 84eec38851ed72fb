"""A service that is not there now may be there soon; a run waits for it, but not for ever."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Final, TypeVar

import asyncpg
import grpc
from google.rpc.error_details_pb2 import RetryInfo

from kernel.errors import detail

T = TypeVar("T")
PASSING: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)
DATABASE_AWAY: Final = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
)


class Patience:
    """How long to keep asking; back-off doubles from 50 ms to 2 s, with jitter."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def waits(self) -> Iterator[float]:
        """Pauses between tries, until patience is over; the first try costs none of it."""
        until, wait = time.monotonic() + self._seconds, 0.05
        yield wait
        while time.monotonic() < until:
            wait = min(wait * 2, 2.0)
            yield wait * random.uniform(0.5, 1.0)  # noqa: S311  jitter, not a secret

    def _too_long(self, error: grpc.aio.AioRpcError) -> bool:
        """Whether it says itself that it will not be there in time."""
        retry = detail(error, RetryInfo)
        return retry is not None and retry.retry_delay.ToTimedelta().total_seconds() > self._seconds

    async def call(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Try until it answers; then raises the last failure. For calls that are safe to repeat."""
        failure: Exception = TimeoutError()
        for wait in self.waits():
            try:
                return await attempt()
            except grpc.aio.AioRpcError as error:
                if error.code() not in PASSING or self._too_long(error):
                    raise
                failure = error
            except DATABASE_AWAY as error:
                failure = error
            await asyncio.sleep(wait)
        raise failure
