"""A person changes an action before approving it: Nova does what was approved, and says so."""

import json
from typing import Any

import grpc
import pytest

from chenu.governance.v1.review_service_pb2 import (
    EditCheckpointRequest,
    EditedTarget,
    EditedTargets,
)
from chenu.governance.v1.review_service_pb2_grpc import ReviewServiceStub
from chenu.nova.v1.run_pb2 import RunState
from chenu.threads.v1.thread_pb2 import Sphere
from chenu.threads.v1.thread_service_pb2 import GetThreadRequest
from tests.laws.stories import blocked
from tests.support.fleet import Client
from tests.support.model_requests import results_in


async def test_the_edited_action_is_done_and_the_model_answers_by_what_was_done(
    me: Client, asked: list[dict[str, Any]]
) -> None:
    one, two = await me.new_thread("One"), await me.new_thread("Two")
    with pytest.raises(grpc.aio.AioRpcError):
        await me.execute("Delete the thread “One”")
    (waiting,) = await me.inbox()
    checkpoint = await me.checkpoint(waiting.checkpoint_id)
    thread = (await me.threads.GetThread(GetThreadRequest(thread_id=two), metadata=me.me)).thread
    arguments = json.loads(checkpoint.action)["arguments"] | {"thread": two}
    target = EditedTarget(type="thread", id=two, version=thread.etag, name="Two")

    answer = await ReviewServiceStub(me.fleet.channel("governance")).EditCheckpoint(
        EditCheckpointRequest(
            checkpoint_id=checkpoint.checkpoint_id,
            etag=checkpoint.etag,
            arguments=json.dumps(arguments),
            targets=EditedTargets(targets=[target]),
        ),
        metadata=me.me,
    )
    assert answer.checkpoint.revision == 2
    await me.approve(checkpoint.checkpoint_id)
    run = await me.go_on(checkpoint.run_id)

    assert run.state == RunState.RUN_STATE_SUCCEEDED
    assert await me.titles() == ["One"]
    (action,) = run.actions
    assert action.edited
    assert json.loads(action.arguments)["thread"] == two
    assert action.action_digest == answer.checkpoint.action_digest
    assert any("changed thread.delete before approving" in notice for notice in run.notices)
    results = results_in(asked[-1])
    (failed, said), (_, early) = results["thread_delete"], results["finish"]
    assert (failed, said["reason"], said["arguments"]) == (False, "EDITED", {"thread": two})
    assert json.loads(said["result"]) == json.loads(action.result)
    assert "a person changed the plan" in early["message"]
    assert run.round == 2
    assert two in run.answer
    assert one not in run.answer


async def test_what_was_edited_and_then_rejected_was_not_done(me: Client) -> None:
    one = await me.new_thread("One")
    block = await blocked(me, "Transfer the thread “One” to business")
    checkpoint = await me.checkpoint(block.checkpoints[0].checkpoint_id)
    arguments = json.loads(checkpoint.action)["arguments"] | {"sphere": "community"}
    await ReviewServiceStub(me.fleet.channel("governance")).EditCheckpoint(
        EditCheckpointRequest(
            checkpoint_id=checkpoint.checkpoint_id,
            etag=checkpoint.etag,
            arguments=json.dumps(arguments),
        ),
        metadata=me.me,
    )
    await me.reject(checkpoint.checkpoint_id, "on second thought, no")
    with pytest.raises(grpc.aio.AioRpcError):
        await me.go_on(block.run_id)

    run = await me.run(block.run_id)
    (action,) = run.actions
    assert (action.edited, action.rejected) == (True, True)
    assert not any("before approving" in notice for notice in run.notices)
    shown = await me.threads.GetThread(GetThreadRequest(thread_id=one), metadata=me.me)
    assert shown.thread.sphere == Sphere.SPHERE_PERSONAL
