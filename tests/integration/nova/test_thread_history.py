"""A run that belongs to a thread tells it what waited, what was decided, what was done and said."""

import grpc
import pytest

from chenu.nova.v1.run_service_pb2 import CancelRunRequest
from chenu.threads.v1.message_pb2 import MessageRole
from chenu.threads.v1.thread_event_pb2 import ThreadEventType
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


async def test_a_rejected_run_says_why_nothing_was_done(me: Client) -> None:
    home = await me.new_thread("Home")
    await me.new_thread("Keep me")
    block = await blocked(me, "Delete the thread “Keep me”", thread_id=home)
    await me.reject(block.checkpoints[0].checkpoint_id)
    with pytest.raises(grpc.aio.AioRpcError):
        await me.go_on(block.run_id)

    assert await told(me, home) == ["CHECKPOINT_TRIGGERED", "CHECKPOINT_REJECTED", "NOTE_ADDED"]
    (message,) = await me.messages(home)
    assert message.role == MessageRole.MESSAGE_ROLE_SYSTEM
    assert message.content == (await me.run(block.run_id)).error_message


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


async def test_a_run_that_deletes_its_own_thread_ends_well(me: Client) -> None:
    home = await me.new_thread("Home")
    block = await blocked(me, "Delete the thread “Home”", thread_id=home)
    await me.approve(block.checkpoints[0].checkpoint_id)
    await me.go_on(block.run_id)
    assert "Home" not in await me.titles()
