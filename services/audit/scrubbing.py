"""Reads the log over and over: an entry that is gone, or not what was hashed, is an alert.

New entries are looked at within seconds, the old ones in turn. This finds what
breaks by itself or by a clumsy hand; against a careful one stands the verifier,
which trusts nothing but the signed heads.
"""

from typing import Final

from kernel.database import Database, Transaction
from kernel.statement import Statement
from services.audit import alerts, log
from services.audit.progress import go_on, look_from
from services.audit.retention import minimum_index

# A step is in one transaction, and what it hashes others wait for: some 20 ms of it.
_OLD_AT_ONCE: Final = 1_000
_NEW_AT_ONCE: Final = 20_000
# The bounds are named for the entries too: for a join alone the planner may read all there are.
# What was pruned is asked for here, in one statement: it may have been just now.
_WRONG: Final = Statement("""
    SELECT wanted.index,
        coalesce(encode(sha256(decode('00', 'hex') || e.leaf), 'hex'), 'gone') AS now
    FROM generate_series(CAST(:start AS bigint), CAST(:end AS bigint) - 1) AS wanted (index)
    LEFT JOIN audit.entries e
        ON e.index = wanted.index AND e.index >= :start AND e.index < :end
    WHERE sha256(decode('00', 'hex') || e.leaf) <> e.leaf_hash OR (e.index IS NULL
        AND wanted.index >= (SELECT coalesce(max(minimum_index), 0) FROM audit.prunings))
    ORDER BY wanted.index LIMIT 10""")


class Scrubber:
    """Two passes: over what is new, and over all of it."""

    def __init__(self, worker: Database) -> None:
        self._worker = worker

    async def look(self) -> None:
        """One step of each pass."""
        async with self._worker.work() as tx:
            size = await log.size(tx)
            start = max(await look_from(tx, "new entries"), await minimum_index(tx))
            end = min(start + _NEW_AT_ONCE, size)
            await _check(tx, start, end)
            await go_on(tx, "new entries", end)
        async with self._worker.work() as tx:
            start = max(await look_from(tx, "all entries"), await minimum_index(tx))
            end = min(start + _OLD_AT_ONCE, size)
            await _check(tx, start, end)
            await go_on(tx, "all entries", end if end < size else 0)


async def _check(tx: Transaction, start: int, end: int) -> None:
    if start >= end:
        return
    for row in await tx.fetch(_WRONG, start=start, end=end):
        subject = f"entry/{row['index']}"
        await alerts.raise_alert(tx, alerts.ENTRY_CHANGED, "chenu/audit", subject, now=row["now"])
