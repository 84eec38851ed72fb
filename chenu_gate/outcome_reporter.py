"""Tells governance what became of its decisions, from committed rows, off the hot path.

What is UNKNOWN is told again and again, until the answer says what a person has settled it to
be: then the executor's own row says so, too.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar

import grpc

from chenu.governance.v1.decision_pb2 import ExecutionState as State
from chenu.governance.v1.outcome_service_pb2 import Outcome, ReportOutcomesRequest
from chenu.governance.v1.outcome_service_pb2_grpc import OutcomeServiceStub
from chenu_gate.executor import (
    Connection,
    Execution,
    Executions,
    ExecutionState,
    OutcomeConflict,
)

C = TypeVar("C", bound=Connection)
_log = logging.getLogger(__name__)
_BATCH = 200
_POLL_SECONDS = 1.0
_LINGER_SECONDS = 0.25
_LONGEST_LINGER = 4  # times that, where much is done
_LONGEST_WAIT_SECONDS = 60.0
# What governance says of a row rather than of its own state: that row waits, the others go on.
_REFUSALS = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.PERMISSION_DENIED,  # not this executor's decision
}


class OutcomeReporter(Generic[C]):
    """Reports every ended execution until governance has taken it; run one per process or more.

    `work` opens a transaction whose connection sees all of the executor's rows. `settled` is
    called in the one in which a person's word becomes the end of an UNKNOWN row. Nothing is ever
    given up: a row that governance refuses is tried again, ever less often.
    """

    def __init__(
        self,
        executions: Executions,
        work: Callable[[], AbstractAsyncContextManager[C]],
        stub: OutcomeServiceStub,
        settled: Callable[[C, Execution], Awaitable[None]] | None = None,
    ) -> None:
        self._executions, self._work, self._stub = executions, work, stub
        self._settled = settled
        self._woken = asyncio.Event()
        self._aside: dict[str, _Aside] = {}

    def wake(self) -> None:
        """Look for ended executions now rather than at the next poll."""
        self._woken.set()

    async def run(self) -> None:
        """Report until cancelled."""
        failures = 0
        while True:
            try:
                reported = await self.report_once()
                failures = 0
            except Exception as error:  # noqa: BLE001 - whatever it is, the rows wait for a better time
                reported, failures = 0, failures + 1
                _log.warning("outcomes not reported: %s", _told(error))
            if failures:
                await asyncio.sleep(_backed_off(failures))
            elif reported < _BATCH:
                await self._until_woken(reported)

    async def report_once(self) -> int:
        """Report what has ended and is not reported; how many governance took."""
        now = time.monotonic()
        waiting = [
            f"{decision} {aside.state}"
            for decision, aside in self._aside.items()
            if now < aside.until
        ]
        async with self._work() as connection:
            ended = await self._executions.unreported(connection, _BATCH, waiting)
        if len(ended) < _BATCH:  # what has come due and is not here was told by another process
            here = {execution.decision_id for execution in ended}
            due = {one for one, aside in self._aside.items() if aside.until <= now}
            self._aside = {
                one: aside for one, aside in self._aside.items() if one not in due - here
            }
        if not ended:
            return 0
        taken = await self._taken(ended)
        if taken:
            async with self._work() as connection:
                await self._executions.mark_reported(connection, taken)
        return len(taken)

    async def _taken(self, ended: Sequence[Execution]) -> Sequence[Execution]:
        """Those that governance took; one that it refuses does not hold up the others."""
        request = ReportOutcomesRequest(outcomes=[_outcome(execution) for execution in ended])
        try:
            answer = await self._stub.ReportOutcomes(request, timeout=10)
        except grpc.RpcError as error:
            if _code(error) not in _REFUSALS:
                raise
            if len(ended) > 1:
                halves = ended[: len(ended) // 2], ended[len(ended) // 2 :]
                return [one for half in halves for one in await self._taken(half)]
            if self._put_aside(ended[0]):
                _log.error("outcome of decision %s refused: %s", ended[0].decision_id, _told(error))
            return []
        for execution in ended:
            if execution.state is ExecutionState.UNKNOWN:
                self._put_aside(execution)
            else:
                self._aside.pop(execution.decision_id, None)
        await self._settle(answer.settled)
        return ended

    async def _settle(self, outcomes: Iterable[Outcome]) -> None:
        """Make what a person has said the end of what was UNKNOWN here."""
        for outcome in outcomes:
            state = ExecutionState(State.Name(outcome.state).removeprefix("EXECUTION_STATE_"))
            try:
                async with self._work() as connection:
                    execution = await self._executions.finish(
                        connection, outcome.decision_id, state, reason=outcome.reason
                    )
                    if self._settled is not None:
                        await self._settled(connection, execution)
            except OutcomeConflict as conflict:  # another end was found out here meanwhile
                _log.error("decision %s settled otherwise: %s", outcome.decision_id, conflict)

    def _put_aside(self, execution: Execution) -> bool:
        """Whether it is put aside for the first time in this state: so it is told once."""
        aside = self._aside.get(execution.decision_id)
        if new := aside is None or aside.state is not execution.state:
            aside = self._aside[execution.decision_id] = _Aside(execution.state)
        aside.postpone()
        return new

    async def _until_woken(self, reported: int) -> None:
        try:
            async with asyncio.timeout(_POLL_SECONDS):
                await self._woken.wait()
        except TimeoutError:
            return
        await asyncio.sleep(_linger(reported))
        self._woken.clear()


class _Aside:
    """When a row that was refused, or is UNKNOWN, is told again while it is in this state."""

    def __init__(self, state: ExecutionState) -> None:
        self.state = state
        self.times = 0
        self.until = 0.0

    def postpone(self) -> None:
        self.times += 1
        self.until = time.monotonic() + _backed_off(self.times)


def _outcome(execution: Execution) -> Outcome:
    outcome = Outcome(
        decision_id=execution.decision_id,
        action_digest=execution.action_digest,
        state=f"EXECUTION_STATE_{execution.state}",
        reason=execution.reason[:100],
        permit=execution.permit,
    )
    if execution.finished_at is not None:
        outcome.finish_time.FromDatetime(execution.finished_at)
    return outcome


def _linger(reported: int) -> float:
    """Longer after a report of many, since one costs the same for one outcome and for a hundred."""
    return _LINGER_SECONDS * min(_LONGEST_LINGER, 1 + reported / 10)


def _backed_off(failures: int) -> float:
    longest = min(_LONGEST_WAIT_SECONDS, _POLL_SECONDS * (1 << min(failures, 10)))
    return longest * random.uniform(0.5, 1)  # noqa: S311 - spreads callers, hides nothing


def _code(error: grpc.RpcError) -> grpc.StatusCode | None:
    code = getattr(error, "code", None)
    return code() if callable(code) else None


def _told(error: BaseException) -> str:
    code = _code(error) if isinstance(error, grpc.RpcError) else None
    return code.name if code is not None else type(error).__name__
