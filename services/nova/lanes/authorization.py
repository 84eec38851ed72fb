"""Lanes D and E: governance decides on the whole plan; a person decides where it says so."""

from collections.abc import Sequence
from typing import Final

from chenu.governance.v1.authorization_service_pb2 import (
    ActionRequest,
    AuthorizeActionsRequest,
    GetAuthorizationRequest,
    Verdict,
    VerdictState,
)
from chenu.governance.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from chenu.governance.v1.checkpoint_pb2 import CheckpointBlock
from chenu.governance.v1.checkpoint_service_pb2 import (
    CancelCheckpointRequest,
    SupersedeCheckpointsRequest,
)
from chenu.governance.v1.checkpoint_service_pb2_grpc import CheckpointServiceStub
from chenu.governance.v1.decision_pb2 import ActionKind
from chenu.nova.v1.run_pb2 import Lane, LaneState, RunAction, RunState
from kernel.channels import Channels
from services.nova.record import RunRecord

_TIMEOUT: Final = 10.0
_REJECTED_BEFORE: Final = "REJECTED_BEFORE"
_READING: Final = frozenset(
    {
        ActionKind.ACTION_KIND_QUERY,
        ActionKind.ACTION_KIND_SEARCH,
        ActionKind.ACTION_KIND_SUMMARIZE,
        ActionKind.ACTION_KIND_ANALYZE,
    }
)
# How a run ends whose plan holds an action with this verdict; the first that is met decides.
_ENDS: Final = {
    VerdictState.VERDICT_STATE_DENIED: (RunState.RUN_STATE_DENIED, "GOVERNANCE_DENIED"),
    VerdictState.VERDICT_STATE_REJECTED: (RunState.RUN_STATE_REJECTED, "CHECKPOINT_REJECTED"),
    VerdictState.VERDICT_STATE_EXPIRED: (RunState.RUN_STATE_EXPIRED, "CHECKPOINT_EXPIRED"),
    VerdictState.VERDICT_STATE_CANCELLED: (RunState.RUN_STATE_CANCELLED, "CHECKPOINT_CANCELLED"),
    VerdictState.VERDICT_STATE_SUPERSEDED: (
        RunState.RUN_STATE_CANCELLED,
        "CHECKPOINT_SUPERSEDED",
    ),
}


class Authorizer:
    """Asks governance, and takes what waits back when it has no more use."""

    def __init__(self, channels: Channels) -> None:
        channel = channels.channel("governance")
        self._authorization = AuthorizationServiceStub(channel)
        self._checkpoints = CheckpointServiceStub(channel)

    async def authorize(
        self, record: RunRecord, actions: Sequence[RunAction]
    ) -> dict[str, Verdict]:
        """Verdicts by request id; also notes them in the run's actions."""
        answer = await self._authorization.AuthorizeActions(
            AuthorizeActionsRequest(
                actions=[
                    ActionRequest(
                        action=record.action_bytes(action),
                        request_id=action.request_id,
                        requires_checkpoint=record.run.intent.requires_checkpoint
                        and action.kind not in _READING,
                        agent_words=record.journal["answer"][:4000],
                    )
                    for action in actions
                ]
            ),
            timeout=_TIMEOUT,
        )
        verdicts = {verdict.request_id: verdict for verdict in answer.verdicts}
        for action in actions:
            verdict = verdicts[action.request_id]
            _note(action, verdict)
            if verdict.edited_action:
                record.keep_edit(action, verdict.edited_action)
        return verdicts

    async def decided(self, block: CheckpointBlock) -> bool:
        """Whether any of what a run waits for has been decided; asks as the current caller."""
        for waiting in block.checkpoints:
            answer = await self._authorization.GetAuthorization(
                GetAuthorizationRequest(request_id=waiting.request_id), timeout=_TIMEOUT
            )
            if answer.verdict.state != VerdictState.VERDICT_STATE_BLOCKED:
                return True
        return False

    async def withdraw(self, record: RunRecord, reason: str) -> None:
        """Cancel the checkpoints that the run still waits for."""
        for waiting in record.run.block.checkpoints:
            await self._checkpoints.CancelCheckpoint(
                CancelCheckpointRequest(checkpoint_id=waiting.checkpoint_id, reason=reason),
                timeout=_TIMEOUT,
            )

    async def supersede(self, run_id: str) -> None:
        """End what an earlier run of the same thread waits for."""
        await self._checkpoints.SupersedeCheckpoints(
            SupersedeCheckpointsRequest(run_id=run_id, reason="a newer message in the thread"),
            timeout=_TIMEOUT,
        )


def decide(record: RunRecord, verdicts: dict[str, Verdict]) -> None:
    """Say in the run what the verdicts mean: it ends, it blocks, or it may start.

    Lane D has decided once, when it first had all verdicts. Whoever asks again, after a
    person's answer or a crash, fetches permits, and what comes of it is lane E's.
    """
    run = record.run
    run.block.Clear()
    decided = record.finished(Lane.LANE_GOVERNANCE)
    lane = Lane.LANE_CHECKPOINT if decided else Lane.LANE_GOVERNANCE
    for state, (ending, reason) in _ENDS.items():
        verdict = next((v for v in verdicts.values() if v.state == state), None)
        if verdict is not None:
            _block(record, verdicts)  # what its siblings wait for is withdrawn
            record.finish(lane, f"ended: {reason}", LaneState.LANE_STATE_FAILED)
            run.state, run.error_reason = ending, reason
            run.error_lane = lane
            run.error_message = verdict.reason or reason
            return
    if not decided:
        record.finish(Lane.LANE_GOVERNANCE, f"{len(verdicts)} verdicts")
    _block(record, verdicts)
    if run.block.checkpoints:
        record.begin(Lane.LANE_CHECKPOINT)
        run.state = RunState.RUN_STATE_BLOCKED
        count = len(run.block.checkpoints)
        record.finish(Lane.LANE_CHECKPOINT, f"waits for {count}", LaneState.LANE_STATE_BLOCKED)
        return
    run.ClearField("block")
    waited = any(action.checkpoint_id for action in record.round_actions())
    if waited and not record.finished(Lane.LANE_CHECKPOINT):
        record.finish(Lane.LANE_CHECKPOINT, "approved")


async def refuse(record: RunRecord, verdicts: dict[str, Verdict], authorizer: Authorizer) -> bool:
    """Whether the plan holds the like of what a person rejected: the model is told, and plans anew.

    Nothing of the round is done, and what its other actions wait for is withdrawn.
    """
    told = next((v.reason for v in verdicts.values() if _rejected_before(v)), "")
    if not told:
        return False
    _block(record, verdicts)
    await authorizer.withdraw(record, _REJECTED_BEFORE)
    record.run.ClearField("block")
    why = f"not done: a person has rejected this before. Do not propose it again. {told}"
    refused = record.refuse("not done: nothing of this plan was done")
    for request_id, verdict in verdicts.items():
        if _rejected_before(verdict):
            refused[record.journal["uses"][request_id]] = why
    record.finish(Lane.LANE_GOVERNANCE, f"refused: {_REJECTED_BEFORE}", LaneState.LANE_STATE_FAILED)
    return True


def _rejected_before(verdict: Verdict) -> bool:
    denied = verdict.state == VerdictState.VERDICT_STATE_DENIED
    return denied and verdict.reason.startswith(_REJECTED_BEFORE)


def _block(record: RunRecord, verdicts: dict[str, Verdict]) -> None:
    waiting = [
        v.checkpoint for v in verdicts.values() if v.state == VerdictState.VERDICT_STATE_BLOCKED
    ]
    record.run.block.CopyFrom(CheckpointBlock(run_id=record.run.run_id, checkpoints=waiting))


def _note(action: RunAction, verdict: Verdict) -> None:
    decision = verdict.decision
    action.decision_id = decision.decision_id
    action.checkpoint_id = decision.checkpoint_id
    action.effect = decision.effect
    if decision.execution_state:
        action.execution_state = decision.execution_state
