"""What can be done with runs: accept, wait for, list, cancel, watch."""

import asyncio
import base64
import hashlib
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from chenu.nova.v1.intent_pb2 import Intent
from chenu.nova.v1.run_pb2 import Lane, Run, RunMode, RunState
from chenu.nova.v1.run_service_pb2 import ListRunsRequest, RunEvent
from kernel.caller import Caller
from kernel.context import new_id
from kernel.database import Database
from kernel.errors import Forbidden, InvalidArgument, ServiceError
from kernel.pagination import PageTokens, page_size
from kernel.statement import Statement
from kernel.watching import Changes
from services.nova.engine import Engine
from services.nova.errors import (
    AskedTooOften,
    CheckpointExpired,
    CheckpointRejected,
    GovernanceDenied,
    RunCancelled,
    RunEnded,
    RunFailed,
    blocked,
)
from services.nova.forecast import forecast
from services.nova.journal import Journal, as_it_stands
from services.nova.lanes.authorization import Authorizer
from services.nova.record import ENDED, RunRecord
from services.nova.settings import NovaSettings
from services.nova.tables import run_contents, runs

_HEARTBEAT_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.5
# gRPC takes no answer of more than 4 MiB.
_MOST_BYTES: Final = 3 << 20


def _matching() -> list[Any]:
    state = sa.bindparam("state", type_=sa.SmallInteger)
    thread = sa.bindparam("thread_id", type_=sa.Uuid(as_uuid=False))
    return [
        sa.or_(state == 0, runs.c.state == state),
        sa.or_(thread.is_(None), runs.c.thread_id == thread),
    ]


_before = sa.bindparam("before", type_=sa.Uuid(as_uuid=False))
_LIST: Final = Statement(
    sa.select(run_contents.c.run, runs.c.state)
    .join(runs, runs.c.run_id == run_contents.c.run_id)
    .where(*_matching(), sa.or_(_before.is_(None), runs.c.run_id < _before))
    .order_by(runs.c.run_id.desc())
    .limit(sa.bindparam("size", type_=sa.Integer))
)
_COUNT: Final = Statement(sa.select(sa.func.count()).select_from(runs).where(*_matching()))


class Runs:
    """The use cases of the run service."""

    def __init__(
        self,
        *,
        database: Database,
        journal: Journal,
        engine: Engine,
        authorizer: Authorizer,
        changes: Changes,
        pages: PageTokens,
        settings: NovaSettings,
        stopping: asyncio.Event,
    ) -> None:
        self._database, self._journal, self._engine = database, journal, engine
        self._stopping = stopping
        self._authorizer = authorizer
        self._changes, self._pages, self._settings = changes, pages, settings

    async def start(self, caller: Caller, wanted: Any) -> str:
        """Accept a request and start its run; `wanted` has the fields of StartRunRequest."""
        if "\0" in wanted.text:
            raise InvalidArgument("a text holds a NUL character", fields="text")
        run = Run(
            run_id=new_id(),
            state=RunState.RUN_STATE_RUNNING,
            text=wanted.text,
            mode=wanted.mode or RunMode.RUN_MODE_EXECUTION,
            sphere=wanted.sphere,
            thread_id=wanted.thread_id,
            round=1,
        )
        run.create_time.FromNanoseconds(time.time_ns())
        run.update_time.CopyFrom(run.create_time)
        run.deadline.FromDatetime(
            run.create_time.ToDatetime() + timedelta(seconds=self._settings.run_seconds)
        )
        record = RunRecord(run, caller, delegation=caller.token)
        record.event("pipeline.start", "accepted")
        record.begin(Lane.LANE_INTENT)
        run.intent.CopyFrom(forecast(run.text))
        record.finish(Lane.LANE_INTENT, run.intent.kind)
        run_id = await self._journal.accept(record, wanted.request_id, _digest(wanted))
        if run_id == run.run_id:
            self._engine.start(record)
        return run_id

    async def settled(self, caller: Caller, run_id: str) -> Run:
        """Wait for a run; the run that succeeded, or the error that says how else it stands."""
        return _succeeded(await self._engine.settled(caller, run_id))

    async def go_on(self, caller: Caller, run_id: str) -> Run:
        """As `settled`, without waiting for the wake-up where something has been decided."""
        run = await self._journal.get(caller, run_id)
        if run.state == RunState.RUN_STATE_BLOCKED:
            await self._engine.woken(run_id)
        run = await self._engine.settled(caller, run_id)
        # Decided while the run was on its way to blocking: nobody would have woken it yet.
        if run.state == RunState.RUN_STATE_BLOCKED and await self._authorizer.decided(run.block):
            await self._engine.resume(run_id)
            run = await self._engine.settled(caller, run_id)
        return _succeeded(run)

    async def get(self, caller: Caller, run_id: str) -> Run:
        """The run as it stands."""
        return await self._journal.get(caller, run_id)

    async def list(
        self, caller: Caller, request: ListRunsRequest
    ) -> tuple[Sequence[Run], str, int]:
        """A page of runs, the latest first; the next page's token; the total where asked."""
        size = page_size(request.page_size)
        after = self._pages.decode(request.page_token, request)
        matching = {"state": int(request.state), "thread_id": request.thread_id or None}
        async with self._database.transaction(caller) as tx:
            rows = await tx.fetch(
                _LIST, before=after["run_id"] if after else None, size=size + 1, **matching
            )
            counted = await tx.fetch_one(_COUNT, **matching) if request.include_total else None
        found = [as_it_stands(row) for row in rows]
        for run in found:
            run.ClearField("lanes")
            run.ClearField("actions")
        page, token = self._pages.page(
            found, _fitting(found, size), request, lambda run: {"run_id": run.run_id}
        )
        return page, token, counted[0] if counted else 0

    async def cancel(self, caller: Caller, run_id: str, reason: str) -> Run:
        """End a run that has not ended; what was executed stays executed."""
        state = await self._journal.request_cancel(caller, run_id, reason or "cancelled")
        if state is None:
            run = await self._journal.get(caller, run_id)
            if run.state not in ENDED:
                raise Forbidden(subject=f"run/{run_id}")
            raise RunEnded("the run has already ended", state=_word(run))
        if state == RunState.RUN_STATE_BLOCKED:
            await self._engine.resume(run_id)
        while True:
            run = await self._engine.settled(caller, run_id)
            if run.state in ENDED:
                return run
            await self._engine.resume(run_id)

    async def watch(
        self, caller: Caller, run_id: str, after: int
    ) -> AsyncIterator[tuple[RunEvent | None, int, Run | None]]:
        """Events after a sequence number as they come, None as a heartbeat; the run at the end.

        Ends by itself in time, and lives no longer than the token.
        """
        expires = float(caller.claims.get("exp", float("inf")))
        life, silence = min(self._settings.watch_seconds, expires - time.time()), 0.0
        while life > 0 and not self._stopping.is_set():
            events = await self._journal.events(caller, run_id, after)
            for event in events:
                after = event.sequence_number
                ended = event.state in ENDED
                yield event, after, await self.get(caller, run_id) if ended else None
                if ended and event.type in ("pipeline.complete", "pipeline.error"):
                    return
            if events:
                silence = 0.0
                continue
            if not after or silence >= _HEARTBEAT_SECONDS:
                yield None, after, None
                silence = 0.0
            await self._changes.wait(run_id, _POLL_SECONDS)
            life, silence = life - _POLL_SECONDS, silence + _POLL_SECONDS

    def classify(self, text: str) -> Intent:
        """Lane A alone."""
        return forecast(text)


def _fitting(found: Sequence[Run], size: int) -> int:
    """How many of them a page holds: no more than `size`, and than one answer can; at least one."""
    left = _MOST_BYTES
    for count, run in enumerate(found[:size]):
        left -= run.ByteSize()
        if count and left < 0:
            return count
    return size


def _digest(wanted: Any) -> str:
    """What the same request_id must come with again: the body without it, in any RPC."""
    text = "\0".join([wanted.text, str(wanted.mode), str(wanted.sphere), wanted.thread_id])
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _succeeded(run: Run) -> Run:
    if run.state != RunState.RUN_STATE_SUCCEEDED:
        raise _error(run)
    return run


def _word(run: Run) -> str:
    return RunState.Name(run.state).removeprefix("RUN_STATE_")


def _error(run: Run) -> ServiceError:
    """How a run that did not succeed is told to who waits for it."""
    message, run_id, cause = run.error_message, run.run_id, run.error_reason
    match run.state:
        case RunState.RUN_STATE_BLOCKED:
            return blocked(run.block)
        case RunState.RUN_STATE_DENIED:
            return GovernanceDenied(message, run_id=run_id, cause=cause)
        case RunState.RUN_STATE_REJECTED:
            return CheckpointRejected(message, run_id=run_id, cause=cause)
        case RunState.RUN_STATE_EXPIRED:
            return CheckpointExpired(message, run_id=run_id, cause=cause)
        case RunState.RUN_STATE_CANCELLED:
            return RunCancelled(message, run_id=run_id, cause=cause)
        case _:
            return _failure(run)


def _failure(run: Run) -> ServiceError:
    if run.error_reason == AskedTooOften.reason:
        wait = max(run.retry_time.ToDatetime(UTC) - datetime.now(UTC), timedelta(seconds=1))
        return AskedTooOften(run.error_message, retry_after=wait, run_id=run.run_id)
    lane = Lane.Name(run.error_lane).removeprefix("LANE_")
    return RunFailed(run.error_message, run_id=run.run_id, cause=run.error_reason, lane=lane)
