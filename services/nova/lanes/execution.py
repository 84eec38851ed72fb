"""Lane F: hand each permitted action to its executor, in plan order."""

import asyncio
import json
from typing import Final

import grpc

from chenu.governance.v1.authorization_service_pb2 import Verdict
from chenu.governance.v1.decision_pb2 import ExecutionState
from chenu.governance.v1.executor_service_pb2 import ExecuteActionRequest
from chenu.nova.v1.run_pb2 import Lane, LaneState, RunAction, RunState
from chenu_gate.action import Action
from kernel.errors import reason_of
from services.nova.catalogue import Catalogue
from services.nova.errors import PermitWithdrawn
from services.nova.lanes.authorization import Authorizer
from services.nova.lanes.context import Contexts
from services.nova.lanes.refusals import told
from services.nova.patience import PASSING, Patience
from services.nova.record import TARGET_CHANGED, RunRecord

_TIMEOUT: Final = 30.0
_WHY: Final = {
    TARGET_CHANGED: "what it is about has changed since it was planned; ask again, and it is"
    " planned as things are then"
}
_TOLD: Final = told(
    TARGET_CHANGED,
    "What it is about has changed since it was planned. If it is still wanted, plan it again.",
)


class Executions:
    """Has actions done, each at most once: the executor's fence sees to that."""

    def __init__(
        self, catalogue: Catalogue, authorizer: Authorizer, contexts: Contexts, patience: Patience
    ) -> None:
        self._executors = catalogue.executors
        self._authorizer, self._contexts, self._patience = authorizer, contexts, patience

    async def execute(
        self, record: RunRecord, verdicts: dict[str, Verdict], *, may_plan_anew: bool
    ) -> None:
        """Do the round's actions; the first that fails ends the run.

        Where it failed because its target has changed, the model is told and may plan anew.
        """
        record.begin(Lane.LANE_EXECUTION)
        actions = record.round_actions()
        for action in actions:
            await self._one(record, action, verdicts[action.request_id])
            if action.execution_state != ExecutionState.EXECUTION_STATE_SUCCEEDED:
                if action.result == TARGET_CHANGED and may_plan_anew:
                    await self._plan_anew(record, action)
                else:
                    self._failed(record, action)
                return
        record.finish(Lane.LANE_EXECUTION, f"actions done: {len(actions)}")

    async def _one(self, record: RunRecord, action: RunAction, verdict: Verdict) -> None:
        data = record.approved_bytes(action)
        executor = self._executors[json.loads(data)["executor"]]
        for wait in self._patience.waits():
            if not verdict.permit:
                # What was permitted is not any more: voters or clocks have changed since.
                action.execution_state = ExecutionState.EXECUTION_STATE_FAILED
                action.result = verdict.reason or PermitWithdrawn.reason
                return
            try:
                answer = await executor.ExecuteAction(
                    ExecuteActionRequest(action=data, permit=verdict.permit), timeout=_TIMEOUT
                )
            except grpc.aio.AioRpcError as error:
                reason = reason_of(error)
                if error.code() not in PASSING and reason != "PERMIT_EXPIRED":
                    unknown = reason == "OUTCOME_UNKNOWN"
                    action.execution_state = (
                        ExecutionState.EXECUTION_STATE_UNKNOWN
                        if unknown
                        else ExecutionState.EXECUTION_STATE_FAILED
                    )
                    action.result = reason or error.code().name
                    return
                # Whether it was done is not known, and asking again is safe: the decision
                # is consumed with the effect, so a second try gets the first answer.
                await asyncio.sleep(wait)
                verdicts = await self._patience.call(
                    lambda: self._authorizer.authorize(record, [action])
                )
                verdict = verdicts[action.request_id]
                continue
            action.execution_state, action.result = answer.state, answer.result
            return
        action.execution_state = ExecutionState.EXECUTION_STATE_UNKNOWN
        action.result = "the executor did not answer"

    async def _plan_anew(self, record: RunRecord, changed: RunAction) -> None:
        """See the target as it is now, and tell the model what of its plan was not done."""
        await self._contexts.look_again(
            record, Action.parse(record.approved_bytes(changed)).targets
        )
        uses = record.journal["uses"]
        refused = record.refuse(told("NOT_DONE", "An action before it was not done."))
        for action in record.round_actions():
            if action.execution_state == ExecutionState.EXECUTION_STATE_SUCCEEDED:
                del refused[uses[action.request_id]]
        refused[uses[changed.request_id]] = _TOLD
        record.finish(
            Lane.LANE_EXECUTION,
            f"the target of action {changed.index} has changed",
            LaneState.LANE_STATE_FAILED,
        )

    def _failed(self, record: RunRecord, action: RunAction) -> None:
        run = record.run
        record.finish(
            Lane.LANE_EXECUTION, f"failed at action {action.index}", LaneState.LANE_STATE_FAILED
        )
        run.state, run.error_lane = RunState.RUN_STATE_FAILED, Lane.LANE_EXECUTION
        run.outcome_unknown = action.execution_state == ExecutionState.EXECUTION_STATE_UNKNOWN
        run.error_reason = "OUTCOME_UNKNOWN" if run.outcome_unknown else action.result
        run.error_message = (
            f"It is not known whether {action.tool} was done; it is not tried again."
            if run.outcome_unknown
            else f"{action.tool} was not done: {_WHY.get(action.result, action.result)}."
            " Later actions were not started."
        )
