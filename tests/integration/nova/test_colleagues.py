"""Two real people of one tenant: one is invited, is appointed deputy, and decides for the other."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import grpc
import pytest

from chenu.governance.v1.deputy_service_pb2 import AppointDeputyRequest
from chenu.governance.v1.deputy_service_pb2_grpc import DeputyServiceStub
from chenu.identity.v1.auth_service_pb2 import RegisterRequest
from chenu.identity.v1.auth_service_pb2_grpc import AuthServiceStub
from chenu.identity.v1.people_service_pb2 import DeactivatePersonRequest, InvitePersonRequest
from chenu.identity.v1.people_service_pb2_grpc import PeopleServiceStub
from chenu.nova.v1.run_pb2 import RunState
from kernel.errors import reason_of
from tests.support.fleet import PASSWORD, Client


async def join(me: Client, *roles: str) -> Client:
    """Somebody who takes up my invitation."""
    identity = me.fleet.channel("identity")
    invited = await PeopleServiceStub(identity).InvitePerson(
        InvitePersonRequest(roles=roles), metadata=me.me
    )
    answer = await AuthServiceStub(identity).Register(
        RegisterRequest(
            email=f"{uuid4()}@chenu.example",
            password=PASSWORD,
            display_name="Bea",
            invitation_secret=invited.invitation_secret,
        )
    )
    return Client(me.fleet, answer)


async def test_a_deputy_decides_for_a_colleague_and_no_more_once_deactivated(me: Client) -> None:
    bea = await join(me, "finance")
    await me.new_thread("One")
    await me.new_thread("Two")
    for title in ("One", "Two"):
        with pytest.raises(grpc.aio.AioRpcError):
            await me.execute(f"Delete the thread “{title}”")
    two, one = await me.inbox()
    assert await bea.inbox() == []
    with pytest.raises(grpc.aio.AioRpcError):
        await bea.approve(one.checkpoint_id)

    request = AppointDeputyRequest(deputy_person_id=bea.session.session.user.user_id)
    request.end_time.FromDatetime(datetime.now(UTC) + timedelta(days=1))
    await DeputyServiceStub(me.fleet.channel("governance")).AppointDeputy(request, metadata=me.me)
    assert len(await bea.inbox()) == 2
    decided = await bea.approve(one.checkpoint_id)
    assert decided.votes[0].on_behalf_of == me.session.session.user.user_id
    run = await me.go_on(one.run_id)
    assert run.state == RunState.RUN_STATE_SUCCEEDED
    assert await me.titles() == ["Two"]

    token = await bea.vote_token(two.checkpoint_id, two.etag)
    await PeopleServiceStub(me.fleet.channel("identity")).DeactivatePerson(
        DeactivatePersonRequest(person_id=bea.session.session.user.user_id), metadata=me.me
    )
    from chenu.governance.v1.checkpoint_service_pb2 import ApproveCheckpointRequest

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await bea.checkpoints.ApproveCheckpoint(
            ApproveCheckpointRequest(checkpoint_id=two.checkpoint_id, etag=two.etag),
            metadata=token,
        )
    assert reason_of(refused.value) == "NOT_ENTITLED"
