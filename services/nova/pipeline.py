"""The way of a run through the lanes, from the last one it finished to its end or a block."""

import time
from collections.abc import Sequence
from functools import partial
from typing import Final

import grpc
import structlog
from google.rpc.error_details_pb2 import RetryInfo

from chenu.governance.v1.authorization_service_pb2 import Verdict
from chenu.nova.v1.run_pb2 import Lane, LaneState, RunAction, RunMode, RunState
from kernel.channels import acting_as
from kernel.errors import ServiceError, detail, reason_of, relayed
from services.nova import audit_events
from services.nova.delegations import Delegations
from services.nova.errors import LeaseLost, RunCancelled, RunExpired, RunTooLarge, TooManyRounds
from services.nova.journal import Journal
from services.nova.lanes.authorization import Authorizer, decide
from services.nova.lanes.closing import close, end
from services.nova.lanes.context import Contexts
from services.nova.lanes.execution import Executions
from services.nova.lanes.planning import Planner, tell_results
from services.nova.lanes.refusals import refuse, rejected
from services.nova.patience import DATABASE_AWAY, Patience
from services.nova.record import RunRecord
from services.nova.thread_history import ThreadHistory

# A round may add some 3 MiB, and whoever reads the run gets 4 MiB at most.
_MOST_BYTES: Final = 768 << 10
_log = structlog.get_logger(component="pipeline")


class Pipeline:
    """Takes a run as far as it goes."""

    def __init__(
        self,
        *,
        journal: Journal,
        delegations: Delegations,
        contexts: Contexts,
        planner: Planner,
        authorizer: Authorizer,
        executions: Executions,
        history: ThreadHistory,
        patience: Patience,
        max_rounds: int,
    ) -> None:
        self._journal, self._delegations = journal, delegations
        self._contexts, self._planner = contexts, planner
        self._authorizer, self._executions = authorizer, executions
        self._history = history
        self._patience, self._max_rounds = patience, max_rounds

    async def advance(self, record: RunRecord) -> None:
        """Go on until the run ends or blocks. Raises LeaseLost where it is no longer ours."""
        try:
            while not record.at_rest:
                await self._delegations.refresh(record)
                with acting_as(record.delegation):
                    await self._round(record)
        except (ServiceError, grpc.aio.AioRpcError) as error:
            _fail(record, error)
        except (LeaseLost, *DATABASE_AWAY):
            raise
        except Exception as error:  # noqa: BLE001 - a run must come to an end
            _log.exception("a lane broke", run=record.run.run_id, lane=record.run.current_lane)
            _fail(record, error)
        if record.ended:
            ends = await self._withdraw(record)
            end(record)
            with acting_as(record.delegation):
                record.untold = not await self._history.ended(record, ends)
            record.audit.append(audit_events.ended(record))
        else:
            record.audit.append(audit_events.blocked(record))
            record.event("pipeline.blocked", f"waits for {len(record.run.block.checkpoints)}")
        await self._write(record)

    async def _round(self, record: RunRecord) -> None:
        if not record.finished(Lane.LANE_PLAN):
            await self._plan(record)
        if self._stopped(record):
            return
        run = record.run
        if older := [action for action in record.unused() if action.round < run.round]:
            ends = await self._take_back(record, older, "the run has planned anew")
            await self._history.decided(record, ends)
        if record.round_actions() and run.mode == RunMode.RUN_MODE_EXECUTION:
            await self._carry_out(record)
            if record.at_rest:
                return
        if record.journal["final"] or run.mode != RunMode.RUN_MODE_EXECUTION:
            close(record)
        elif run.round >= self._max_rounds:
            run.state, run.error_reason = RunState.RUN_STATE_FAILED, TooManyRounds.reason
            run.error_lane = Lane.LANE_PLAN
            run.error_message = f"The plan was not complete after {run.round} rounds."
        elif run.ByteSize() > _MOST_BYTES:
            run.state, run.error_reason = RunState.RUN_STATE_FAILED, RunTooLarge.reason
            run.error_lane = Lane.LANE_PLAN
            run.error_message = f"The run held too much for another round after {run.round}."
        else:
            tell_results(record)
            run.round += 1

    async def _carry_out(self, record: RunRecord) -> None:
        """Lanes D to F: all of the plan or, where a person rejected some of it, nothing."""
        actions = record.round_actions()
        may_plan_anew = record.run.round < self._max_rounds
        if not record.finished(Lane.LANE_GOVERNANCE):
            record.begin(Lane.LANE_GOVERNANCE)
        verdicts = await self._patience.call(lambda: self._authorizer.authorize(record, actions))
        if may_plan_anew and rejected(verdicts):
            why = "a person rejected another action of the plan"
            ends = await self._take_back(record, record.unused(), why)
            await self._history.decided(record, verdicts | ends)
            refuse(record, verdicts)
            return
        decide(record, verdicts)
        await self._history.decided(record, verdicts)
        if record.at_rest:
            return
        await self._executions.execute(record, verdicts, may_plan_anew=may_plan_anew)
        if may_plan_anew and any(action.edited for action in actions):
            # The model has answered before it could know what was done.
            record.journal["final"] = False

    async def _plan(self, record: RunRecord) -> None:
        if "context" not in record.journal:
            if record.run.thread_id:
                await self._tidy_thread(record)
            await self._patience.call(lambda: self._contexts.freeze(record))
        completion = await self._patience.call(lambda: self._planner.ask(record))
        # Apart: a service that is away while targets are looked up has no model asked anew.
        await self._patience.call(lambda: self._planner.adopt(record, completion))
        # The plan must stand before governance hears of it: its request ids belong to it.
        await self._write(record)

    async def _tidy_thread(self, record: RunRecord) -> None:
        """Earlier runs of the thread wait no longer; it hears of those that could not tell it."""
        for run_id, untold in await self._journal.open_in_thread(record):
            if untold:
                await self._tell_late(await self._journal.load(record.caller, run_id))
            else:
                await self._patience.call(partial(self._authorizer.supersede, run_id))

    async def _tell_late(self, earlier: RunRecord) -> None:
        """What a run could not say whose delegation had ended is said under this one's."""
        try:
            ends = await self._take_back(earlier, earlier.unused(), earlier.run.error_reason)
            if await self._history.ended(earlier, ends):
                await self._journal.told(earlier)
        except grpc.aio.AioRpcError as error:
            # The next run of the thread tries again; this one has its own work to do.
            _log.warning("not told late", run=earlier.run.run_id, code=error.code().name)

    def _stopped(self, record: RunRecord) -> bool:
        """Whether somebody cancelled the run, or its time is over."""
        run = record.run
        if record.cancel_reason is not None:
            run.state, run.error_reason = RunState.RUN_STATE_CANCELLED, RunCancelled.reason
            run.error_message = record.cancel_reason or "cancelled"
        elif record.overdue:
            run.state, run.error_reason = RunState.RUN_STATE_EXPIRED, RunExpired.reason
            run.error_message = "The run's deadline has passed."
        return record.at_rest

    async def _take_back(
        self, record: RunRecord, actions: Sequence[RunAction], reason: str
    ) -> dict[str, Verdict]:
        return await self._patience.call(lambda: self._authorizer.withdraw(record, actions, reason))

    async def _withdraw(self, record: RunRecord) -> dict[str, Verdict]:
        """What a run that has ended did not use must not be approved, or stay so, any more."""
        record.run.ClearField("block")
        try:
            with acting_as(record.delegation):
                return await self._authorizer.withdraw(
                    record, record.unused(), record.run.error_reason
                )
        except grpc.aio.AioRpcError as error:
            # Its request ids will never be asked for again, so nothing can come of it.
            _log.warning("checkpoints not withdrawn", code=error.code().name)
            return {}

    async def _write(self, record: RunRecord) -> None:
        await self._patience.call(lambda: self._journal.write(record))


def _fail(record: RunRecord, error: Exception) -> None:
    run = record.run
    reason, message = "INTERNAL", "an internal error"
    if isinstance(error, grpc.aio.AioRpcError):
        reason, message = reason_of(error) or error.code().name, str(relayed(error))
        if retry := detail(error, RetryInfo):
            run.retry_time.FromNanoseconds(time.time_ns() + retry.retry_delay.ToNanoseconds())
    elif isinstance(error, ServiceError):
        reason, message = error.reason, str(error)
    run.state, run.error_lane = RunState.RUN_STATE_FAILED, run.current_lane
    run.error_reason, run.error_message = reason, message
    record.finish(run.current_lane, reason, LaneState.LANE_STATE_FAILED)
