"""The limits that the fleet cannot beat on this machine: one commit, one acknowledged publish."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

import asyncpg
import nats
from nats.js.api import StorageType, StreamConfig
from nats.js.errors import NotFoundError

from tests.performance.generator import Cell

_ROW: Final = "x" * 100
_MESSAGE: Final = b"x" * 512
_STREAM: Final = "BENCH"


async def commits(url: str, callers: int, seconds: float) -> Cell:
    """Commits of one row each, on as many connections as there are callers."""
    connections = [await asyncpg.connect(url) for _ in range(callers)]
    try:
        await connections[0].execute(
            "CREATE TABLE IF NOT EXISTS public.bench"
            " (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, words text NOT NULL)"
        )
        insert = "INSERT INTO public.bench (words) VALUES ($1)"
        pieces = [partial(connection.execute, insert, _ROW) for connection in connections]
        cell = await _closed("commit of one row", pieces, seconds)
        await connections[0].execute("DROP TABLE public.bench")
    finally:
        for connection in connections:
            await connection.close()
    return cell


async def publishes(url: str, callers: int, seconds: float) -> Cell:
    """Publishes into a stream of files, each waiting for its acknowledgement."""
    client = await nats.connect(url)
    stream = client.jetstream()
    try:
        await stream.add_stream(
            StreamConfig(name=_STREAM, subjects=["bench"], storage=StorageType.FILE)
        )
        pieces = [partial(stream.publish, "bench", _MESSAGE)] * callers
        return await _closed("acknowledged publish", pieces, seconds)
    finally:
        with suppress(NotFoundError):
            await stream.delete_stream(_STREAM)
        await client.close()


async def _closed(
    name: str, pieces: Sequence[Callable[[], Awaitable[object]]], seconds: float
) -> Cell:
    latencies: list[float] = []
    begin = time.perf_counter() + seconds / 5
    end = begin + seconds

    async def one_after_another(piece: Callable[[], Awaitable[object]]) -> None:
        while (started := time.perf_counter()) < end:
            await piece()
            done = time.perf_counter()
            if begin <= done < end:
                latencies.append((done - started) * 1000)

    await asyncio.gather(*map(one_after_another, pieces))
    return Cell(name, len(pieces), 0.0, sorted(latencies), seconds, len(latencies))
