"""Deliveries whose end was never recorded: nobody knows it, and that is said."""

import asyncio
from collections.abc import Callable

from chenu_gate.executor import Executions
from kernel.database import Database
from services.courier import deliveries


class Sweeper:
    """Turns overdue RUNNING deliveries into UNKNOWN; several may run."""

    def __init__(
        self, worker: Database, executions: Executions, every: float, done: Callable[[], None]
    ) -> None:
        self._worker, self._executions = worker, executions
        self._every, self._done = every, done

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            if await self.sweep():
                self._done()
            await asyncio.sleep(self._every)

    async def sweep(self) -> int:
        """Give up what is overdue now; how many there were."""
        async with self._worker.work() as tx:
            overdue = await self._executions.overdue(tx)
            for execution in overdue:
                await deliveries.give_up(tx, execution)
        return len(overdue)
