"""Changes at governance: what is asked, what is voted, what came of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from chenu.governance.v1 import authorization_service_pb2 as authorization
from chenu.governance.v1 import checkpoint_service_pb2 as checkpoints
from chenu.governance.v1 import freeze_service_pb2 as freezes
from chenu.governance.v1 import grant_service_pb2 as grants
from chenu.governance.v1 import tombstone_service_pb2 as tombstones
from chenu.governance.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from chenu.governance.v1.decision_pb2 import ExecutionState
from chenu.governance.v1.evidence_service_pb2 import ExportEvidenceRequest
from chenu.governance.v1.evidence_service_pb2_grpc import EvidenceServiceStub
from chenu.governance.v1.freeze_pb2 import FreezeScope
from chenu.governance.v1.freeze_service_pb2_grpc import FreezeServiceStub
from chenu.governance.v1.grant_pb2 import GrantTerms
from chenu.governance.v1.grant_service_pb2_grpc import GrantServiceStub
from chenu.governance.v1.outcome_service_pb2 import (
    Outcome,
    ReconcileOutcomeRequest,
    ReportOutcomesRequest,
)
from chenu.governance.v1.outcome_service_pb2_grpc import OutcomeServiceStub
from chenu.governance.v1.tombstone_service_pb2_grpc import TombstoneServiceStub
from chenu.identity.v1 import token_service_pb2 as tokens
from tests.laws.changes.scene import Call, Prepare, Scene
from tests.laws.hands import use
from tests.support.identity import bearer
from tests.support.waiting import soon


def a_request(s: Scene, tool: str = "thread.search", **fields: Any) -> Any:
    action = use(s.me, tool, query="x")
    return authorization.ActionRequest(action=action.canonical(), request_id=str(uuid4()), **fields)


async def authorize_action(s: Scene) -> Call:
    request = authorization.AuthorizeActionRequest(action=a_request(s))
    stub = s.stub(AuthorizationServiceStub, "governance")
    return lambda: stub.AuthorizeAction(request, metadata=s.me.me)


async def authorize_actions(s: Scene) -> Call:
    plan = [a_request(s), a_request(s, requires_checkpoint=True)]
    request = authorization.AuthorizeActionsRequest(actions=plan)
    stub = s.stub(AuthorizationServiceStub, "governance")
    metadata = await s.hands.nova(s.me)
    return lambda: stub.AuthorizeActions(request, metadata=metadata)


async def waiting(s: Scene) -> Any:
    """A checkpoint that no run of Nova's waits for."""
    verdict = await s.hands.ask(
        s.me, use(s.me, "thread.search", query=str(uuid4())), requires_checkpoint=True
    )
    return verdict.checkpoint


def vote(rpc: str, **fields: Any) -> Prepare:
    """An RPC that votes, with a vote token that is used up only when it counts."""

    async def prepare(s: Scene) -> Call:
        at = await waiting(s)
        token = await s.hands.vote_token(s.me, at.checkpoint_id, at.view_digest)
        request = getattr(checkpoints, f"{rpc}Request")(
            checkpoint_id=at.checkpoint_id, etag=at.view_digest, comment="Seen.", **fields
        )
        return lambda: getattr(s.me.checkpoints, rpc)(request, metadata=bearer(token))

    return prepare


async def batch_decide(s: Scene) -> Call:
    at = await waiting(s)
    bought = await s.hands.tokens.IssueVoteToken(
        tokens.IssueVoteTokenRequest(
            session_secret=s.me.session.session_secret,
            ballots=[tokens.Ballot(checkpoint_id=at.checkpoint_id, view_digest=at.view_digest)],
        )
    )
    request = checkpoints.BatchDecideCheckpointsRequest(
        decisions=[
            checkpoints.CheckpointDecision(
                checkpoint_id=at.checkpoint_id, etag=at.view_digest, option_id="approve"
            )
        ]
    )
    stub, metadata = s.me.checkpoints, bearer(bought.vote_token)
    return lambda: stub.BatchDecideCheckpoints(request, metadata=metadata)


async def cancel_checkpoint(s: Scene) -> Call:
    request = checkpoints.CancelCheckpointRequest(checkpoint_id=(await waiting(s)).checkpoint_id)
    return lambda: s.me.checkpoints.CancelCheckpoint(request, metadata=s.me.me)


async def supersede_checkpoints(s: Scene) -> Call:
    action = replace(use(s.me, "thread.search", query="x"), run=str(uuid4()))
    await s.hands.ask(s.me, action, requires_checkpoint=True)
    request = checkpoints.SupersedeCheckpointsRequest(run_id=action.run)
    metadata = await s.hands.nova(s.me)
    return lambda: s.me.checkpoints.SupersedeCheckpoints(request, metadata=metadata)


async def freeze(s: Scene) -> Call:
    request = freezes.FreezeRequest(
        scope=FreezeScope.FREEZE_SCOPE_TOOL, value=f"tool.{uuid4().hex}", reason="stop"
    )
    stub = s.stub(FreezeServiceStub, "governance")
    return lambda: stub.Freeze(request, metadata=s.me.me)


async def lift_freeze(s: Scene) -> Call:
    made = await (await freeze(s))()
    request = freezes.LiftFreezeRequest(freeze_id=made.freeze.freeze_id, request_id=str(uuid4()))
    stub = s.stub(FreezeServiceStub, "governance")
    return lambda: stub.LiftFreeze(request, metadata=s.me.me)


def grant_terms() -> GrantTerms:
    terms = GrantTerms(tool="report.create", action_kind="ACTION_KIND_CREATE", uses=3)
    terms.end_time.FromDatetime(datetime.now(UTC) + timedelta(hours=1))
    return terms


async def create_grant(s: Scene) -> Call:
    request = grants.CreateGrantRequest(terms=grant_terms(), request_id=str(uuid4()))
    stub = s.stub(GrantServiceStub, "governance")
    return lambda: stub.CreateGrant(request, metadata=s.me.me)


async def a_grant(me: Any) -> str:
    """A grant that its owner approved; its id."""
    stub = GrantServiceStub(me.fleet.channel("governance"))
    request = grants.CreateGrantRequest(terms=grant_terms(), request_id=str(uuid4()))
    asked = await stub.CreateGrant(request, metadata=me.me)
    await me.approve(asked.verdict.checkpoint.checkpoint_id)
    made = asked.verdict.decision.decision_id

    async def there() -> str:
        found = await stub.ListGrants(grants.ListGrantsRequest(), metadata=me.me)
        return next((one.grant_id for one in found.grants if one.grant_id == made), "")

    return str(await soon(there, "it is granted"))


async def revoke_grant(s: Scene) -> Call:
    request = grants.RevokeGrantRequest(grant_id=await a_grant(s.me))
    stub = s.stub(GrantServiceStub, "governance")
    return lambda: stub.RevokeGrant(request, metadata=s.me.me)


async def lift_tombstone(s: Scene) -> Call:
    at = await waiting(s)
    await s.me.reject(at.checkpoint_id)
    request = tombstones.LiftTombstoneRequest(checkpoint_id=at.checkpoint_id)
    stub = s.stub(TombstoneServiceStub, "governance")
    return lambda: stub.LiftTombstone(request, metadata=s.me.me)


async def export_evidence(s: Scene) -> Call:
    """A whole file, read to its end."""
    at = await waiting(s)
    request = ExportEvidenceRequest(checkpoint_id=at.checkpoint_id)

    async def whole() -> int:
        stub = s.stub(EvidenceServiceStub, "governance")
        return len([one async for one in stub.ExportEvidence(request, metadata=s.me.me)])

    return whole


async def reported(s: Scene, state: str) -> tuple[Outcome, Call]:
    verdict = await s.hands.ask(s.me, use(s.me, "thread.search", query="x"))
    outcome = Outcome(
        decision_id=verdict.decision.decision_id,
        action_digest=verdict.decision.action_digest,
        state=f"EXECUTION_STATE_{state}",
        reason="OK",
    )
    stub = s.stub(OutcomeServiceStub, "governance")
    metadata = bearer("", await s.hands.service("threads"))
    return outcome, lambda: stub.ReportOutcomes(
        ReportOutcomesRequest(outcomes=[outcome]), metadata=metadata
    )


async def report_outcomes(s: Scene) -> Call:
    return (await reported(s, "SUCCEEDED"))[1]


async def reconcile_outcome(s: Scene) -> Call:
    outcome, report = await reported(s, "UNKNOWN")
    await report()
    request = ReconcileOutcomeRequest(
        decision_id=outcome.decision_id, state=ExecutionState.EXECUTION_STATE_FAILED
    )
    stub = s.stub(OutcomeServiceStub, "governance")
    return lambda: stub.ReconcileOutcome(request, metadata=s.me.me)
