"""What is long comes on more pages, since one answer cannot hold it."""

from typing import Any

import pytest

from chenu.threads.v1 import message_service_pb2, thread_event_service_pb2, thread_service_pb2
from chenu.threads.v1.thread_event_pb2 import ThreadEventType
from services.threads import resources
from tests.support.identity import Metadata, Person
from tests.support.threads import ThreadsClient

LONG = "字" * 500


async def found(client: ThreadsClient, person: Person, as_human: Metadata) -> tuple[Any, Any, str]:
    for _ in range(5):
        await client.found(person, LONG)
    return client.threads.ListThreads, thread_service_pb2.ListThreadsRequest(), "threads"


async def said(client: ThreadsClient, person: Person, as_human: Metadata) -> tuple[Any, Any, str]:
    thread_id = (await client.found(person)).thread_id
    for _ in range(5):
        say = message_service_pb2.CreateMessageRequest(thread_id=thread_id, content=LONG)
        await client.messages.CreateMessage(say, metadata=as_human)
    request = message_service_pb2.ListMessagesRequest(thread_id=thread_id)
    return client.messages.ListMessages, request, "messages"


async def recorded(
    client: ThreadsClient, person: Person, as_human: Metadata
) -> tuple[Any, Any, str]:
    thread_id = (await client.found(person, LONG)).thread_id
    for _ in range(4):
        event = thread_event_service_pb2.AppendThreadEventRequest(
            thread_id=thread_id, type=ThreadEventType.THREAD_EVENT_TYPE_NOTE_ADDED
        )
        event.payload.update({"said": LONG})
        await client.events.AppendThreadEvent(event, metadata=as_human)
    request = thread_event_service_pb2.ListThreadEventsRequest(thread_id=thread_id)
    return client.events.ListThreadEvents, request, "events"


@pytest.mark.parametrize("made", [found, said, recorded])
async def test_a_page_ends_before_it_is_too_large_and_the_next_goes_on(
    client: ThreadsClient,
    person: Person,
    as_human: Metadata,
    monkeypatch: pytest.MonkeyPatch,
    made: Any,
) -> None:
    listing, request, name = await made(client, person, as_human)
    whole = getattr(await listing(request, metadata=as_human), name)
    assert len(whole) == 5

    for room, sizes in ((2.5, [2, 2, 1]), (0.1, [1] * 5)):
        monkeypatch.setattr(resources, "MOST_BYTES", int(room * whole[0].ByteSize()))
        pages, more = [], True
        while more:
            page = await listing(request, metadata=as_human)
            pages.append(list(getattr(page, name)))
            request.page_token, more = page.next_page_token, bool(page.next_page_token)
        assert [len(page) for page in pages] == sizes
        assert [one for page in pages for one in page] == list(whole)
