"""What became of the checkpoints that runs wait for, kept until Nova has taken note."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from chenu.governance.v1.resolution_service_pb2 import Resolution
from kernel.database import Database
from kernel.statement import Statement
from services.governance import messages

_LIST: Final = Statement(
    "SELECT resolution_id, checkpoint_id, run, state, create_time FROM resolutions"
    " ORDER BY resolution_id LIMIT :size"
)
_ACKNOWLEDGE: Final = Statement(
    "DELETE FROM resolutions WHERE resolution_id = ANY(CAST(:resolution_ids AS uuid[]))"
)


class Resolutions:
    """A queue of rows that a lost wake-up does not lose; it holds no content."""

    def __init__(self, worker: Database) -> None:
        self._worker = worker

    async def waiting(self, size: int) -> list[Resolution]:
        """Those not yet acknowledged, oldest first."""
        async with self._worker.work() as tx:
            rows = await tx.fetch(_LIST, size=size)
        return [
            Resolution(
                resolution_id=row["resolution_id"],
                checkpoint_id=row["checkpoint_id"],
                run_id=row["run"],
                state=messages.STATES[row["state"]],
                create_time=messages.stamp(row["create_time"]),
            )
            for row in rows
        ]

    async def acknowledge(self, resolution_ids: Sequence[str]) -> None:
        """Forget these; the checkpoints themselves remember."""
        async with self._worker.work() as tx:
            await tx.execute(_ACKNOWLEDGE, resolution_ids=list(resolution_ids))
