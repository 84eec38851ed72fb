"""A thread as it happens: its events from a sequence number on, with heartbeats in between."""

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Final

from kernel.caller import Caller
from kernel.database import Database, Record
from kernel.watching import Changes
from services.threads.settings import ThreadsSettings
from services.threads.thread_events import list_events
from services.threads.threads import get

_BATCH: Final = 100
_POLL_SECONDS: Final = 0.5


class Watcher:
    """Follows threads; what is committed is the truth, `changes` only saves waiting."""

    def __init__(
        self,
        database: Database,
        changes: Changes,
        settings: ThreadsSettings,
        stopping: asyncio.Event,
    ) -> None:
        self._database, self._changes, self._settings = database, changes, settings
        self._stopping = stopping

    async def follow(
        self, caller: Caller, thread_id: str, after: int
    ) -> AsyncGenerator[tuple[Record | None, int]]:
        """Events with where to resume, None for a heartbeat; ends by itself.

        Looks at every turn whether the caller may still see the thread, and raises Forbidden
        where that has ended. Lives no longer than the token.
        """
        end = time.monotonic() + self._life(caller)
        spoke = float("-inf")
        while True:
            events = await self._read(caller, thread_id, after)
            for event in events:
                after = event["sequence_number"]
                yield event, after
            now = time.monotonic()
            if events:
                spoke = now
            elif now - spoke >= self._settings.heartbeat_seconds:
                spoke = now
                yield None, after
            if now >= end or self._stopping.is_set():
                return
            if len(events) < _BATCH:
                await self._changes.wait(thread_id, min(_POLL_SECONDS, end - now))

    async def _read(self, caller: Caller, thread_id: str, after: int) -> list[Record]:
        async with self._database.transaction(caller) as tx:
            thread = await get(tx, thread_id)
            if thread["event_count"] <= after:
                return []
            return await list_events(tx, thread_id, after=after, limit=_BATCH)

    def _life(self, caller: Caller) -> float:
        expires = float(caller.claims.get("exp", float("inf")))
        return min(self._settings.watch_seconds, expires - time.time())
