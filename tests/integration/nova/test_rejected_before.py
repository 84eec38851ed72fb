"""What a person rejected is not put before them again: the model hears it, and plans anew."""

from chenu.governance.v1.decision_pb2 import ExecutionState
from chenu.governance.v1.tombstone_service_pb2 import LiftTombstoneRequest
from chenu.governance.v1.tombstone_service_pb2_grpc import TombstoneServiceStub
from chenu.nova.v1.run_pb2 import RunState
from tests.laws.stories import blocked
from tests.support.fleet import Client


async def test_asked_again_in_other_words_the_model_is_told_and_nothing_waits(me: Client) -> None:
    await me.new_thread("Keep me")
    block = await blocked(me, "Delete the thread “Keep me”")
    await me.reject(block.checkpoints[0].checkpoint_id)

    run = await me.execute("Please delete the thread “Keep me” now")

    assert run.state in {RunState.RUN_STATE_SUCCEEDED, RunState.RUN_STATE_DENIED}
    assert run.round > 1
    assert all(
        action.execution_state == ExecutionState.EXECUTION_STATE_NOT_STARTED
        for action in run.actions
    )
    assert "Keep me" in await me.titles()
    assert not await me.inbox()


async def test_once_a_person_has_lifted_it_they_are_asked_again(me: Client) -> None:
    await me.new_thread("Rather not")
    block = await blocked(me, "Delete the thread “Rather not”")
    (waiting,) = block.checkpoints
    await me.reject(waiting.checkpoint_id)
    await TombstoneServiceStub(me.fleet.channel("governance")).LiftTombstone(
        LiftTombstoneRequest(checkpoint_id=waiting.checkpoint_id), metadata=me.me
    )

    assert (await blocked(me, "Delete the thread “Rather not”")).checkpoints
