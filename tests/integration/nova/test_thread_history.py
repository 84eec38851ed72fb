"""A run that belongs to a thread tells it what waited, what was decided, what was done and said."""

from datetime import timedelta
from typing import Any

import grpc
import jwt
import pytest

from chenu.governance.v1.checkpoint_pb2 import CheckpointState
from chenu.nova.v1.run_service_pb2 import CancelRunRequest
from chenu.threads.v1.message_pb2 import MessageRole
from chenu.threads.v1.thread_event_pb2 import ThreadEventType
from kernel.errors import reason_of
from tests.laws.stories import blocked
from tests.support.fleet import Client


async def told(me: Client, thread_id: str) -> list[str]:
    """The kinds of what happened in the thread after its founding."""
    prefix = "THREAD_EVENT_TYPE_"
    events = (await me.history(thread_id))[1:]
    return [ThreadEventType.Name(event.type).removeprefix(prefix) for event in events]


async def test_an_approved_run_is_told_from_its_checkpoint_to_its_answer(me: Client) -> None:
    home = await me.new_thread("Home")
    await me.new_thread("Old drafts")
    block = await blocked(me, "Delete the thread “Old drafts”", thread_id=home)
    assert await told(me, home) == ["CHECKPOINT_TRIGGERED"]

    await me.approve(block.checkpoints[0].checkpoint_id)
    run = await me.go_on(block.run_id)

    assert await told(me, home) == [
        "CHECKPOINT_TRIGGERED",
        "CHECKPOINT_APPROVED",
        "ACTION_COMPLETED",
        "NOTE_ADDED",
    ]
    waited, approved, done, _ = (await me.history(home))[1:]
    assert waited.payload["checkpoint"] == approved.payload["checkpoint"]
    assert waited.payload["checkpoint"] == block.checkpoints[0].checkpoint_id
    assert (done.payload["tool"], done.payload["state"]) == ("thread.delete", "succeeded")
    (message,) = await me.messages(home)
    assert (message.role, message.content) == (MessageRole.MESSAGE_ROLE_ASSISTANT, run.answer)


async def test_a_rejected_run_tells_the_end_of_each_checkpoint_and_what_nova_says(
    me: Client,
) -> None:
    home = await me.new_thread("Home")
    await me.new_thread("Keep me")
    await me.new_thread("And me")
    text = "Delete the thread “Keep me” and delete the thread “And me”"
    block = await blocked(me, text, thread_id=home)
    await me.reject(block.checkpoints[0].checkpoint_id, "it stays")
    with pytest.raises(grpc.aio.AioRpcError):
        await me.go_on(block.run_id)

    waited = ["CHECKPOINT_TRIGGERED"] * 2
    ends = ["CHECKPOINT_REJECTED", "CHECKPOINT_CANCELLED"]
    assert await told(me, home) == [*waited, *ends, "NOTE_ADDED"]
    (message,) = await me.messages(home)
    assert message.role == MessageRole.MESSAGE_ROLE_ASSISTANT
    assert "it stays" in message.content


async def test_a_run_that_nobody_decided_says_so(me: Client) -> None:
    home = await me.new_thread("Home")
    await me.new_thread("Old drafts")
    block = await blocked(me, "Delete the thread “Old drafts”", thread_id=home)
    me.fleet.clock.offset = timedelta(hours=10)
    try:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await me.go_on(block.run_id)
    finally:
        me.fleet.clock.offset = timedelta(0)
    assert reason_of(refused.value) == "CHECKPOINT_EXPIRED"
    assert await told(me, home) == ["CHECKPOINT_TRIGGERED", "CHECKPOINT_EXPIRED", "NOTE_ADDED"]
    (message,) = await me.messages(home)
    assert message.role == MessageRole.MESSAGE_ROLE_SYSTEM


async def test_what_a_newer_message_takes_the_place_of_is_told_as_superseded(me: Client) -> None:
    home = await me.new_thread("Home")
    await me.new_thread("Scratch")
    block = await blocked(me, "Delete the thread “Scratch”", thread_id=home)
    await me.execute("What is a thread?", thread_id=home)
    with pytest.raises(grpc.aio.AioRpcError):
        await me.go_on(block.run_id)
    assert "CHECKPOINT_SUPERSEDED" in await told(me, home)


async def test_an_approval_that_the_run_has_not_used_is_told_as_expired(me: Client) -> None:
    home = await me.new_thread("Home")
    moving = await me.new_thread("Moving target")
    block = await blocked(me, "Delete the thread “Moving target”", thread_id=home)
    await me.say(moving)
    await me.approve(block.checkpoints[0].checkpoint_id)
    with pytest.raises(grpc.aio.AioRpcError):
        await me.go_on(block.run_id)
    assert await told(me, home) == [
        "CHECKPOINT_TRIGGERED",
        "CHECKPOINT_APPROVED",
        "CHECKPOINT_EXPIRED",
        "CHECKPOINT_TRIGGERED",
    ]


async def test_an_answer_is_there_for_the_next_run_to_read(me: Client) -> None:
    home = await me.new_thread("Home")
    run = await me.execute("What is a founding intent?", thread_id=home)
    assert [message.content for message in await me.messages(home)] == [run.answer]


async def test_a_cancelled_run_adds_no_message(me: Client) -> None:
    home = await me.new_thread("Home")
    await me.new_thread("Spared")
    block = await blocked(me, "Delete the thread “Spared”", thread_id=home)
    await me.runs.CancelRun(CancelRunRequest(run_id=block.run_id), metadata=await me.nova())
    assert not await me.messages(home)
    assert await told(me, home) == ["CHECKPOINT_TRIGGERED", "CHECKPOINT_CANCELLED"]


async def test_a_run_that_deletes_its_own_thread_ends_well(me: Client) -> None:
    home = await me.new_thread("Home")
    block = await blocked(me, "Delete the thread “Home”", thread_id=home)
    await me.approve(block.checkpoints[0].checkpoint_id)
    await me.go_on(block.run_id)
    assert "Home" not in await me.titles()


async def test_what_a_run_cannot_tell_whose_delegation_has_ended_the_next_one_tells(
    me: Client, superuser: Any
) -> None:
    home = await me.new_thread("Home")
    await me.new_thread("Spared")
    block = await blocked(me, "Delete the thread “Spared”", thread_id=home)
    checkpoint = block.checkpoints[0].checkpoint_id
    spent = jwt.encode({"exp": 1}, "0" * 32)
    await superuser.execute(
        "UPDATE nova.run_contents SET delegation = $1 WHERE run_id = $2", spent, block.run_id
    )
    await me.approve(checkpoint)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await me.go_on(block.run_id)
    assert reason_of(refused.value) == "RUN_FAILED"
    waited = ["CHECKPOINT_TRIGGERED"]
    assert await told(me, home) == waited
    untold = "SELECT untold FROM nova.runs WHERE run_id = $1"
    assert await superuser.fetchval(untold, block.run_id)

    answers = [(await me.execute("What is a thread?", thread_id=home)).answer for _ in range(2)]

    ended = ["CHECKPOINT_EXPIRED", "NOTE_ADDED"]
    assert await told(me, home) == [*waited, *ended, "NOTE_ADDED", "NOTE_ADDED"]
    why, *others = [message.content for message in await me.messages(home)]
    assert why == (await me.run(block.run_id)).error_message
    assert others == answers
    assert not await superuser.fetchval(untold, block.run_id)
    given_back = await me.checkpoint(checkpoint)
    assert given_back.state == CheckpointState.CHECKPOINT_STATE_EXPIRED
