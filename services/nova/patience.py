"""A service that is not there now may be there soon; a run waits for it, but not for ever."""

import random
import time
from asyncio import sleep
from collections.abc import Awaitable, Callable, Iterator
from typing import Final, TypeVar

import asyncpg
import grpc
from google.rpc.error_details_pb2 import RetryInfo

from kernel.errors import detail

T = TypeVar("T")
_LONGEST: Final = 2.0
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
    """How long to keep asking; back-off doubles from 50 ms to 2 s, with jitter.

    Who asks for a longer pause than that gets it, or is not waited for.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def waits(self) -> Iterator[float]:
        """Pauses between tries, until patience is over; the first try costs none of it."""
        until, wait = time.monotonic() + self._seconds, 0.05
        yield wait
        while time.monotonic() < until:
            wait = min(wait * 2, _LONGEST)
            yield wait * random.uniform(0.5, 1.0)  # noqa: S311  jitter, not a secret

    async def call(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Try until it answers; then raises the last failure. For calls that are safe to repeat."""
        failure: Exception = TimeoutError()
        for wait in self.waits():
            asked = 0.0
            try:
                return await attempt()
            except grpc.aio.AioRpcError as error:
                asked = _asked_to_wait(error)
                if error.code() not in PASSING or asked > self._seconds:
                    raise
                failure = error
            except DATABASE_AWAY as error:
                failure = error
            longer = asked * random.uniform(1.0, 1.2)  # noqa: S311  jitter, not a secret
            await sleep(longer if asked > _LONGEST else wait)
        raise failure


def _asked_to_wait(error: grpc.aio.AioRpcError) -> float:
    """For how many seconds it says that it will not be there."""
    retry = detail(error, RetryInfo)
    return 0.0 if retry is None else retry.retry_delay.ToTimedelta().total_seconds()
