"""What only serves for a while, and goes when nothing can ask for it any more.

Counted amounts serve the windows of counters, verdicts of the shadow whoever tries rules out,
notices courier, which takes them within seconds. None of it is history: decisions, votes and
events keep that. The database lets nothing go that a window could still reach (migration 0016).
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

import structlog

from kernel.caller import Caller
from kernel.database import Database
from kernel.statement import Statement
from services.governance import audit_events
from services.governance.clock import Clock

STEP: Final = 1_000
_HOUR: Final = 3_600.0
# In the order of their keys, which is that of time: so no index is needed to find the oldest.
_PRUNE: Final = """
    WITH oldest AS (SELECT {key}, create_time FROM {table} ORDER BY {key} LIMIT :step),
    gone AS (DELETE FROM {table} USING oldest WHERE {table}.{key} = oldest.{key}
        AND oldest.create_time < clock_timestamp() + CAST(:offset AS interval)
            - CAST(:life AS interval) RETURNING tenant)
    SELECT tenant, count(*) AS rows FROM gone GROUP BY tenant"""
_TABLES: Final = {
    table: Statement(_PRUNE.format(table=table, key=key))
    for table, key in (
        ("counted", "counted_id"),
        ("shadow_verdicts", "decision_id"),
        ("notices", "notice_id"),
    )
}
_log: Final = structlog.get_logger(component="retention")


class Retention:
    """Lets go of what is older than `life`, in steps that hold nobody up."""

    def __init__(
        self, worker: Database, clock: Clock, life: timedelta, *, step: int = STEP
    ) -> None:
        self._worker, self._clock, self._life, self._step = worker, clock, life, step

    async def run(self) -> None:
        """A background task of the service: all that is over, every hour."""
        while True:
            gone = 0
            try:
                gone = await self.prune()
            except Exception as error:  # noqa: BLE001 - the next hour will do
                _log.warning("not pruned", error=repr(error))
            await asyncio.sleep(0 if gone else _HOUR)

    async def prune(self) -> int:
        """One step through each table; how many rows went."""
        gone = 0
        for table, statement in _TABLES.items():
            async with self._worker.work() as tx:
                rows = await tx.fetch(
                    statement, step=self._step, offset=self._clock.offset, life=self._life
                )
                for row in rows:
                    caller = Caller.system(service="governance", tenant=row["tenant"])
                    tx.emit(audit_events.pruned(caller, table, row["rows"], self._life.days))
            gone += sum(row["rows"] for row in rows)
        return gone
