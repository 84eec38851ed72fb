"""A watched run: the stream ends with its token, and when the service stops."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

from kernel.watching import Changes
from services.nova.runs import Runs


class Silent:
    """A journal of a run that waits."""

    async def events(self, *_: object) -> list[object]:
        return []


def runs(stopping: asyncio.Event) -> Runs:
    rest: Any = dict.fromkeys(("database", "engine", "authorizer", "pages"))
    journal: Any = Silent()
    settings: Any = SimpleNamespace(watch_seconds=300)
    return Runs(journal=journal, changes=Changes(), settings=settings, stopping=stopping, **rest)


async def test_a_stream_lives_no_longer_than_its_token() -> None:
    caller: Any = SimpleNamespace(claims={"exp": time.time()})
    async with asyncio.timeout(30):
        heard = [beat async for beat in runs(asyncio.Event()).watch(caller, "a run", 0)]
    assert not heard


async def test_a_stream_ends_when_the_service_stops() -> None:
    caller: Any = SimpleNamespace(claims={})
    stopping = asyncio.Event()
    async with asyncio.timeout(30):
        async for _ in runs(stopping).watch(caller, "a run", 0):
            stopping.set()
