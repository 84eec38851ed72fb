"""Ends that nobody voted for: withdrawn, superseded, run out of time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final

import structlog

from kernel.caller import Caller
from kernel.database import Database, Record
from kernel.errors import Forbidden
from kernel.statement import Statement
from services.governance.clock import Clock
from services.governance.review.lifecycle import State
from services.governance.review.reminders import Reminders
from services.governance.review.transitions import Transitions

_OVERDUE: Final = Statement(
    "(SELECT checkpoint_id, tenant, identity, true AS ends FROM checkpoints"
    " WHERE state = 'pending' AND expire_time <= clock_timestamp() + CAST(:offset AS interval)"
    " ORDER BY expire_time LIMIT 200)"
    " UNION ALL (SELECT checkpoint_id, tenant, identity, true FROM checkpoints"
    " WHERE state = 'approved' AND NOT executed"
    " AND valid_until <= clock_timestamp() + CAST(:offset AS interval)"
    " ORDER BY valid_until LIMIT 200)"
    " UNION ALL (SELECT checkpoint_id, tenant, identity, false FROM checkpoints"
    " WHERE state = 'pending' AND escalate_time <= clock_timestamp() + CAST(:offset AS interval)"
    " ORDER BY escalate_time LIMIT 200)"
    " UNION ALL (SELECT checkpoint_id, tenant, identity, false FROM checkpoints"
    " WHERE state = 'pending' AND remind_time <= clock_timestamp() + CAST(:offset AS interval)"
    " ORDER BY remind_time LIMIT 200)"
)
_log: Final = structlog.get_logger(component="sweeper")


class Endings:
    """Withdraws and supersedes what waits."""

    def __init__(self, database: Database, transitions: Transitions) -> None:
        self._database, self._transitions = database, transitions

    async def cancel(self, caller: Caller, checkpoint_id: str, reason: str) -> None:
        """Withdraw a pending checkpoint; once withdrawn, asking again is harmless."""
        async with self._database.transaction(caller) as tx:
            locked = await self._transitions.lock(tx, checkpoint_id)
            if locked is None:
                raise Forbidden(subject=f"checkpoint/{checkpoint_id}")
            if locked.standing.state is State.CANCELLED:
                return
            after = locked.standing.end(State.CANCELLED, locked.now)
            await self._transitions.move(tx, locked, after, reason)
        await self._transitions.announce([locked.row])

    async def supersede(self, caller: Caller, run: str, reason: str) -> list[str]:
        """End every checkpoint of a run that still waits; the ids of those that it ended."""
        moved: list[Record] = []
        async with self._database.transaction(caller) as tx:
            for locked in await self._transitions.lock_run(tx, run):
                if locked.standing.by_clock(locked.now) is State.PENDING:
                    after = replace(locked.standing.released(), state=State.SUPERSEDED)
                    await self._transitions.move(tx, locked, after, reason)
                    moved.append(locked.row)
        await self._transitions.announce(moved)
        return [row["checkpoint_id"] for row in moved]


class Sweeper:
    """Does what the clock says, each row as its own identity's: ends, escalates, reminds."""

    def __init__(
        self,
        worker: Database,
        transitions: Transitions,
        reminders: Reminders,
        clock: Clock,
        interval: float,
    ) -> None:
        self._worker, self._transitions, self._reminders = worker, transitions, reminders
        self._clock, self._interval = clock, interval

    async def run(self) -> None:
        """A background task of the service."""
        while True:
            await self.sweep()
            await asyncio.sleep(self._interval)

    async def sweep(self) -> int:
        """Do all that is due; how much there was."""
        async with self._worker.work() as tx:
            overdue = await tx.fetch(_OVERDUE, offset=self._clock.offset)
        for row in overdue:
            owner = Caller.system(
                service="governance", tenant=row["tenant"], identity=row["identity"]
            )
            try:
                if row["ends"]:
                    await self._transitions.lapse(owner, row["checkpoint_id"])
                else:
                    await self._reminders.strike(owner, row["checkpoint_id"])
            except Exception as error:  # noqa: BLE001 - the others must not wait for this one
                _log.warning(
                    "clock not followed", checkpoint=row["checkpoint_id"], error=repr(error)
                )
        return len(overdue)
