"""How many event streams each person has open here, and no more than that."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final, TypeVar

import jwt

from kernel.errors import ResourceExhausted

_AGAIN: Final = timedelta(seconds=5)
M = TypeVar("M")


class TooManyStreams(ResourceExhausted):
    """The person has as many open as anybody may have."""

    reason = "TOO_MANY_STREAMS"


class OpenStreams:
    """Counts them by the person that a token stands for."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: Counter[str] = Counter()

    async def counted(self, token: str, messages: AsyncIterator[M]) -> AsyncIterator[M]:
        """The same messages; TooManyStreams in place of the first of one stream too many.

        By then the service has believed the token: nobody can use up another's with one they made.
        """
        first = await anext(messages, None)
        if first is None:
            return
        person = str(jwt.decode(token, options={"verify_signature": False})["sub"])
        if self._open[person] >= self._most:
            raise TooManyStreams(
                f"at most {self._most} event streams at once: close one", retry_after=_AGAIN
            )
        self._open[person] += 1
        try:
            yield first
            async for message in messages:
                yield message
        finally:
            self._open[person] -= 1
            if not self._open[person]:
                del self._open[person]
