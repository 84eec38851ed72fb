"""Runs belong to workers: this one's tasks, its lease, and what it takes over from others."""

import asyncio
from typing import Final

import structlog

from chenu.governance.v1.authorization_service_pb2 import Verdict
from chenu.nova.v1.run_pb2 import Run, RunState
from kernel.caller import Caller
from kernel.context import background
from kernel.watching import Changes
from services.nova import audit_events
from services.nova.errors import LeaseLost
from services.nova.journal import Journal
from services.nova.leases import Leases
from services.nova.pipeline import Pipeline
from services.nova.record import ENDED, RunRecord

_POLL_SECONDS: Final = 0.5
_WAKE_SECONDS: Final = 0.05
_log = structlog.get_logger(component="engine")


class Engine:
    """Takes runs through the pipeline, each in a task of its own, whoever waits for it."""

    def __init__(
        self, pipeline: Pipeline, journal: Journal, leases: Leases, changes: Changes
    ) -> None:
        self._pipeline, self._journal = pipeline, journal
        self._leases, self._changes = leases, changes
        self._tasks: dict[str, asyncio.Task[Run | None]] = {}
        # Runs that are this worker's by their row, and that nobody works on: as long as the worker
        # lives no other would adopt them, so the next sweep gives them back.
        self._left: set[str] = set()

    def start(self, record: RunRecord) -> None:
        """Go on with a run that this worker owns."""
        self._begin(record.run.run_id, asyncio.create_task(self._advance(record)))

    async def woken(self, run_id: str) -> None:
        """Give a wake-up that is on its way a moment to arrive."""
        if run_id not in self._tasks:
            await self._changes.wait(run_id, _WAKE_SECONDS)

    async def settled(self, caller: Caller, run_id: str) -> Run:
        """Wait until the run has ended or waits for a person; it may be another worker's."""
        task = self._tasks.get(run_id)
        if task is not None:
            # The run goes on when the one who waits is gone.
            run = await asyncio.shield(task)
            if run is not None:
                return run
        while True:
            run = await self._journal.get(caller, run_id)
            if run.state in ENDED or run.state == RunState.RUN_STATE_BLOCKED:
                return run
            await self._changes.wait(run_id, _POLL_SECONDS)

    def resume(self, run_id: str, verdict: Verdict | None = None) -> asyncio.Future[bool]:
        """Take up a run that waited for a person; False where it could not be claimed.

        `verdict` is what governance would answer now about the action that was decided.
        """
        claimed: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if run_id in self._tasks:
            claimed.set_result(False)  # by another of the ways to hear of a decision
        else:
            self._begin(run_id, asyncio.create_task(self._claim(run_id, verdict, claimed)))
            self._changes.notify(run_id)
        return claimed

    async def adopt(self) -> None:
        """Take over the runs of workers that have lost their lease, and those that timed out."""
        for run_id in list(self._left):
            await self._leases.abandon(run_id)
            self._left.discard(run_id)
        for caller, run_id in await self._leases.claim_orphans():
            if run_id not in self._tasks:
                self._begin(run_id, asyncio.create_task(self._take_up(caller, run_id)))

    def _begin(self, run_id: str, task: asyncio.Task[Run | None]) -> None:
        self._tasks[run_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(run_id, None))

    async def _claim(
        self, run_id: str, verdict: Verdict | None, claimed: asyncio.Future[bool]
    ) -> Run | None:
        """The run as it came to rest, None where it was not this worker's to take up."""
        try:
            caller = await self._leases.claim_blocked(run_id)
        except Exception:  # noqa: BLE001 - its resolution stays listed, for the next sweep
            _log.exception("the run was not claimed", run=run_id)
            caller = None
        if not claimed.done():
            claimed.set_result(caller is not None)
        return await self._take_up(caller, run_id, verdict) if caller is not None else None

    async def _take_up(
        self, caller: Caller, run_id: str, verdict: Verdict | None = None
    ) -> Run | None:
        with background("nova.run", caller=caller):
            try:
                record = await self._journal.load(caller, run_id)
            except Exception:  # noqa: BLE001 - it is claimed again, and read then
                _log.exception("the run was not taken up", run=run_id)
                self._left.add(run_id)
                return None
            record.verdict = verdict
            record.run.state = RunState.RUN_STATE_RUNNING
            record.audit.append(audit_events.resumed(record))
            record.event("pipeline.resumed", "goes on")
            return await self._advance(record)

    async def _advance(self, record: RunRecord) -> Run | None:
        """The run as it came to rest, None where it is no longer this worker's."""
        with background("nova.run", caller=record.caller):
            try:
                await self._pipeline.advance(record)
            except LeaseLost:
                # Another worker has it by now; or none, where this one was only late to renew.
                _log.warning("the lease was lost", run=record.run.run_id)
                self._left.add(record.run.run_id)
                return None
            except Exception:  # noqa: BLE001 - whatever it is, the run must not be lost
                # Nothing is lost: the run stands as it was last written, and is adopted again.
                _log.exception("the run was left", run=record.run.run_id)
                self._left.add(record.run.run_id)
                return None
        return record.run
