"""A stream of entries as they enter the log."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Final

import sqlalchemy as sa

from chenu.audit.v1.entry_pb2 import Entry
from chenu.audit.v1.entry_service_pb2 import ListEntriesRequest, WatchEntriesRequest
from kernel.caller import Caller
from kernel.database import Database
from kernel.pagination import PageTokens
from kernel.statement import Statement
from kernel.watching import POLL_SECONDS
from services.audit import audit_events, log
from services.audit.entries import entry_of, widen
from services.audit.matching import matching, parameters
from services.audit.tables import entries

_AT_ONCE: Final = 200
# Page tokens are bound to their request; cursors go from one watch to the next.
_BOUND_TO: Final = WatchEntriesRequest()


class Watch:
    """Follows the log for a bounded time; it only grows, so the cursor is a place in it."""

    def __init__(
        self,
        database: Database,
        worker: Database,
        pages: PageTokens,
        stopping: asyncio.Event,
        *,
        seconds: float,
        heartbeat: float,
    ) -> None:
        self._database, self._worker, self._pages = database, worker, pages
        self._stopping, self._seconds, self._heartbeat = stopping, seconds, heartbeat

    async def follow(
        self, caller: Caller, request: WatchEntriesRequest
    ) -> AsyncIterator[tuple[Entry | None, str]]:
        """Each entry with the cursor to go on from; None in place of an entry is a heartbeat."""
        decoded = self._pages.decode(request.cursor, _BOUND_TO)
        statement = _following(request.filter)
        async with self._database.transaction(caller) as tx:
            tx.emit(audit_events.entries_read(f"identity/{caller.identity}", 0))
        at = int(decoded["index"]) if decoded else await self._size()
        end = time.monotonic() + min(self._seconds, caller.claims["exp"] - time.time())
        heard = 0.0
        while not self._stopping.is_set() and time.monotonic() < end:
            size = await self._size()
            async with self._database.transaction(caller) as tx:
                wanted = parameters(ListEntriesRequest(), await widen(tx, caller), caller)
                rows = await tx.fetch(statement, at=at, size=size, **wanted)
            for row in rows:
                at = row["index"] + 1
                yield entry_of(row, caller), self._cursor(at)
            if len(rows) < _AT_ONCE:
                at = max(at, size)
            if not rows and time.monotonic() - heard >= self._heartbeat:
                yield None, self._cursor(at)
            if rows or time.monotonic() - heard >= self._heartbeat:
                heard = time.monotonic()
            if len(rows) < _AT_ONCE:
                await asyncio.sleep(POLL_SECONDS)

    async def _size(self) -> int:
        async with self._worker.work() as tx:
            return await log.size(tx)

    def _cursor(self, index: int) -> str:
        return self._pages.encode({"index": index}, _BOUND_TO)


def _following(filter_text: str) -> Statement:
    return Statement(
        sa.select(entries)
        .where(
            *matching(filter_text),
            entries.c.index >= sa.bindparam("at", type_=sa.BigInteger),
            entries.c.index < sa.bindparam("size", type_=sa.BigInteger),
        )
        .order_by(entries.c.index)
        .limit(_AT_ONCE)
    )
