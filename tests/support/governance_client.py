"""Governance as its callers see it: persons and their agents, Nova, voters, executors."""

from collections.abc import AsyncGenerator
from typing import Any
from uuid import uuid4

import grpc

from chenu.governance.v1.authorization_service_pb2 import (
    ActionRequest,
    AuthorizeActionRequest,
    AuthorizeActionsRequest,
    GetAuthorizationRequest,
    Verdict,
)
from chenu.governance.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from chenu.governance.v1.checkpoint_pb2 import BlockedCheckpoint, Checkpoint
from chenu.governance.v1.checkpoint_service_pb2 import (
    ApproveCheckpointRequest,
    GetCheckpointRequest,
    RejectCheckpointRequest,
    WatchCheckpointsRequest,
)
from chenu.governance.v1.checkpoint_service_pb2_grpc import CheckpointServiceStub
from chenu.governance.v1.decision_pb2 import ExecutionState
from chenu.governance.v1.evidence_service_pb2_grpc import EvidenceServiceStub
from chenu.governance.v1.freeze_pb2 import Freeze
from chenu.governance.v1.freeze_service_pb2 import (
    FreezeRequest,
    LiftFreezeRequest,
    LiftFreezeResponse,
)
from chenu.governance.v1.freeze_service_pb2_grpc import FreezeServiceStub
from chenu.governance.v1.grant_service_pb2_grpc import GrantServiceStub
from chenu.governance.v1.notice_service_pb2_grpc import NoticeServiceStub
from chenu.governance.v1.outcome_service_pb2 import Outcome, ReportOutcomesRequest
from chenu.governance.v1.outcome_service_pb2_grpc import OutcomeServiceStub
from chenu.governance.v1.resolution_service_pb2 import (
    AcknowledgeResolutionsRequest,
    ListResolutionsRequest,
    Resolution,
)
from chenu.governance.v1.resolution_service_pb2_grpc import ResolutionServiceStub
from chenu.governance.v1.reviewer_service_pb2_grpc import ReviewerServiceStub
from chenu.governance.v1.rule_service_pb2_grpc import RuleServiceStub
from chenu.governance.v1.tombstone_service_pb2_grpc import TombstoneServiceStub
from chenu_gate.action import Action, ActionKind, Principal
from tests.support.actions import an_action
from tests.support.identity import Metadata, Person, StandInIdentity


class GovernanceClient:
    """Calls governance in everybody's name."""

    def __init__(self, channel: grpc.aio.Channel, identity: StandInIdentity) -> None:
        self.identity = identity
        self.authorization = AuthorizationServiceStub(channel)
        self.checkpoints = CheckpointServiceStub(channel)
        self.outcomes = OutcomeServiceStub(channel)
        self.notices = NoticeServiceStub(channel)
        self.resolutions = ResolutionServiceStub(channel)
        self.rules = RuleServiceStub(channel)
        self.freezes = FreezeServiceStub(channel)
        self.evidence = EvidenceServiceStub(channel)
        self.reviewers = ReviewerServiceStub(channel)
        self.grants = GrantServiceStub(channel)
        self.tombstones = TombstoneServiceStub(channel)

    async def ask(
        self, person: Person, *actions: Action | ActionRequest, metadata: Metadata | None = None
    ) -> list[Verdict]:
        """The verdicts on a plan, asked by Nova for the person unless `metadata` says otherwise."""
        answer = await self.authorization.AuthorizeActions(
            AuthorizeActionsRequest(actions=[_request(action) for action in actions]),
            metadata=metadata or self.identity.as_nova(person),
        )
        return list(answer.verdicts)

    async def ask_one(
        self, person: Person, action: Action | ActionRequest, metadata: Metadata | None = None
    ) -> Verdict:
        """The permit for a single action, asked by the person themselves."""
        answer = await self.authorization.AuthorizeAction(
            AuthorizeActionRequest(action=_request(action)),
            metadata=metadata or self.identity.as_human(person),
        )
        return answer.verdict

    async def found(self, person: Person, request_id: str) -> Verdict:
        """What the person's request id was answered."""
        answer = await self.authorization.GetAuthorization(
            GetAuthorizationRequest(request_id=request_id),
            metadata=self.identity.as_human(person),
        )
        return answer.verdict

    async def blocked(
        self, person: Person, action: Action | None = None, **changes: Any
    ) -> tuple[ActionRequest, BlockedCheckpoint]:
        """A gated action that waits, with the request that asked for it."""
        request = a_request(action or gated(person), **changes)
        (verdict,) = await self.ask(person, request)
        assert verdict.HasField("checkpoint")
        return request, verdict.checkpoint

    async def get(self, person: Person, checkpoint_id: str) -> Checkpoint:
        """The checkpoint as its owner sees it."""
        answer = await self.checkpoints.GetCheckpoint(
            GetCheckpointRequest(checkpoint_id=checkpoint_id),
            metadata=self.identity.as_human(person),
        )
        return answer.checkpoint

    async def approve(
        self,
        person: Person,
        checkpoint: BlockedCheckpoint,
        *,
        comment: str = "",
        metadata: Metadata | None = None,
    ) -> Checkpoint:
        """The person approves what they were shown."""
        answer = await self.checkpoints.ApproveCheckpoint(
            ApproveCheckpointRequest(
                checkpoint_id=checkpoint.checkpoint_id,
                etag=checkpoint.view_digest,
                comment=comment,
            ),
            metadata=metadata or self.vote(person, checkpoint),
        )
        return answer.checkpoint

    async def reject(
        self,
        person: Person,
        checkpoint: BlockedCheckpoint,
        comment: str = "",
        *,
        metadata: Metadata | None = None,
    ) -> Checkpoint:
        """The person rejects what they were shown."""
        answer = await self.checkpoints.RejectCheckpoint(
            RejectCheckpointRequest(
                checkpoint_id=checkpoint.checkpoint_id,
                etag=checkpoint.view_digest,
                comment=comment,
            ),
            metadata=metadata or self.vote(person, checkpoint),
        )
        return answer.checkpoint

    def vote(self, person: Person, checkpoint: BlockedCheckpoint) -> Metadata:
        """A fresh vote token of the person for this checkpoint and view."""
        return self.identity.as_voter(person, checkpoint.checkpoint_id, checkpoint.view_digest)

    async def freeze(self, person: Person, scope: str = "TENANT", value: str = "") -> Freeze:
        """The person pulls the brake."""
        request = FreezeRequest(scope=f"FREEZE_SCOPE_{scope}", value=value, reason="stop")
        answer = await self.freezes.Freeze(request, metadata=self.identity.as_human(person))
        return answer.freeze

    async def lift(
        self, person: Person, freeze: Freeze, request_id: str = ""
    ) -> LiftFreezeResponse:
        """The person asks for the brake to be let go."""
        request = LiftFreezeRequest(
            freeze_id=freeze.freeze_id, request_id=request_id or str(uuid4())
        )
        return await self.freezes.LiftFreeze(request, metadata=self.identity.as_human(person))

    async def report(
        self,
        verdict: Verdict,
        state: ExecutionState,
        *,
        executor: str = "threads",
        **changes: Any,
    ) -> list[Outcome]:
        """An executor says what became of the decision; what people have settled of it."""
        decision = verdict.decision
        fields = {"decision_id": decision.decision_id, "action_digest": decision.action_digest}
        outcome = Outcome(**{**fields, "state": state, "reason": "OK", **changes})
        answer = await self.outcomes.ReportOutcomes(
            ReportOutcomesRequest(outcomes=[outcome]), metadata=self.identity.as_service(executor)
        )
        return list(answer.settled)

    async def resolved(self, *runs: str) -> list[Resolution]:
        """The resolutions of these runs that Nova has not acknowledged.

        A page holds 200: what earlier tests left is acknowledged where it fills the page.
        """
        nova = self.identity.as_service("nova")
        request = ListResolutionsRequest(page_size=200)
        answer = await self.resolutions.ListResolutions(request, metadata=nova)
        while len(answer.resolutions) == request.page_size:
            old = [one.resolution_id for one in answer.resolutions if one.run_id not in runs]
            await self.resolutions.AcknowledgeResolutions(
                AcknowledgeResolutionsRequest(resolution_ids=old), metadata=nova
            )
            answer = await self.resolutions.ListResolutions(request, metadata=nova)
        return [resolution for resolution in answer.resolutions if resolution.run_id in runs]

    async def watch(self, person: Person, cursor: str = "") -> AsyncGenerator[Any]:
        """What WatchCheckpoints sends the person."""
        call = self.checkpoints.WatchCheckpoints(
            WatchCheckpointsRequest(cursor=cursor), metadata=self.identity.as_human(person)
        )
        try:
            async for response in call:
                yield response
        finally:
            call.cancel()


def principal(person: Person, agent: str = "") -> Principal:
    """The person as an action names them."""
    return Principal(person.tenant, person.person, person.identity, agent)


def gated(person: Person, **changes: Any) -> Action:
    """The person's own delete, which needs an approval."""
    return an_action(**{"principal": principal(person), **changes})


def allowed(person: Person, **changes: Any) -> Action:
    """The person's own search, which needs none."""
    return gated(person, **{"kind": ActionKind.SEARCH, "targets": (), **changes})


def a_request(action: Action, **changes: Any) -> ActionRequest:
    """The action with a request id of its own."""
    return ActionRequest(**{"action": action.canonical(), "request_id": str(uuid4()), **changes})


def _request(action: Action | ActionRequest) -> ActionRequest:
    return a_request(action) if isinstance(action, Action) else action
