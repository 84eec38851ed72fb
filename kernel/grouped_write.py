"""Concurrent writes in one commit, each under its own identity.

    writer = GroupedWriter(database, function="nova.write_step")
    result = await writer.write(caller, {"run": run_id, ...}, events=[record(...)])

A group is what has gathered while the one before committed: nobody waits for a
timer. One statement calls `nova.write_step_group` (made in a migration by
`helpers.grouped_write`), which sets each item's identity before it calls
`nova.write_step(jsonb)`. When a group fails its items are written one by one, so
that only the guilty one fails. A write that has begun is finished even when its
caller has gone; whether it happened is unknown when the connection was lost.

What only reads goes the same way where it is read often: under the same guard of
row-level security, it costs one round trip, and that is shared.
"""

import asyncio
import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import asyncpg

from kernel.audit_event import AuditRecord
from kernel.caller import Caller
from kernel.database import Database
from kernel.errors import AuditBacklog

MAX_GROUP: Final = 64
_FUNCTION: Final = re.compile(r"[a-z_]+\.[a-z_]+")
# After any other error nothing was written, and it may be one item's fault; after these, who knows.
_CONNECTION_LOST: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InterfaceError,
    OSError,
)


class TouchedNoRow(Exception):
    """The function returned null: what should be changed is not there, or not the caller's."""


class _Item(NamedTuple):
    caller: Caller
    payload: dict[str, Any]
    events: Sequence[AuditRecord]
    done: "asyncio.Future[dict[str, Any]]"


class GroupedWriter:
    """Writes through one function, one group at a time.

    `at_once` groups where what is slow in one, and writes nothing, should not hold up the others.
    """

    def __init__(self, database: Database, function: str, at_once: int = 1) -> None:
        if not _FUNCTION.fullmatch(function):
            raise ValueError("function is <schema>.<name>")
        self._database, self._sql = database, f"SELECT {function}_group($1,$2,$3,$4,$5,$6,$7,$8)"
        self._waiting: list[_Item] = []
        self._at_once = at_once
        self._writing: set[asyncio.Task[None]] = set()

    async def write(
        self, caller: Caller, payload: dict[str, Any], events: Sequence[AuditRecord] = ()
    ) -> dict[str, Any]:
        """What the function returned for this item, once it is committed."""
        if events and self._database.outbox.backlogged:
            raise AuditBacklog
        item = _Item(caller, payload, events, asyncio.get_running_loop().create_future())
        self._waiting.append(item)
        if sum(not task.done() for task in self._writing) < self._at_once:
            task = asyncio.create_task(self._write_groups())
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)
        return await item.done

    async def _write_groups(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[:MAX_GROUP], self._waiting[MAX_GROUP:]
            await self._write_group(group)

    async def _write_group(self, group: Sequence[_Item]) -> None:
        try:
            results = await self._database.call(self._sql, *_columns(group))
        except Exception as error:  # noqa: BLE001 - each waiter is told
            if len(group) > 1 and not isinstance(error, _CONNECTION_LOST):
                for item in group:
                    await self._write_group([item])
                return
            for item in group:
                if not item.done.done():
                    item.done.set_exception(_told(error))
            return
        if any(item.events for item in group):
            self._database.outbox.written.set()
        for item, result in zip(group, results, strict=True):
            if not item.done.done():
                item.done.set_result(result)


def _columns(group: Sequence[_Item]) -> list[list[Any]]:
    events = [event for item in group for event in item.events]
    return [
        [item.caller.tenant for item in group],
        [item.caller.person for item in group],
        [item.caller.identity for item in group],
        [item.payload for item in group],
        [event.id for event in events],
        [event.stream for event in events],
        [event.version for event in events],
        [event.bytes for event in events],
    ]


def _told(error: Exception) -> Exception:
    if isinstance(error, asyncpg.NoDataFoundError):
        return TouchedNoRow(str(error))
    return error
