"""Lane G: check the answer against what was recorded, and close the run."""

import time

from chenu.governance.v1.decision_pb2 import ActionKind, ExecutionState
from chenu.nova.v1.run_pb2 import Lane, Run, RunMode, RunState
from services.nova.claims import unsupported, without_budgets
from services.nova.lanes.authorization import READING
from services.nova.lanes.refusals import REJECTED
from services.nova.record import RunRecord

_PROPOSALS = {RunMode.RUN_MODE_SIMULATION, RunMode.RUN_MODE_DRAFT}


def close(record: RunRecord) -> None:
    """Give the run its answer, with a notice for each claim that no outcome supports."""
    run = record.run
    record.begin(Lane.LANE_AUDIT)
    answer = without_budgets(record.journal["answer"])
    succeeded = {
        ActionKind.Name(action.kind).removeprefix("ACTION_KIND_").lower()
        for action in run.actions
        if action.execution_state == ExecutionState.EXECUTION_STATE_SUCCEEDED
    }
    del run.notices[:]
    run.notices.extend(
        f"The answer claims a {kind}; no such action was executed in this run."
        for kind in unsupported(answer, succeeded)
    )
    run.notices.extend(
        f"A person changed {action.tool} before approving it; its arguments tell what was done."
        for action in run.actions
        if action.edited and action.execution_state == ExecutionState.EXECUTION_STATE_SUCCEEDED
    )
    run.notices.extend(
        f"A person rejected {action.tool}; nothing of that plan was done."
        for action in run.actions
        if action.rejected
    )
    if run.mode in _PROPOSALS and run.actions:
        run.notices.append("Nothing was done: these actions are proposals only.")
    if not answer:
        run.notices.append("The model gave no answer.")
    if run.simulated:
        run.notices.append("Answered by the local model simulator, not by a model.")
    run.answer = answer
    run.state = RunState.RUN_STATE_SUCCEEDED
    if _rejected(run):
        run.state, run.error_reason = RunState.RUN_STATE_REJECTED, REJECTED
        run.error_lane = Lane.LANE_CHECKPOINT
        run.error_message = record.journal["rejected"] or REJECTED
    record.finish(Lane.LANE_AUDIT, f"closed, notices: {len(run.notices)}")


def _rejected(run: Run) -> bool:
    """Whether a person said no, and nothing was done instead; looking is not doing."""
    last = max((action.round for action in run.actions if action.rejected), default=0)
    return last > 0 and not any(
        action.round > last
        and action.kind not in READING
        and action.execution_state == ExecutionState.EXECUTION_STATE_SUCCEEDED
        for action in run.actions
    )


def end(record: RunRecord) -> None:
    """Stamp a run that has come to any end."""
    run = record.run
    run.complete_time.FromNanoseconds(time.time_ns())
    if run.state == RunState.RUN_STATE_SUCCEEDED:
        record.event("pipeline.complete", "done", Lane.LANE_AUDIT)
    else:
        record.event("pipeline.error", run.error_reason, run.error_lane)
