import asyncio
import random
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest
import rfc8785
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct

from chenu.threads.v1 import message_service_pb2, thread_service_pb2
from chenu.threads.v1 import thread_event_service_pb2 as rpc
from chenu.threads.v1.thread_event_pb2 import ThreadEvent, ThreadEventType
from services.threads.changes import payload_digest
from tests.support.identity import Metadata, Person
from tests.support.refusals import refused
from tests.support.threads import ThreadsClient

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOTE = ThreadEventType.THREAD_EVENT_TYPE_NOTE_ADDED


def struct(**fields: Any) -> Struct:
    made = Struct()
    made.update(fields)
    return made


async def append(
    client: ThreadsClient, metadata: Metadata, thread_id: str, **fields: Any
) -> ThreadEvent:
    answer = await client.events.AppendThreadEvent(
        rpc.AppendThreadEventRequest(**{"thread_id": thread_id, "type": NOTE, **fields}),
        metadata=metadata,
    )
    return answer.event


async def history(client: ThreadsClient, metadata: Metadata, thread_id: str) -> list[ThreadEvent]:
    answer = await client.events.ListThreadEvents(
        rpc.ListThreadEventsRequest(thread_id=thread_id, page_size=200), metadata=metadata
    )
    return list(answer.events)


async def test_the_first_event_is_the_founding_with_its_intent(
    client: ThreadsClient, person: Person, as_human: Metadata
) -> None:
    thread = await client.found(person, "Title", founding_intent="Why it is")

    (event,) = await history(client, as_human, thread.thread_id)

    assert event.sequence_number == 1
    assert event.type == ThreadEventType.THREAD_EVENT_TYPE_THREAD_CREATED
    assert event.payload["founding_intent"] == "Why it is"
    assert (event.actor_type, event.identity_id) == ("human", person.identity)


async def test_every_change_of_a_thread_is_in_its_history(
    client: ThreadsClient, person: Person, as_human: Metadata
) -> None:
    thread = await client.found(person)
    of = {"thread_id": thread.thread_id}
    await client.messages.CreateMessage(
        message_service_pb2.CreateMessageRequest(**of, content="secret words"), metadata=as_human
    )
    await client.threads.ResolveThread(
        thread_service_pb2.ResolveThreadRequest(**of), metadata=as_human
    )
    await client.threads.ArchiveThread(
        thread_service_pb2.ArchiveThreadRequest(**of), metadata=as_human
    )
    await client.threads.ReopenThread(
        thread_service_pb2.ReopenThreadRequest(**of), metadata=as_human
    )

    events = await history(client, as_human, thread.thread_id)

    kinds = [ThreadEventType.Name(e.type).removeprefix("THREAD_EVENT_TYPE_") for e in events]
    assert kinds == [
        "THREAD_CREATED",
        "NOTE_ADDED",
        "THREAD_UPDATED",
        "THREAD_ARCHIVED",
        "THREAD_UPDATED",
    ]
    assert [e.sequence_number for e in events] == [1, 2, 3, 4, 5]
    assert "secret words" not in str(events)


async def test_a_payload_is_kept_with_the_digest_of_its_canonical_json(
    client: ThreadsClient, person: Person, as_human: Metadata
) -> None:
    thread = await client.found(person)
    payload: dict[str, Any] = {"z": 1, "a": [True, None, "é", 0.1, -1e300], "nested": {"n": 2.50}}

    event = await append(client, as_human, thread.thread_id, payload=struct(**payload))

    kept = MessageToDict(event.payload)
    assert kept == payload
    assert event.payload_digest == payload_digest(payload)
    assert event.payload_digest == payload_digest(kept)
    assert rfc8785.dumps(kept) == rfc8785.dumps(payload)


async def test_an_event_may_insist_on_what_came_before(
    client: ThreadsClient, person: Person, as_human: Metadata
) -> None:
    thread = await client.found(person)
    await append(client, as_human, thread.thread_id, expected_version=1)

    info = await refused(
        append(client, as_human, thread.thread_id, expected_version=1),
        grpc.StatusCode.ABORTED,
        "VERSION_CONFLICT",
    )

    assert info.metadata["current_version"] == "2"


@pytest.mark.parametrize(
    "reserved", ["THREAD_CREATED", "THREAD_ARCHIVED", "THREAD_REFERENCED", "CHECKPOINT_APPROVED"]
)
async def test_what_services_record_themselves_no_person_records(
    client: ThreadsClient, person: Person, as_human: Metadata, reserved: str
) -> None:
    thread = await client.found(person)

    await refused(
        append(
            client,
            as_human,
            thread.thread_id,
            type=ThreadEventType.Value(f"THREAD_EVENT_TYPE_{reserved}"),
        ),
        INVALID,
        "EVENT_TYPE_RESERVED",
    )


@pytest.mark.parametrize(
    "payload",
    [
        struct(text="x" * 40_000),
        struct(number=float("nan")),
        struct(number=float("inf")),
        struct(text="a\0b"),
        struct(**{"a\0b": 1}),
    ],
)
async def test_a_payload_that_is_too_large_or_no_json_is_refused(
    client: ThreadsClient, person: Person, as_human: Metadata, payload: Struct
) -> None:
    thread = await client.found(person)

    await refused(
        append(client, as_human, thread.thread_id, payload=payload), INVALID, "INVALID_REQUEST"
    )
    assert len(await history(client, as_human, thread.thread_id)) == 1


async def test_the_same_request_id_appends_once(
    client: ThreadsClient, person: Person, as_human: Metadata
) -> None:
    thread = await client.found(person)
    request_id = str(uuid4())

    first = await append(client, as_human, thread.thread_id, request_id=request_id)
    again = await append(client, as_human, thread.thread_id, request_id=request_id)

    assert again == first
    await refused(
        append(client, as_human, thread.thread_id, request_id=request_id, expected_version=9),
        INVALID,
        "REQUEST_ID_REUSED",
    )


async def test_events_are_listed_from_anywhere_on_pages(
    client: ThreadsClient, person: Person, as_human: Metadata
) -> None:
    thread = await client.found(person)
    for _ in range(6):
        await append(client, as_human, thread.thread_id)

    seen, token = [], ""
    while True:
        page = await client.events.ListThreadEvents(
            rpc.ListThreadEventsRequest(
                thread_id=thread.thread_id, after_sequence=2, page_size=2, page_token=token
            ),
            metadata=as_human,
        )
        seen += [event.sequence_number for event in page.events]
        token = page.next_page_token
        if not token:
            break

    assert seen == [3, 4, 5, 6, 7]


async def test_many_writers_leave_no_gap_and_lose_nothing(
    client: ThreadsClient, person: Person, as_human: Metadata
) -> None:
    thread = await client.found(person)
    rng, conflicts, kept = random.Random(7), 0, []

    async def writer(number: int) -> None:
        nonlocal conflicts
        for turn in range(6):
            insist = rng.random() < 0.5
            expected = (await client.get(person, thread.thread_id)).event_count if insist else 0
            word = f"{number}/{turn}"
            try:
                await append(
                    client,
                    as_human,
                    thread.thread_id,
                    payload=struct(word=word),
                    expected_version=expected,
                )
            except grpc.aio.AioRpcError as error:
                conflicts += error.code() is grpc.StatusCode.ABORTED
            else:
                kept.append(word)

    await asyncio.gather(*(writer(number) for number in range(8)))

    events = await history(client, as_human, thread.thread_id)
    assert [e.sequence_number for e in events] == list(range(1, len(kept) + 2))
    assert sorted(str(e.payload["word"]) for e in events[1:]) == sorted(kept)
    assert conflicts == 8 * 6 - len(kept) > 0
    assert (await client.get(person, thread.thread_id)).event_count == len(kept) + 1


async def test_an_erased_payload_leaves_its_digest(
    client: ThreadsClient, person: Person, as_human: Metadata, superuser: asyncpg.Connection
) -> None:
    thread = await client.found(person)
    event = await append(client, as_human, thread.thread_id, payload=struct(secret="mine"))
    await superuser.execute(
        "DELETE FROM threads.event_payloads WHERE event_id = $1", event.event_id
    )

    *_, erased = await history(client, as_human, thread.thread_id)

    assert not erased.HasField("payload")
    assert erased.payload_digest == event.payload_digest
