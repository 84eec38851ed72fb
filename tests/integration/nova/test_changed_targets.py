"""What has changed since it was planned is not done: the model hears it, and plans anew."""

import json

import grpc
import pytest

from chenu.governance.v1.checkpoint_pb2 import CheckpointState
from chenu.governance.v1.decision_pb2 import ExecutionState
from chenu.nova.v1.run_pb2 import RunState
from kernel.errors import reason_of
from tests.laws.stories import blocked
from tests.support.fleet import Client

FAILED = ExecutionState.EXECUTION_STATE_FAILED
SUCCEEDED = ExecutionState.EXECUTION_STATE_SUCCEEDED
NOT_STARTED = ExecutionState.EXECUTION_STATE_NOT_STARTED


async def waits(me: Client, run_id: str) -> str:
    """The checkpoint of a run that, gone on with, waits again."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await me.go_on(run_id)
    assert reason_of(refused.value) == "CHECKPOINT_REQUIRED"
    (waiting,) = (await me.run(run_id)).block.checkpoints
    return waiting.checkpoint_id


async def test_it_is_put_before_a_person_again_as_it_is_now_and_then_done(me: Client) -> None:
    thread_id = await me.new_thread("Moving target")
    block = await blocked(me, "Delete the thread “Moving target”")
    first = block.checkpoints[0].checkpoint_id
    await me.say(thread_id)
    await me.approve(first)

    second = await waits(me, block.run_id)
    assert second != first
    assert "Moving target" in await me.titles()
    before, now = await me.checkpoint(first), await me.checkpoint(second)
    assert before.etag != now.etag
    assert before.state == CheckpointState.CHECKPOINT_STATE_EXPIRED
    assert before.resolution_reason == "the run has planned anew"

    await me.approve(second)
    run = await me.go_on(block.run_id)
    assert run.state == RunState.RUN_STATE_SUCCEEDED
    assert [action.execution_state for action in run.actions] == [FAILED, SUCCEEDED]
    assert "Moving target" not in await me.titles()


async def test_what_was_done_before_it_is_not_done_again(me: Client) -> None:
    thread_id = await me.new_thread("Moving")
    delete = {"name": "thread_delete", "input": {"thread": thread_id}}
    create = {"name": "thread_create", "input": {"title": "New", "founding_intent": "x"}}
    archive = {"name": "thread_archive", "input": {"thread": thread_id}}
    plans = [
        {"tools": [create, delete, archive], "finish": True},
        {"text": "One was done, two were not."},
    ]
    block = await blocked(me, f"x\n#simulate: {json.dumps(plans)}")
    await me.say(thread_id)
    for waiting in block.checkpoints:
        await me.approve(waiting.checkpoint_id)

    run = await me.go_on(block.run_id)

    states = [action.execution_state for action in run.actions]
    assert states == [SUCCEEDED, FAILED, NOT_STARTED]
    assert run.answer == "One was done, two were not."
    assert sorted(await me.titles()) == ["Moving", "New"]
    ends = [(await me.checkpoint(waiting.checkpoint_id)).state for waiting in block.checkpoints]
    expired = CheckpointState.CHECKPOINT_STATE_EXPIRED
    assert ends == [CheckpointState.CHECKPOINT_STATE_APPROVED, expired, expired]


async def test_in_the_last_round_the_run_ends_and_says_what_to_do(me: Client) -> None:
    thread_id = await me.new_thread("Restless")
    look = {"tools": [{"name": "thread_search", "input": {"query": "x"}}]}
    last = {"tools": [{"name": "thread_delete", "input": {"thread": thread_id}}], "finish": True}
    block = await blocked(me, f"x\n#simulate: {json.dumps([look] * 4 + [last])}")
    await me.say(thread_id)
    await me.approve(block.checkpoints[0].checkpoint_id)

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await me.go_on(block.run_id)

    assert reason_of(refused.value) == "RUN_FAILED"
    assert "ask again" in (refused.value.details() or "")
    run = await me.run(block.run_id)
    assert run.error_reason == "TARGET_CHANGED"
    unused = await me.checkpoint(block.checkpoints[0].checkpoint_id)
    assert unused.state == CheckpointState.CHECKPOINT_STATE_EXPIRED
    assert "Restless" in await me.titles()
