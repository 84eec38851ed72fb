"""Two real people of one tenant: one is invited, is appointed deputy, and decides for the other."""

import grpc
import pytest

from chenu.governance.v1.checkpoint_service_pb2 import ApproveCheckpointRequest
from chenu.identity.v1.people_service_pb2 import DeactivatePersonRequest
from chenu.identity.v1.people_service_pb2_grpc import PeopleServiceStub
from chenu.nova.v1.run_pb2 import RunState
from kernel.errors import reason_of
from tests.laws.reviewing import join
from tests.support.deputies import appoint
from tests.support.fleet import Client


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

    await appoint(me, bea)
    assert len(await bea.inbox()) == 2
    decided = await bea.approve(one.checkpoint_id)
    assert decided.votes[0].on_behalf_of == me.session.session.user.user_id
    run = await me.go_on(one.run_id)
    assert run.state == RunState.RUN_STATE_SUCCEEDED
    assert await me.titles() == ["Two"]

    token = await bea.vote_token(two.checkpoint_id, two.etag)
    await PeopleServiceStub(me.fleet.channel("identity")).DeactivatePerson(
        DeactivatePersonRequest(
            person_id=bea.session.session.user.user_id, session_secret=me.session.session_secret
        ),
        metadata=me.me,
    )
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await bea.checkpoints.ApproveCheckpoint(
            ApproveCheckpointRequest(checkpoint_id=two.checkpoint_id, etag=two.etag),
            metadata=token,
        )
    assert reason_of(refused.value) == "NOT_ENTITLED"
