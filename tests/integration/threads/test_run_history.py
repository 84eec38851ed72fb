"""What became of a run is recorded in its thread: each fact once, and no content but the answer."""

import asyncio
from dataclasses import replace
from uuid import uuid4

import grpc
import pytest

from chenu.threads.v1 import thread_event_service_pb2 as rpc
from chenu.threads.v1.message_pb2 import Message, MessageRole
from chenu.threads.v1.message_service_pb2 import ListMessagesRequest
from chenu.threads.v1.thread_event_pb2 import ThreadEvent, ThreadEventType
from chenu.threads.v1.thread_pb2 import Thread
from chenu.threads.v1.thread_service_pb2 import ArchiveThreadRequest
from tests.support.identity import Metadata, Person, StandInIdentity
from tests.support.refusals import refused
from tests.support.threads import ThreadsClient

TRIGGERED = ThreadEventType.THREAD_EVENT_TYPE_CHECKPOINT_TRIGGERED
APPROVED = ThreadEventType.THREAD_EVENT_TYPE_CHECKPOINT_APPROVED
COMPLETED = ThreadEventType.THREAD_EVENT_TYPE_ACTION_COMPLETED
ENDS = (
    ThreadEventType.THREAD_EVENT_TYPE_CHECKPOINT_EXPIRED,
    ThreadEventType.THREAD_EVENT_TYPE_CHECKPOINT_CANCELLED,
    ThreadEventType.THREAD_EVENT_TYPE_CHECKPOINT_SUPERSEDED,
)
NOTE = ThreadEventType.THREAD_EVENT_TYPE_NOTE_ADDED


@pytest.fixture
def as_nova(person: Person, identity: StandInIdentity) -> Metadata:
    return identity.as_nova(person)


def of_run(thread: Thread, *kinds: ThreadEventType, answer: str = "") -> rpc.RecordRunRequest:
    """A run of one action, to which all of this happened."""
    checkpoint, action = str(uuid4()), str(uuid4())
    return rpc.RecordRunRequest(
        thread_id=thread.thread_id,
        run_id=str(uuid4()),
        facts=[
            rpc.RunFact(
                type=kind, request_id=action, checkpoint_id=checkpoint, tool="thread.delete"
            )
            for kind in kinds
        ],
        answer=answer,
    )


async def told(client: ThreadsClient, metadata: Metadata, thread: Thread) -> list[ThreadEvent]:
    """What the thread's history holds after its founding."""
    answer = await client.events.ListThreadEvents(
        rpc.ListThreadEventsRequest(thread_id=thread.thread_id, after_sequence=1),
        metadata=metadata,
    )
    return list(answer.events)


async def said(client: ThreadsClient, metadata: Metadata, thread: Thread) -> list[Message]:
    answer = await client.messages.ListMessages(
        ListMessagesRequest(thread_id=thread.thread_id), metadata=metadata
    )
    return list(answer.messages)


async def test_facts_are_recorded_by_the_system_with_ids_alone(
    client: ThreadsClient, person: Person, as_nova: Metadata
) -> None:
    thread = await client.found(person)
    run = of_run(thread, TRIGGERED, APPROVED, COMPLETED, *ENDS)

    answer = await client.events.RecordRun(run, metadata=as_nova)

    events = await told(client, as_nova, thread)
    assert [event.type for event in events] == [TRIGGERED, APPROVED, COMPLETED, *ENDS]
    assert {event.actor_type for event in events} == {"system"}
    assert events[0].payload["checkpoint"] == run.facts[0].checkpoint_id
    assert events[0].payload["run"] == run.run_id
    assert answer.sequence_number == events[-1].sequence_number


async def test_told_again_at_once_or_in_part_everything_is_there_once(
    client: ThreadsClient, person: Person, as_nova: Metadata
) -> None:
    thread = await client.found(person)
    run = of_run(thread, TRIGGERED, APPROVED, answer="Done.")
    part = rpc.RecordRunRequest()
    part.CopyFrom(run)
    del part.facts[1]
    part.answer = ""

    await client.events.RecordRun(part, metadata=as_nova)
    await asyncio.gather(*(client.events.RecordRun(run, metadata=as_nova) for _ in range(4)))

    events = await told(client, as_nova, thread)
    assert [event.type for event in events] == [TRIGGERED, APPROVED, NOTE]
    assert [message.content for message in await said(client, as_nova, thread)] == ["Done."]


async def test_facts_leave_the_etag_as_it_was_and_the_answer_moves_it(
    client: ThreadsClient, person: Person, as_nova: Metadata
) -> None:
    thread = await client.found(person)

    await client.events.RecordRun(of_run(thread, TRIGGERED, COMPLETED), metadata=as_nova)
    assert (await client.get(person, thread.thread_id)).etag == thread.etag

    await client.events.RecordRun(of_run(thread, answer="Done."), metadata=as_nova)
    assert (await client.get(person, thread.thread_id)).etag != thread.etag


async def test_a_run_goes_on_with_a_thread_that_another_run_was_told_of_meanwhile(
    client: ThreadsClient, person: Person, as_nova: Metadata
) -> None:
    thread = await client.found(person)
    append = client.action(person, "thread.append", thread, content="First.")
    await client.execute(person, append)
    await client.events.RecordRun(of_run(thread, TRIGGERED), metadata=as_nova)

    archive = client.action(person, "thread.archive", thread)
    await client.execute(person, replace(archive, run=append.run))


@pytest.mark.parametrize(
    ("agent", "failed", "role"),
    [
        ("", False, MessageRole.MESSAGE_ROLE_ASSISTANT),
        (str(uuid4()), False, MessageRole.MESSAGE_ROLE_AGENT),
        ("", True, MessageRole.MESSAGE_ROLE_SYSTEM),
    ],
)
async def test_the_answer_is_novas_or_the_agents_and_what_failed_the_systems(
    client: ThreadsClient,
    person: Person,
    identity: StandInIdentity,
    agent: str,
    failed: bool,
    role: MessageRole,
) -> None:
    thread = await client.found(person)
    metadata = identity.as_nova(person, agent)
    run = of_run(thread, answer="So be it.")
    run.failed = failed

    await client.events.RecordRun(run, metadata=metadata)

    (message,) = await said(client, metadata, thread)
    assert (message.role, message.content) == (role, "So be it.")


async def test_an_archived_thread_is_told_the_facts_and_gets_no_message(
    client: ThreadsClient, person: Person, as_human: Metadata, as_nova: Metadata
) -> None:
    thread = await client.found(person)
    await client.threads.ArchiveThread(
        ArchiveThreadRequest(thread_id=thread.thread_id), metadata=as_human
    )

    await client.events.RecordRun(of_run(thread, APPROVED, answer="Done."), metadata=as_nova)

    assert (await told(client, as_nova, thread))[-1].type == APPROVED
    assert not await said(client, as_nova, thread)


async def test_nobody_tells_a_thread_of_another_identity(
    client: ThreadsClient, person: Person, identity: StandInIdentity
) -> None:
    thread = await client.found(person)
    run = of_run(thread, APPROVED)
    foreign = identity.as_nova(Person())

    await refused(
        client.events.RecordRun(run, metadata=foreign),
        grpc.StatusCode.PERMISSION_DENIED,
        "FORBIDDEN",
    )


async def test_nova_records_nothing_but_what_becomes_of_runs(
    client: ThreadsClient, person: Person, as_nova: Metadata
) -> None:
    thread = await client.found(person)
    for kind in (NOTE, ThreadEventType.THREAD_EVENT_TYPE_DECISION_RECORDED):
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await client.events.RecordRun(of_run(thread, kind), metadata=as_nova)
        assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
