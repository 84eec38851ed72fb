"""Lanes D and E: governance decides on the whole plan; a person decides where it says so."""

from collections.abc import Sequence
from typing import Final

import grpc

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
from kernel.errors import reason_of
from services.nova.lanes.hints import Hints
from services.nova.lanes.refusals import REJECTED
from services.nova.record import RunRecord

_TIMEOUT: Final = 10.0
# What has come to another end meanwhile needs no taking back.
_OVER: Final = frozenset({"CHECKPOINT_NOT_PENDING", "CHECKPOINT_EXPIRED"})
READING: Final = frozenset(
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
    VerdictState.VERDICT_STATE_REJECTED: (RunState.RUN_STATE_REJECTED, REJECTED),
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
        self._hints = Hints(channels)

    async def authorize(
        self, record: RunRecord, actions: Sequence[RunAction]
    ) -> dict[str, Verdict]:
        """Verdicts by request id; also notes them in the run's actions."""
        verdicts = await self._hints.verdicts(record, actions) or await self._ask(record, actions)
        for action in actions:
            verdict = verdicts[action.request_id]
            _note(record, action, verdict)
            if verdict.edited_action:
                record.keep_edit(action, verdict.edited_action)
        return verdicts

    async def _ask(self, record: RunRecord, actions: Sequence[RunAction]) -> dict[str, Verdict]:
        answer = await self._authorization.AuthorizeActions(
            AuthorizeActionsRequest(
                actions=[
                    ActionRequest(
                        action=record.action_bytes(action),
                        request_id=action.request_id,
                        requires_checkpoint=record.run.intent.requires_checkpoint
                        and action.kind not in READING,
                        agent_words=record.journal["answer"][:4000],
                    )
                    for action in actions
                ]
            ),
            timeout=_TIMEOUT,
        )
        return {verdict.request_id: verdict for verdict in answer.verdicts}

    async def decided(self, block: CheckpointBlock) -> bool:
        """Whether any of what a run waits for has been decided; asks as the current caller."""
        for waiting in block.checkpoints:
            verdict = await self._find(waiting.request_id)
            if verdict.state != VerdictState.VERDICT_STATE_BLOCKED:
                return True
        return False

    async def withdraw(
        self, record: RunRecord, actions: Sequence[RunAction], reason: str
    ) -> dict[str, Verdict]:
        """Take back what waits or is approved for these actions; what became of each of them."""
        verdicts = {}
        for action in actions:
            try:
                await self._checkpoints.CancelCheckpoint(
                    CancelCheckpointRequest(checkpoint_id=action.checkpoint_id, reason=reason),
                    timeout=_TIMEOUT,
                )
            except grpc.aio.AioRpcError as error:
                if reason_of(error) not in _OVER:
                    raise
            verdicts[action.request_id] = await self._find(action.request_id)
            record.note_end(action)
        return verdicts

    async def supersede(self, run_id: str) -> None:
        """End what an earlier run of the same thread waits for."""
        await self._checkpoints.SupersedeCheckpoints(
            SupersedeCheckpointsRequest(run_id=run_id, reason="a newer message in the thread"),
            timeout=_TIMEOUT,
        )

    async def _find(self, request_id: str) -> Verdict:
        answer = await self._authorization.GetAuthorization(
            GetAuthorizationRequest(request_id=request_id), timeout=_TIMEOUT
        )
        verdict: Verdict = answer.verdict
        return verdict


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
            record.finish(lane, f"ended: {reason}", LaneState.LANE_STATE_FAILED)
            run.state, run.error_reason = ending, reason
            run.error_lane = lane
            run.error_message = verdict.reason or reason
            return
    if not decided:
        record.finish(Lane.LANE_GOVERNANCE, f"verdicts: {len(verdicts)}")
    waiting = [
        v.checkpoint for v in verdicts.values() if v.state == VerdictState.VERDICT_STATE_BLOCKED
    ]
    run.block.CopyFrom(CheckpointBlock(run_id=run.run_id, checkpoints=waiting))
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


def _note(record: RunRecord, action: RunAction, verdict: Verdict) -> None:
    decision = verdict.decision
    action.decision_id = decision.decision_id
    action.checkpoint_id = decision.checkpoint_id
    action.effect = decision.effect
    if decision.execution_state:
        action.execution_state = decision.execution_state
    denied = verdict.state == VerdictState.VERDICT_STATE_DENIED
    if verdict.state in _ENDS and not denied:  # a freeze denies what is still approved
        record.note_end(action)
