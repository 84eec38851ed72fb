"""Law 1: nothing gated takes effect without the approval of an entitled human."""

from typing import Any
from uuid import uuid4

import asyncpg

from chenu.governance.v1.checkpoint_pb2 import BlockedCheckpoint, CheckpointState
from chenu.governance.v1.checkpoint_service_pb2 import (
    ApproveCheckpointRequest,
    RejectCheckpointRequest,
    ResolveCheckpointRequest,
)
from chenu.governance.v1.decision_pb2 import ExecutionState
from chenu.nova.v1.run_pb2 import RunState
from deploy.postgres.roles import LOGINS
from tests.laws.hands import Hands, person_of, refusal_of, use
from tests.laws.stories import doomed, reason
from tests.support.fleet import Client
from tests.support.governance_roles import insert_vote
from tests.support.identity import Metadata, bearer

SERVICES = ("identity", "threads", "governance", "audit", "nova", "llm", "courier", "gateway")
REFUSED = {"UNAUTHENTICATED", "PERMISSION_DENIED"}
APPROVE = (
    "UPDATE governance.checkpoints SET state = 'approved', resolve_time = now(),"
    " valid_until = now() + interval '1 day', version = version + 1 WHERE checkpoint_id = $1"
)
# Time is changed by no role of governance's, and by no superuser without these other steps.
AN_HOUR_PASSES = """
    ALTER TABLE governance.checkpoints DISABLE TRIGGER guard;
    UPDATE governance.checkpoints SET expire_time = expire_time - interval '1 hour'
    WHERE checkpoint_id = '{checkpoint}';
    ALTER TABLE governance.checkpoints ENABLE ALWAYS TRIGGER guard"""


async def every_credential(hands: Hands, me: Client, at: BlockedCheckpoint) -> dict[str, Metadata]:
    """All that anybody could present to a vote RPC, but for the person's own vote token."""
    agent = await hands.agent(me)
    delegation, agents_delegation = await hands.delegation(me), await hands.delegation(me, agent)
    action = use(me, "thread.search", query="anything")
    permit = (await hands.ask(me, action)).permit
    other = await hands.vote_token(me, str(uuid4()), at.view_digest)
    nova = await hands.service("nova")
    found = {
        "nothing": (),
        "the person's access token": me.me,
        "an agent's access token": agent,
        "a delegation alone": bearer(delegation),
        "a delegation in Nova's hands": bearer(delegation, nova),
        "an agent's delegation in Nova's hands": bearer(agents_delegation, nova),
        "the access token in Nova's hands": (*me.me, *bearer("", nova)),
        "a permit": bearer(permit),
        "a refresh token": bearer(me.session.session.refresh_token),
        "the session secret itself": bearer(me.session.session_secret),
        "a service's assertion": bearer(hands.assertion("nova")),
        "a service token as a person's": bearer(nova),
        "a vote token for another checkpoint": bearer(other),
        "a vote token in the service's header": bearer("", other),
        "a channel's grant": bearer(await hands.channel_grant(me)),
        "a ballot itself": bearer(await hands.ballot(me, at.checkpoint_id, at.view_digest)),
        "a ballot in courier's hands": bearer(
            await hands.ballot(me, at.checkpoint_id, at.view_digest), await hands.service("courier")
        ),
    }
    services = {f"{s}'s own token": bearer("", await hands.service(s)) for s in SERVICES}
    return found | services


def votes(me: Client, at: BlockedCheckpoint) -> dict[str, tuple[Any, Any]]:
    """Every RPC that votes, with a request that would."""
    what = {"checkpoint_id": at.checkpoint_id, "etag": at.view_digest}
    stub = me.checkpoints
    return {
        "approve": (stub.ApproveCheckpoint, ApproveCheckpointRequest(**what)),
        "reject": (stub.RejectCheckpoint, RejectCheckpointRequest(**what)),
        "resolve": (stub.ResolveCheckpoint, ResolveCheckpointRequest(**what, option_id="approve")),
    }


async def test_no_token_of_any_kind_votes_but_the_one_a_persons_session_bought(
    me: Client, hands: Hands
) -> None:
    run_id, at = await doomed(me)
    for who, metadata in (await every_credential(hands, me, at)).items():
        for rpc, (call, request) in votes(me, at).items():
            code, _ = await reason(call(request, metadata=metadata))
            assert code in REFUSED, f"{who} could {rpc}"
    checkpoint = await me.checkpoint(at.checkpoint_id)
    assert checkpoint.state == CheckpointState.CHECKPOINT_STATE_PENDING
    assert not checkpoint.votes
    assert "Doomed" in await me.titles()
    await me.approve(at.checkpoint_id)
    assert (await me.go_on(run_id)).state == RunState.RUN_STATE_SUCCEEDED


async def test_a_vote_that_passes_through_a_services_hands_does_not_count(
    me: Client, hands: Hands
) -> None:
    _, at = await doomed(me)
    token = await hands.vote_token(me, at.checkpoint_id, at.view_digest)
    for service in SERVICES[:-1]:  # the gateway is a person's own door
        metadata = bearer(token, await hands.service(service))
        for rpc, (call, request) in votes(me, at).items():
            code, _ = await reason(call(request, metadata=metadata))
            assert code in REFUSED, (service, rpc)
    assert not (await me.checkpoint(at.checkpoint_id)).votes


async def test_a_stranger_with_a_vote_token_of_their_own_decides_nothing(
    me: Client, stranger: Client, hands: Hands
) -> None:
    _, at = await doomed(me)
    for rpc, (call, request) in votes(me, at).items():
        token = await hands.vote_token(stranger, at.checkpoint_id, at.view_digest)
        code, _ = await reason(call(request, metadata=bearer(token)))
        assert code == "PERMISSION_DENIED", rpc
    assert not (await me.checkpoint(at.checkpoint_id)).votes


async def test_an_agent_makes_a_checkpoint_and_cannot_take_it_away_either(
    me: Client, hands: Hands
) -> None:
    from chenu.governance.v1.checkpoint_service_pb2 import CancelCheckpointRequest

    _, at = await doomed(me)
    agent = await hands.agent(me)
    request = CancelCheckpointRequest(checkpoint_id=at.checkpoint_id)
    code, why = await reason(me.checkpoints.CancelCheckpoint(request, metadata=agent))
    assert (code, why) == ("PERMISSION_DENIED", "CALLER_NOT_ALLOWED")
    state = (await me.checkpoint(at.checkpoint_id)).state
    assert state == CheckpointState.CHECKPOINT_STATE_PENDING


async def test_silence_is_a_no_even_for_an_approval_that_comes_a_moment_late(
    me: Client, superuser: Any
) -> None:
    run_id, at = await doomed(me)
    await superuser.execute(AN_HOUR_PASSES.format(checkpoint=at.checkpoint_id))
    code, why = await reason(me.approve(at.checkpoint_id))
    assert (code, why) == ("FAILED_PRECONDITION", "CHECKPOINT_EXPIRED")
    assert await reason(me.go_on(run_id)) == ("FAILED_PRECONDITION", "CHECKPOINT_EXPIRED")
    assert "Doomed" in await me.titles()
    checkpoint = await me.checkpoint(at.checkpoint_id)
    assert checkpoint.state == CheckpointState.CHECKPOINT_STATE_EXPIRED
    assert checkpoint.execution_state == ExecutionState.EXECUTION_STATE_NOT_STARTED


async def test_no_login_of_the_database_decides_without_a_humans_vote(
    me: Client, hands: Hands
) -> None:
    """Tried as every role of every service, acting for the very person it belongs to."""
    _, at = await doomed(me)
    person = person_of(me)
    sql, arguments = insert_vote(person, at, actor="agent")
    for role in LOGINS:
        async with hands.login(role, person) as connection:
            for statement, values in ((sql, arguments), (APPROVE, [at.checkpoint_id])):
                refusal = await refusal_of(connection, statement, *values)
                own = asyncpg.CheckViolationError, asyncpg.InsufficientPrivilegeError
                foreign = asyncpg.InsufficientPrivilegeError
                assert isinstance(refusal, own if "governance" in role else foreign), role
    assert not (await me.checkpoint(at.checkpoint_id)).votes
