"""A person changes an action before approving it: Nova does what was approved, and says so."""

import json

import grpc
import pytest

from chenu.governance.v1.review_service_pb2 import (
    EditCheckpointRequest,
    EditedTarget,
    EditedTargets,
)
from chenu.governance.v1.review_service_pb2_grpc import ReviewServiceStub
from chenu.nova.v1.run_pb2 import RunState
from chenu.threads.v1.thread_service_pb2 import GetThreadRequest
from services.nova.lanes.planning import tell_results
from services.nova.record import RunRecord
from tests.support.fleet import Client


async def test_the_edited_action_is_done_and_the_run_says_that_it_was_edited(me: Client) -> None:
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
    assert one


def test_the_model_is_told_what_was_done_instead_of_what_it_proposed() -> None:
    from chenu.nova.v1.run_pb2 import Run, RunAction
    from kernel.caller import Caller

    record = RunRecord(Run(run_id="r"), Caller.system())
    action = RunAction(request_id="q", result='{"ok":true}', arguments='{"n":2}', edited=True)
    record.run.actions.append(action)
    record.journal |= {"uses": {"q": "use-1"}, "refused": {}, "turns": []}

    tell_results(record)

    told = json.dumps(record.journal["turns"], ensure_ascii=False)
    assert "A person changed this action" in told
    assert "Do not try yours again" in told
