"""Effects that are judged on what was read before: they come to what was judged, or to nothing."""

import asyncio
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest

from chenu.threads.v1.message_service_pb2 import CreateMessageRequest
from chenu.threads.v1.thread_pb2 import ThreadStatus
from kernel.database import Database
from kernel.grouped_write import GroupedWriter
from services.threads.changes import Author, Event, change_item
from tests.integration.threads.test_database_guards import caller_of
from tests.support.identity import Metadata, Person
from tests.support.refusals import refused
from tests.support.threads import TOOL_CALLS, ThreadsClient, counts, planned, result
from tests.support.waiting import soon

JUDGED = sorted(TOOL_CALLS.keys() - {"thread.create", "thread.append", "thread.search"})


@pytest.mark.parametrize("tool", JUDGED)
async def test_what_is_told_of_an_effect_is_what_was_written(
    client: ThreadsClient,
    person: Person,
    as_human: Metadata,
    superuser: asyncpg.Connection,
    tool: str,
) -> None:
    thread = await client.found(person)
    for _ in range(2):  # so that version, revision and count of events differ
        await client.messages.CreateMessage(
            CreateMessageRequest(thread_id=thread.thread_id, content="more"), metadata=as_human
        )
    thread = await client.get(person, thread.thread_id)

    outcome = result(
        await client.execute(person, client.action(person, tool, thread, **TOOL_CALLS[tool]))
    )

    row = await superuser.fetchrow(
        "SELECT 'v' || version AS etag, sphere, status, revision FROM threads.threads"
        " WHERE thread_id = $1",
        thread.thread_id,
    )
    assert row is not None
    if tool != "thread.delete":
        assert {name: outcome[name] for name in ("etag", "sphere", "status")} == {
            name: row[name] for name in ("etag", "sphere", "status")
        }
    versions = await superuser.fetch(
        "SELECT version, convert_from(event, 'UTF8')::jsonb #>> '{data,version}' AS told"
        " FROM threads.outbox WHERE stream = $1 ORDER BY seq",
        f"thread/{thread.thread_id}",
    )
    changes = [1] if tool == "thread.export" else [1, 2]
    assert [one["version"] for one in versions] == changes
    assert [one["told"] for one in versions] == list(map(str, changes))
    assert row["revision"] == changes[-1]


async def change_while_it_waits(
    client: ThreadsClient,
    person: Person,
    superuser: asyncpg.Connection,
    tool: str,
    more: dict[str, Any],
) -> tuple[str, Any]:
    """Have the tool judged on a thread that is changed before it is done; its thread and answer."""
    thread, action = await planned(client, person, tool)
    event = Event("checkpoint.created", {})
    item = change_item(thread.thread_id, Author("system", "nova"), event) | more
    async with superuser.transaction():
        await superuser.execute(
            "SELECT set_config('chenu.identity', $1, true)", str(person.identity)
        )
        await superuser.execute("SELECT threads.change($1)", item)
        acting = asyncio.create_task(client.execute(person, action))

        async def waits() -> bool:
            return bool(
                await superuser.fetchval(
                    "SELECT count(*) FROM pg_locks WHERE NOT granted"
                    " AND transactionid = pg_current_xact_id()::xid"
                )
            )

        await soon(waits, "the effect waits for the thread")
    return thread.thread_id, acting


async def test_a_thread_that_changes_after_it_was_judged_is_judged_again(
    client: ThreadsClient, person: Person, superuser: asyncpg.Connection
) -> None:
    thread_id, acting = await change_while_it_waits(
        client, person, superuser, "thread.archive", {"told": True}
    )

    assert result(await acting)["etag"] == "v2"

    after = await client.get(person, thread_id)
    assert (after.status, after.event_count) == (ThreadStatus.THREAD_STATUS_ARCHIVED, 3)


@pytest.mark.parametrize("tool", JUDGED)
async def test_what_was_judged_is_not_done_to_what_it_has_become(
    client: ThreadsClient, person: Person, superuser: asyncpg.Connection, tool: str
) -> None:
    thread_id, acting = await change_while_it_waits(client, person, superuser, tool, {})

    await refused(acting, grpc.StatusCode.FAILED_PRECONDITION, "TARGET_CHANGED")

    assert (await client.get(person, thread_id)).event_count == 2
    assert (await counts(superuser, person))["executions"] == 0


async def test_what_is_read_together_is_read_by_each_for_itself(
    client: ThreadsClient, database: Database
) -> None:
    people = [Person() for _ in range(8)]
    threads = [await client.found(person, f"Of {person.identity}") for person in people]
    reader = GroupedWriter(database, "threads.read_first")

    async def read(person: Person, item: dict[str, Any]) -> dict[str, Any]:
        return await reader.write(caller_of(person), {"decision_id": str(uuid4()), **item})

    asked: dict[str, Any] = {"query": "of", "sphere": "", "limit": 50}
    found, own, foreign = [
        await asyncio.gather(*(read(person, item) for person, item in zip(people, of, strict=True)))
        for of in (
            [asked] * len(people),
            [{"thread_id": thread.thread_id} for thread in threads],
            [{"thread_id": thread.thread_id} for thread in reversed(threads)],
        )
    ]

    titles = [thread.title for thread in threads]
    assert [[one["title"] for one in read["found"]] for read in found] == [[t] for t in titles]
    assert [read["thread"]["title"] for read in own] == titles
    assert foreign == [{"thread": None}] * len(people)


async def test_what_many_people_have_done_at_once_is_done_to_their_own(
    client: ThreadsClient,
) -> None:
    people = [Person() for _ in range(8)]
    planned_for = [await planned(client, person, "thread.delete") for person in people]
    guilty = Person()
    stolen = client.action(guilty, "thread.delete", await client.found(people[0]))

    await asyncio.gather(
        refused(client.execute(guilty, stolen), grpc.StatusCode.PERMISSION_DENIED, "FORBIDDEN"),
        *(
            client.execute(person, action)
            for person, (_, action) in zip(people, planned_for, strict=True)
        ),
    )

    for person, (thread, _) in zip(people, planned_for, strict=True):
        await refused(
            client.get(person, thread.thread_id), grpc.StatusCode.PERMISSION_DENIED, "FORBIDDEN"
        )
    assert await client.get(people[0], stolen.targets[0].id)
