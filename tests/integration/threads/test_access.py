from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chenu.threads.v1 import message_service_pb2 as message_rpc
from chenu.threads.v1 import thread_event_service_pb2 as event_rpc
from chenu.threads.v1 import thread_service_pb2 as thread_rpc
from chenu.threads.v1.thread_event_pb2 import ThreadEventType
from chenu.threads.v1.thread_pb2 import Thread
from kernel.errors import DETAILS_KEY
from tests.support.identity import Metadata, Person, bearer
from tests.support.refusals import refused
from tests.support.threads import ThreadsClient

DENIED = grpc.StatusCode.PERMISSION_DENIED
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
READS: dict[str, Callable[[ThreadsClient, str, Metadata], Awaitable[Any]]] = {
    "GetThread": lambda c, t, m: c.threads.GetThread(
        thread_rpc.GetThreadRequest(thread_id=t), metadata=m
    ),
    "ListMessages": lambda c, t, m: c.messages.ListMessages(
        message_rpc.ListMessagesRequest(thread_id=t), metadata=m
    ),
    "ListThreadEvents": lambda c, t, m: c.events.ListThreadEvents(
        event_rpc.ListThreadEventsRequest(thread_id=t), metadata=m
    ),
}
CHANGES: dict[str, Callable[[ThreadsClient, str, Metadata], Awaitable[Any]]] = {
    "UpdateThread": lambda c, t, m: c.threads.UpdateThread(
        thread_rpc.UpdateThreadRequest(
            thread_id=t,
            thread=Thread(title="x"),
            update_mask=FieldMask(paths=["title"]),
            etag="v1",
        ),
        metadata=m,
    ),
    "ResolveThread": lambda c, t, m: c.threads.ResolveThread(
        thread_rpc.ResolveThreadRequest(thread_id=t), metadata=m
    ),
    "ArchiveThread": lambda c, t, m: c.threads.ArchiveThread(
        thread_rpc.ArchiveThreadRequest(thread_id=t), metadata=m
    ),
    "ReopenThread": lambda c, t, m: c.threads.ReopenThread(
        thread_rpc.ReopenThreadRequest(thread_id=t), metadata=m
    ),
    "CreateMessage": lambda c, t, m: c.messages.CreateMessage(
        message_rpc.CreateMessageRequest(thread_id=t, content="x"), metadata=m
    ),
    "AppendThreadEvent": lambda c, t, m: c.events.AppendThreadEvent(
        event_rpc.AppendThreadEventRequest(
            thread_id=t, type=ThreadEventType.THREAD_EVENT_TYPE_NOTE_ADDED
        ),
        metadata=m,
    ),
}
CALLS = READS | CHANGES


async def answer(call: Awaitable[Any]) -> tuple[grpc.StatusCode, str | None, Any]:
    """Everything that a refused client can see."""
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call
    trailers = dict(failure.value.trailing_metadata() or ())
    return failure.value.code(), failure.value.details(), trailers


@pytest.mark.parametrize("rpc", CALLS)
async def test_foreign_and_missing_are_the_same_answer_byte_for_byte(
    client: ThreadsClient, person: Person, rpc: str
) -> None:
    thread = await client.found(person)
    stranger = client.identity.as_human(Person())

    foreign = await answer(CALLS[rpc](client, thread.thread_id, stranger))
    missing = await answer(CALLS[rpc](client, str(uuid4()), stranger))

    assert foreign == missing
    assert foreign[0] is DENIED
    assert thread.thread_id.encode() not in foreign[2][DETAILS_KEY]
    assert await client.get(person, thread.thread_id) == thread


async def test_another_tenant_with_the_same_identity_id_sees_nothing(
    client: ThreadsClient, person: Person
) -> None:
    thread = await client.found(person)
    twin = Person(identity=person.identity, person=person.person)

    await refused(client.get(twin, thread.thread_id), DENIED, "FORBIDDEN")


@pytest.mark.parametrize("rpc", CALLS)
async def test_without_a_token_nothing_is_served(client: ThreadsClient, rpc: str) -> None:
    await refused(CALLS[rpc](client, str(uuid4()), ()), UNAUTHENTICATED, "TOKEN_INVALID")


@pytest.mark.parametrize("rpc", [*CHANGES, "CreateThread"])
async def test_an_agent_changes_nothing_by_itself(
    client: ThreadsClient, person: Person, rpc: str
) -> None:
    thread = await client.found(person)
    agent = client.identity.as_agent(person, str(uuid4()))

    await refused(CHANGES.get(rpc, create)(client, thread.thread_id, agent), DENIED, NOT_ALLOWED)
    assert await client.get(person, thread.thread_id) == thread


@pytest.mark.parametrize("rpc", [*CHANGES, "CreateThread"])
async def test_nova_changes_nothing_without_a_permit(
    client: ThreadsClient, person: Person, rpc: str
) -> None:
    thread = await client.found(person)
    nova = client.identity.as_nova(person)

    await refused(CHANGES.get(rpc, create)(client, thread.thread_id, nova), DENIED, NOT_ALLOWED)
    assert await client.get(person, thread.thread_id) == thread


NOT_ALLOWED = "CALLER_NOT_ALLOWED"


def create(client: ThreadsClient, _thread: str, metadata: Metadata) -> Awaitable[Any]:
    return client.threads.CreateThread(
        thread_rpc.CreateThreadRequest(title="x", founding_intent="y"), metadata=metadata
    )


@pytest.mark.parametrize("rpc", READS)
async def test_a_delegation_is_worth_nothing_without_novas_own_token(
    client: ThreadsClient, person: Person, rpc: str
) -> None:
    thread = await client.found(person)
    delegation = client.identity.delegation(person)
    other_service = client.identity.service("courier")

    for metadata in (bearer(delegation), bearer(delegation, other_service)):
        await refused(READS[rpc](client, thread.thread_id, metadata), DENIED, NOT_ALLOWED)
    assert await READS[rpc](client, thread.thread_id, client.identity.as_nova(person))


@pytest.mark.parametrize("rpc", READS)
async def test_an_agent_reads_what_its_person_may_read(
    client: ThreadsClient, person: Person, rpc: str
) -> None:
    thread = await client.found(person)
    agent = client.identity.as_agent(person, str(uuid4()))

    assert await READS[rpc](client, thread.thread_id, agent)


async def join(
    superuser: asyncpg.Connection, person: Person, thread: Thread, role: str, tenant: str
) -> None:
    await superuser.execute(
        "INSERT INTO threads.participants (thread_id, identity, tenant, role, person)"
        " VALUES ($1, $2, $3, $4, $5)",
        thread.thread_id,
        person.identity,
        tenant,
        role,
        person.person,
    )


async def test_a_participant_sees_a_thread_until_it_leaves(
    client: ThreadsClient, person: Person, superuser: asyncpg.Connection
) -> None:
    guest = Person(tenant=person.tenant)
    thread, _private = await client.found(person), await client.found(person)
    await join(superuser, guest, thread, "viewer", person.tenant)
    as_guest = client.identity.as_human(guest)

    listed = await client.threads.ListThreads(thread_rpc.ListThreadsRequest(), metadata=as_guest)
    assert [t.thread_id for t in listed.threads] == [thread.thread_id]
    for rpc in READS.values():
        assert await rpc(client, thread.thread_id, as_guest)

    await superuser.execute(
        "UPDATE threads.participants SET leave_time = now() WHERE identity = $1", guest.identity
    )
    await refused(client.get(guest, thread.thread_id), DENIED, "FORBIDDEN")


@pytest.mark.parametrize("rpc", CHANGES)
async def test_a_viewer_changes_nothing_and_an_editor_does(
    client: ThreadsClient, person: Person, superuser: asyncpg.Connection, rpc: str
) -> None:
    viewer, editor = Person(tenant=person.tenant), Person(tenant=person.tenant)
    thread = await client.found(person)
    await join(superuser, viewer, thread, "viewer", person.tenant)
    await join(superuser, editor, thread, "editor", person.tenant)
    thread = await client.get(person, thread.thread_id)

    as_viewer, as_editor = client.identity.as_human(viewer), client.identity.as_human(editor)
    await refused(CHANGES[rpc](client, thread.thread_id, as_viewer), DENIED, "FORBIDDEN")
    assert await client.get(person, thread.thread_id) == thread
    assert await CHANGES[rpc](client, thread.thread_id, as_editor)


@pytest.mark.parametrize(
    "tool",
    ["thread.delete", "thread.transfer", "thread.export", "thread.share", "thread.unshare"],
)
async def test_what_becomes_of_a_thread_is_its_owners_alone(
    client: ThreadsClient, person: Person, superuser: asyncpg.Connection, tool: str
) -> None:
    editor = Person(tenant=person.tenant)
    thread = await client.found(person)
    await join(superuser, editor, thread, "editor", person.tenant)
    thread = await client.get(person, thread.thread_id)
    arguments = {"sphere": "social"} if tool == "thread.transfer" else {}
    if tool.endswith("share"):
        arguments = {"identity": str(uuid4())}
    action = client.action(editor, tool, thread, **arguments)

    await refused(client.execute(editor, action), DENIED, "FORBIDDEN")
    assert await client.get(person, thread.thread_id) == thread


async def test_a_participation_in_another_tenant_opens_nothing(
    client: ThreadsClient, person: Person, superuser: asyncpg.Connection
) -> None:
    guest, thread = Person(), await client.found(person)
    await join(superuser, guest, thread, "editor", guest.tenant)

    await refused(client.get(guest, thread.thread_id), DENIED, "FORBIDDEN")


async def test_a_denial_is_audited_without_saying_more_than_the_answer(
    client: ThreadsClient, person: Person, superuser: asyncpg.Connection
) -> None:
    thread, stranger = await client.found(person), Person()
    await refused(client.get(stranger, thread.thread_id), DENIED, "FORBIDDEN")

    events = await superuser.fetch(
        "SELECT convert_from(event, 'UTF8')::jsonb AS event FROM threads.outbox"
        " WHERE convert_from(event, 'UTF8')::jsonb ->> 'identity' = $1",
        stranger.identity,
    )

    (event,) = [row["event"] for row in events]
    assert event["data"]["action"] == "AUDIT_ACTION_DENY"
    assert event["data"]["reason"] == "FORBIDDEN"
    assert event["tenant"] == stranger.tenant


async def test_a_service_may_not_read_threads(client: ThreadsClient) -> None:
    for rpc in CALLS.values():
        await refused(
            rpc(client, str(uuid4()), client.identity.as_service("nova")), DENIED, NOT_ALLOWED
        )
