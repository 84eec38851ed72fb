"""A thread that one identity shares with another of the same person: to be read, and no more."""

from dataclasses import replace
from uuid import uuid4

import asyncpg
import grpc
import pytest
from google.protobuf.json_format import MessageToDict

from chenu.threads.v1.thread_event_service_pb2 import ListThreadEventsRequest
from chenu.threads.v1.thread_pb2 import Thread
from chenu.threads.v1.thread_service_pb2 import ListThreadsRequest
from tests.integration.threads.test_access import CHANGES, READS
from tests.support.identity import Person
from tests.support.refusals import refused
from tests.support.threads import ThreadsClient, result

INVALID = grpc.StatusCode.INVALID_ARGUMENT
DENIED = grpc.StatusCode.PERMISSION_DENIED


def another(person: Person) -> Person:
    """The same person under another identity."""
    return replace(person, identity=str(uuid4()))


async def share(
    client: ThreadsClient, person: Person, thread: Thread, reader: Person, tool: str = "share"
) -> Thread:
    """Execute it on the thread as it is now; the thread as its owner sees it then."""
    now = await client.get(person, thread.thread_id)
    action = client.action(person, f"thread.{tool}", now, identity=reader.identity)
    done = result(await client.execute(person, action))
    assert (done["thread_id"], done["identity"]) == (thread.thread_id, reader.identity)
    after = await client.get(person, thread.thread_id)
    assert done["etag"] == after.etag
    return after


async def listed(client: ThreadsClient, person: Person) -> list[Thread]:
    found = await client.threads.ListThreads(
        ListThreadsRequest(), metadata=client.identity.as_human(person)
    )
    return list(found.threads)


async def test_a_shared_thread_is_read_by_that_identity_until_it_is_taken_back(
    client: ThreadsClient, person: Person
) -> None:
    thread, private = await client.found(person), await client.found(person)
    reader, third = another(person), another(person)
    as_reader = client.identity.as_human(reader)

    after = await share(client, person, thread, reader)

    assert list(after.reader_identity_ids) == [reader.identity]
    for rpc in READS.values():
        assert await rpc(client, thread.thread_id, as_reader)
    (seen,) = await listed(client, reader)
    assert seen == after
    for who, what in ((reader, private), (third, thread)):
        await refused(client.get(who, what.thread_id), DENIED, "FORBIDDEN")
    assert await listed(client, third) == []

    over = await share(client, person, thread, reader, "unshare")

    assert list(over.reader_identity_ids) == []
    for rpc in READS.values():
        await refused(rpc(client, thread.thread_id, as_reader), DENIED, "FORBIDDEN")
    again = await share(client, person, thread, reader)
    assert list(again.reader_identity_ids) == [reader.identity]


async def test_sharing_changes_nothing_but_who_reads_and_the_history_tells_it(
    client: ThreadsClient, person: Person
) -> None:
    thread, reader = await client.found(person, sphere="SPHERE_BUSINESS"), another(person)
    after = await share(client, person, thread, reader)
    await share(client, person, thread, reader, "unshare")

    moved = {"etag", "event_count", "update_time", "reader_identity_ids"}
    for field in set(Thread.DESCRIPTOR.fields_by_name) - moved:
        assert getattr(after, field) == getattr(thread, field), field
    history = await client.events.ListThreadEvents(
        ListThreadEventsRequest(thread_id=thread.thread_id),
        metadata=client.identity.as_human(person),
    )
    told = [MessageToDict(event.payload) for event in history.events][1:]
    assert [list(payload) for payload in told] == [["shared"], ["unshared"]]
    assert {payload[name]["identity"] for payload in told for name in payload} == {reader.identity}


@pytest.mark.parametrize("rpc", CHANGES)
async def test_a_reader_changes_nothing(client: ThreadsClient, person: Person, rpc: str) -> None:
    thread, reader = await client.found(person), another(person)
    after = await share(client, person, thread, reader)

    as_reader = client.identity.as_human(reader)
    await refused(CHANGES[rpc](client, thread.thread_id, as_reader), DENIED, "FORBIDDEN")

    assert await client.get(person, thread.thread_id) == after


@pytest.mark.parametrize("tool", ["archive", "delete", "export", "share", "unshare", "append"])
async def test_a_permit_in_a_readers_hands_does_nothing_to_the_thread(
    client: ThreadsClient, person: Person, tool: str
) -> None:
    thread, reader = await client.found(person), another(person)
    after = await share(client, person, thread, reader)
    given = {"identity": str(uuid4())} if tool.endswith("share") else {}
    given |= {"content": "mine"} if tool == "append" else {}

    for seen in (after, thread):  # nor is it told whether it has changed
        action = client.action(reader, f"thread.{tool}", seen, **given)
        await refused(client.execute(reader, action), DENIED, "FORBIDDEN")

    assert await client.get(person, thread.thread_id) == after


async def test_of_the_readers_the_owner_sees_all_and_each_of_them_itself(
    client: ThreadsClient, person: Person
) -> None:
    thread, first, second = await client.found(person), another(person), another(person)
    for reader in (first, second):
        await share(client, person, thread, reader)

    readers = {
        who.identity: list((await client.get(who, thread.thread_id)).reader_identity_ids)
        for who in (person, first, second)
    }

    assert readers == {
        person.identity: [first.identity, second.identity],
        first.identity: [first.identity],
        second.identity: [second.identity],
    }


async def test_whatever_a_permit_says_somebody_elses_identity_reads_nothing(
    client: ThreadsClient, person: Person
) -> None:
    """Governance refuses it; and had it not, the database holds the persons apart."""
    thread, other = await client.found(person), Person(tenant=person.tenant)

    await share(client, person, thread, other)

    await refused(client.get(other, thread.thread_id), DENIED, "FORBIDDEN")
    assert await listed(client, other) == []


async def test_what_is_not_shared_is_not_taken_back_and_the_decision_is_kept(
    client: ThreadsClient, person: Person
) -> None:
    thread, reader = await client.found(person), another(person)
    action = client.action(person, "thread.unshare", thread, identity=reader.identity)
    permit = client.governance.permit(action)

    for _ in range(2):
        info = await refused(client.execute(person, action, permit), INVALID, "ACTION_INVALID")
        assert info.metadata["cause"] == "identity"


async def test_a_thread_is_shared_with_another_identity_and_by_its_id(
    client: ThreadsClient, person: Person
) -> None:
    thread = await client.found(person)

    for wrong in (person.identity, "Shop"):
        action = client.action(person, "thread.share", thread, identity=wrong)
        await refused(client.execute(person, action), INVALID, "ARGUMENTS_INVALID")


async def test_the_order_of_the_targets_is_no_matter(client: ThreadsClient, person: Person) -> None:
    thread, reader = await client.found(person), another(person)
    action = client.action(person, "thread.share", thread, identity=reader.identity)

    await client.execute(person, replace(action, targets=action.targets[::-1]))

    assert await client.get(reader, thread.thread_id)


async def test_in_the_database_too_only_the_owner_shares(
    client: ThreadsClient, person: Person, superuser: asyncpg.Connection
) -> None:
    thread, reader = await client.found(person), another(person)
    await share(client, person, thread, reader)

    for who in (reader, another(person), Person(), Person(identity=person.identity)):
        async with superuser.transaction():
            await superuser.execute("SET LOCAL ROLE threads_app")
            for name in ("tenant", "person", "identity"):
                await superuser.execute(
                    "SELECT set_config($1, $2, true)", f"chenu.{name}", getattr(who, name)
                )
            unshare = "SELECT threads.unshare_thread($1, $2)"
            assert not await superuser.fetchval(unshare, thread.thread_id, reader.identity)
            with pytest.raises(asyncpg.NoDataFoundError):
                async with superuser.transaction():
                    await superuser.execute(
                        "SELECT threads.share_thread($1, $2)", thread.thread_id, str(uuid4())
                    )
