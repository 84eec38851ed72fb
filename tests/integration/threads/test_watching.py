import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import replace

import grpc
import pytest

from chenu.threads.v1.message_service_pb2 import CreateMessageRequest
from chenu.threads.v1.thread_event_pb2 import ThreadEventType
from chenu.threads.v1.thread_service_pb2 import WatchThreadRequest, WatchThreadResponse
from kernel.caller import Caller
from kernel.database import Database
from kernel.errors import Forbidden
from kernel.watching import Changes
from services.threads.settings import ThreadsSettings
from services.threads.watching import Watcher
from tests.support.identity import Metadata, Person
from tests.support.refusals import refused
from tests.support.threads import ThreadsClient
from tests.support.waiting import PATIENCE


async def watch(
    client: ThreadsClient, metadata: Metadata, thread_id: str, after: int = 0
) -> AsyncGenerator[WatchThreadResponse, None]:
    call = client.threads.WatchThread(
        WatchThreadRequest(thread_id=thread_id, after_sequence=after),
        metadata=metadata,
        timeout=PATIENCE,
    )
    try:
        async for response in call:
            yield response
    finally:
        call.cancel()


async def drain(stream: AsyncGenerator[object, None]) -> None:
    async with asyncio.timeout(PATIENCE):
        async for _ in stream:
            pass


async def say(client: ThreadsClient, metadata: Metadata, thread_id: str) -> None:
    await client.messages.CreateMessage(
        CreateMessageRequest(thread_id=thread_id, content="hello"), metadata=metadata
    )


async def next_event(stream: AsyncGenerator[WatchThreadResponse, None]) -> WatchThreadResponse:
    async for response in stream:
        if response.HasField("event"):
            return response
    raise AssertionError("the stream ended")


async def test_a_watcher_hears_of_what_was_and_of_what_happens(
    client: ThreadsClient, person: Person, as_human: Metadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread, waits = await client.found(person), asyncio.Event()
    wait_for_change = Changes.wait

    async def wait(self: Changes, key: str, _: float) -> bool:
        if key == thread.thread_id:
            waits.set()
        return await wait_for_change(self, key, 3600)  # woken, not found by the next poll

    monkeypatch.setattr(Changes, "wait", wait)
    stream = watch(client, as_human, thread.thread_id)
    first = await next_event(stream)
    await waits.wait()

    await say(client, as_human, thread.thread_id)
    second = await next_event(stream)

    assert (first.sequence_number, second.sequence_number) == (1, 2)
    assert second.event.type == ThreadEventType.THREAD_EVENT_TYPE_NOTE_ADDED
    monkeypatch.undo()
    await stream.aclose()


async def test_a_watcher_resumes_where_it_was(
    client: ThreadsClient, person: Person, as_human: Metadata
) -> None:
    thread = await client.found(person)
    for _ in range(3):
        await say(client, as_human, thread.thread_id)

    stream = watch(client, as_human, thread.thread_id, after=2)

    assert [(await next_event(stream)).sequence_number for _ in range(2)] == [3, 4]
    await stream.aclose()


async def test_silence_is_filled_with_heartbeats_that_say_where_to_resume(
    client: ThreadsClient, person: Person, as_human: Metadata
) -> None:
    thread = await client.found(person)
    stream = watch(client, as_human, thread.thread_id, after=1)

    beats = [await anext(stream) for _ in range(2)]

    assert all(not beat.HasField("event") and beat.sequence_number == 1 for beat in beats)
    await stream.aclose()


async def test_a_foreign_thread_is_not_watched(client: ThreadsClient, person: Person) -> None:
    thread = await client.found(person)
    stranger = client.identity.as_human(Person())

    await refused(
        anext(watch(client, stranger, thread.thread_id)),
        grpc.StatusCode.PERMISSION_DENIED,
        "FORBIDDEN",
    )


@pytest.fixture
def caller(person: Person) -> Caller:
    return Caller(
        tenant=person.tenant, person=person.person, identity=person.identity, actor="human"
    )


def a_watcher(
    database: Database, settings: ThreadsSettings, stopping: asyncio.Event | None = None
) -> Watcher:
    return Watcher(database, Changes(), settings, stopping or asyncio.Event())


async def test_a_stream_ends_by_itself_after_its_life(
    client: ThreadsClient,
    person: Person,
    caller: Caller,
    database: Database,
    settings: ThreadsSettings,
) -> None:
    thread = await client.found(person)
    watcher = a_watcher(database, settings.model_copy(update={"watch_seconds": 0.3}))

    async with asyncio.timeout(PATIENCE):
        seen = [sequence async for _, sequence in watcher.follow(caller, thread.thread_id, 0)]

    assert seen[0] == 1


async def test_a_stream_lives_no_longer_than_its_token(
    client: ThreadsClient,
    person: Person,
    caller: Caller,
    database: Database,
    settings: ThreadsSettings,
) -> None:
    thread = await client.found(person)
    expiring = replace(caller, claims={"exp": time.time() + 0.3})

    await drain(a_watcher(database, settings).follow(expiring, thread.thread_id, 0))


async def test_a_stream_ends_when_the_service_stops(
    client: ThreadsClient,
    person: Person,
    caller: Caller,
    database: Database,
    settings: ThreadsSettings,
) -> None:
    thread = await client.found(person)
    stopping = asyncio.Event()
    stopping.set()
    watcher = a_watcher(database, settings, stopping)

    async with asyncio.timeout(PATIENCE):
        assert [s async for _, s in watcher.follow(caller, thread.thread_id, 0)] == [1]


async def test_a_stream_of_many_events_sends_all_of_them_in_order(
    client: ThreadsClient,
    person: Person,
    as_human: Metadata,
    caller: Caller,
    database: Database,
    settings: ThreadsSettings,
) -> None:
    thread = await client.found(person)
    for _ in range(120):
        await say(client, as_human, thread.thread_id)
    stream = a_watcher(database, settings).follow(caller, thread.thread_id, 0)
    seen = [(await anext(stream))[1] for _ in range(121)]
    await stream.aclose()
    assert seen == list(range(1, 122))

    over = a_watcher(database, settings.model_copy(update={"watch_seconds": 1e-9}))
    some = [s async for _, s in over.follow(caller, thread.thread_id, 0)]
    assert some == list(range(1, 101))  # a long history holds no stream open beyond its life


async def test_a_change_by_another_process_is_found_without_being_told(
    client: ThreadsClient,
    person: Person,
    as_human: Metadata,
    caller: Caller,
    database: Database,
    settings: ThreadsSettings,
) -> None:
    thread = await client.found(person)
    stream = a_watcher(database, settings).follow(caller, thread.thread_id, 1)
    await anext(stream)  # a heartbeat
    await say(client, as_human, thread.thread_id)

    async with asyncio.timeout(PATIENCE):
        while (await anext(stream))[0] is None:
            pass
    await stream.aclose()


async def test_a_stream_ends_with_the_right_to_see_the_thread(
    client: ThreadsClient,
    person: Person,
    caller: Caller,
    database: Database,
    settings: ThreadsSettings,
) -> None:
    thread = await client.found(person)
    stream = a_watcher(database, settings).follow(caller, thread.thread_id, 1)
    await anext(stream)
    await client.execute(person, client.action(person, "thread.delete", thread))

    with pytest.raises(Forbidden):
        await drain(stream)
