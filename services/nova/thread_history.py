"""A run that belongs to a thread tells it what became of its actions, and what it answered.

All of it is worked out anew from the run each time, and the thread records each fact once: told
again after a crash, it comes to the same.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import grpc
import structlog

from chenu.governance.v1.authorization_service_pb2 import Verdict, VerdictState
from chenu.governance.v1.decision_pb2 import ExecutionState
from chenu.nova.v1.run_pb2 import Lane, LaneState, RunAction, RunState
from chenu.threads.v1.thread_event_pb2 import ThreadEventType
from chenu.threads.v1.thread_event_service_pb2 import RecordRunRequest, RunFact
from chenu.threads.v1.thread_event_service_pb2_grpc import ThreadEventServiceStub
from kernel.channels import Channels
from kernel.errors import reason_of
from services.nova.lanes.context import read_only
from services.nova.patience import PASSING, Patience
from services.nova.record import RunRecord

_TIMEOUT: Final = 10.0
_LONGEST: Final = 32_000
_WAITED: Final = ThreadEventType.THREAD_EVENT_TYPE_CHECKPOINT_TRIGGERED
_DECIDED: Final = {
    VerdictState.VERDICT_STATE_PERMITTED: ThreadEventType.THREAD_EVENT_TYPE_CHECKPOINT_APPROVED,
    VerdictState.VERDICT_STATE_REJECTED: ThreadEventType.THREAD_EVENT_TYPE_CHECKPOINT_REJECTED,
    VerdictState.VERDICT_STATE_EXPIRED: ThreadEventType.THREAD_EVENT_TYPE_CHECKPOINT_EXPIRED,
    VerdictState.VERDICT_STATE_CANCELLED: ThreadEventType.THREAD_EVENT_TYPE_CHECKPOINT_CANCELLED,
    VerdictState.VERDICT_STATE_SUPERSEDED: ThreadEventType.THREAD_EVENT_TYPE_CHECKPOINT_SUPERSEDED,
}
_COMPLETED: Final = ThreadEventType.THREAD_EVENT_TYPE_ACTION_COMPLETED
_UPDATED: Final = ThreadEventType.THREAD_EVENT_TYPE_ACTION_UPDATED
_DONE: Final = {
    ExecutionState.EXECUTION_STATE_SUCCEEDED: (_COMPLETED, "succeeded"),
    ExecutionState.EXECUTION_STATE_FAILED: (_UPDATED, "failed"),
    ExecutionState.EXECUTION_STATE_UNKNOWN: (_UPDATED, "unknown"),
}
_log = structlog.get_logger(component="thread_history")


class ThreadHistory:
    """Tells threads; a run without one costs no call."""

    def __init__(self, channels: Channels, patience: Patience) -> None:
        self._events = ThreadEventServiceStub(channels.channel("threads"))
        self._patience = patience

    async def decided(self, record: RunRecord, verdicts: Mapping[str, Verdict]) -> None:
        """Tell which of these actions wait for a person, and what became of the others."""
        facts = list(_decisions(record, verdicts))
        if record.run.thread_id and facts and not read_only(record):
            await self._tell(record, RecordRunRequest(facts=facts))

    async def ended(self, record: RunRecord, ends: Mapping[str, Verdict]) -> bool:
        """Tell what was done, how its checkpoints ended, and the answer, or why there is none.

        False where the thread would not hear it.
        """
        run = record.run
        # A thread that could not be read is not the person's, or has gone: it is told nothing,
        # nor is one that another identity shares.
        read = any(
            lane.lane == Lane.LANE_CONTEXT and lane.state == LaneState.LANE_STATE_COMPLETED
            for lane in run.lanes
        )
        deaf = not read or read_only(record) or _deleted(run.actions, run.thread_id)
        if not run.thread_id or deaf:
            return True
        words = run.answer or run.error_message
        if run.state == RunState.RUN_STATE_CANCELLED:
            words = ""  # whoever ended it knows; and a newer run may be at work in the thread
        facts = list(_decisions(record, ends)) + [
            _fact(action, *_DONE[action.execution_state])
            for action in run.actions
            if action.execution_state in _DONE
        ]
        if facts or words:
            request = RecordRunRequest(facts=facts, answer=words[:_LONGEST], failed=not run.answer)
            return await self._tell(record, request)
        return True

    async def _tell(self, record: RunRecord, request: RecordRunRequest) -> bool:
        request.thread_id, request.run_id = record.run.thread_id, record.run.run_id
        try:
            await self._patience.call(lambda: self._events.RecordRun(request, timeout=_TIMEOUT))
        except grpc.aio.AioRpcError as error:
            if error.code() in PASSING and not record.overdue:
                raise  # the run is taken up again when threads is back
            # Deleted meanwhile, or nobody stands behind the run any more.
            _log.warning("not told to its thread", run=request.run_id, reason=reason_of(error))
            return False
        return True


def _decisions(record: RunRecord, verdicts: Mapping[str, Verdict]) -> Iterator[RunFact]:
    for action in record.run.actions:
        if action.checkpoint_id and action.request_id in verdicts:
            yield _fact(action, _WAITED)
            if decided := _DECIDED.get(verdicts[action.request_id].state):
                yield _fact(action, decided)


def _fact(action: RunAction, kind: ThreadEventType, state: str = "") -> RunFact:
    return RunFact(
        type=kind,
        request_id=action.request_id,
        checkpoint_id=action.checkpoint_id,
        tool=action.tool,
        action_digest=action.action_digest,
        state=state,
    )


def _deleted(actions: Iterable[RunAction], thread_id: str) -> bool:
    """Whether the run has itself deleted the thread that it belongs to."""
    return any(
        action.tool == "thread.delete"
        and thread_id in action.arguments
        and action.execution_state == ExecutionState.EXECUTION_STATE_SUCCEEDED
        for action in actions
    )
