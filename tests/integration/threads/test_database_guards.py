from uuid import uuid4

import asyncpg
import pytest

from kernel.caller import Caller
from kernel.database import Database
from kernel.statement import Statement
from tests.support.database_urls import DatabaseUrls
from tests.support.identity import Person
from tests.support.threads import ThreadsClient


def caller_of(person: Person) -> Caller:
    return Caller(
        tenant=person.tenant, person=person.person, identity=person.identity, actor="human"
    )


CONTENT = ("threads", "thread_events", "event_payloads", "messages", "executions", "search_answers")


@pytest.fixture
async def filled(client: ThreadsClient, person: Person) -> None:
    """A row of the person's in every table of CONTENT."""
    thread = await client.found(person, "findable")
    await client.execute(person, client.action(person, "thread.append", thread, content="words"))
    await client.execute(person, client.action(person, "thread.search", query="findable"))


async def test_row_level_security_alone_keeps_identities_apart(
    filled: None, person: Person, database: Database
) -> None:
    for table in CONTENT:
        count = Statement(f"SELECT count(*) AS rows FROM threads.{table}")
        for who, sees in ((person, True), (Person(), False), (Person(tenant=person.tenant), False)):
            async with database.transaction(caller_of(who)) as tx:
                row = await tx.fetch_one(count)
            assert row is not None
            assert bool(row["rows"]) is sees, table


@pytest.mark.parametrize("table", CONTENT)
async def test_without_an_identity_the_database_raises_rather_than_shows_nothing(
    filled: None, urls: DatabaseUrls, table: str
) -> None:
    connection = await asyncpg.connect(urls.app)
    with pytest.raises(asyncpg.UndefinedObjectError):
        await connection.fetch(f"SELECT * FROM threads.{table}")
    async with connection.transaction():
        await connection.execute("SELECT set_config('chenu.tenant', '', true)")
        await connection.execute("SELECT set_config('chenu.identity', '', true)")
        with pytest.raises(asyncpg.InvalidTextRepresentationError):
            async with connection.transaction():
                await connection.fetch(f"SELECT * FROM threads.{table}")
    await connection.close()


@pytest.mark.parametrize("table", [t for t in CONTENT if t != "executions"])
async def test_the_worker_reads_no_content(urls: DatabaseUrls, table: str) -> None:
    connection = await asyncpg.connect(urls.worker)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.fetch(f"SELECT * FROM threads.{table}")
    await connection.close()


async def test_a_row_cannot_be_written_into_another_identity(
    client: ThreadsClient, person: Person, database: Database
) -> None:
    thread = await client.found(person)
    insert = Statement(
        "INSERT INTO threads.messages (message_id, thread_id, sequence_number, tenant, identity,"
        " role, content) VALUES (gen_random_uuid(), :thread, 99, :tenant, :identity, 'user', 'x')"
    )
    stranger = Person(tenant=person.tenant)

    for identity in (person.identity, stranger.identity):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with database.transaction(caller_of(stranger)) as tx:
                await tx.execute(
                    insert, thread=thread.thread_id, tenant=person.tenant, identity=identity
                )


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE threads.thread_events SET type = 'note.added'",
        "DELETE FROM threads.thread_events",
        "TRUNCATE threads.thread_events CASCADE",
        """INSERT INTO threads.thread_events SELECT * FROM threads.thread_events
        ON CONFLICT (event_id) DO UPDATE SET type = 'note.added'""",
        "UPDATE threads.event_payloads SET payload = '{}'",
        "DELETE FROM threads.event_payloads",
        "UPDATE threads.messages SET content = 'other words'",
        "DELETE FROM threads.messages",
        "DELETE FROM threads.threads",
        "UPDATE threads.threads SET founding_intent = 'another'",
        "UPDATE threads.threads SET owner_identity = '00000000-0000-0000-0000-000000000001'",
        "UPDATE threads.threads SET delete_time = NULL",
        """INSERT INTO threads.participants (thread_id, identity, tenant, person, role)
        SELECT thread_id, owner_identity, tenant, founder, 'editor' FROM threads.threads""",
        "UPDATE threads.participants SET role = 'editor', leave_time = NULL",
        "DELETE FROM threads.participants",
        "DELETE FROM threads.executions",
        "UPDATE threads.executions SET decision_id = gen_random_uuid()",
        "DELETE FROM threads.outbox",
        "ALTER TABLE threads.thread_events DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
        "SET ROLE threads_owner",
    ],
)
@pytest.mark.parametrize("role", ["app", "worker"])
async def test_neither_role_of_the_service_can_rewrite_history(
    urls: DatabaseUrls, person: Person, role: str, change: str
) -> None:
    connection = await asyncpg.connect(urls.app if role == "app" else urls.worker)
    for name, value in (("tenant", person.tenant), ("identity", person.identity)):
        await connection.execute("SELECT set_config($1, $2, false)", f"chenu.{name}", value)

    if role == "worker" and change == "DELETE FROM threads.outbox":
        await connection.close()
        return  # the relay does so, after audit's receipt
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(change)
    await connection.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE threads.thread_events SET type = 'note.added' WHERE false",
        "DELETE FROM threads.thread_events WHERE false",
        "TRUNCATE threads.thread_events CASCADE",
        "UPDATE threads.threads SET founding_intent = founding_intent || '!'",
        "UPDATE threads.threads SET founder = gen_random_uuid()",
    ],
)
@pytest.mark.parametrize(
    "session", ["SET ROLE threads_owner", "SET session_replication_role = replica"]
)
async def test_not_even_the_owner_rewrites_what_was_founded_or_recorded(
    client: ThreadsClient, person: Person, superuser: asyncpg.Connection, session: str, change: str
) -> None:
    await client.found(person)
    await superuser.execute(session)

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await superuser.execute(change)


async def test_a_grouped_effect_is_not_begun_with_a_permit_that_has_run_out(
    person: Person, database: Database
) -> None:
    item = {
        "decision_id": str(uuid4()),
        "permit_id": str(uuid4()),
        "action_digest": "sha256:" + "0" * 64,
        "tool": "thread.create",
        "outcome": {},
        "found": {},
        "last_moment": "2026-01-01T00:00:00+00:00",
    }
    execute = Statement("SELECT execute(:item)")

    with pytest.raises(asyncpg.PostgresError) as refused:
        async with database.transaction(caller_of(person)) as tx:
            await tx.fetch_one(execute, item=item)

    assert refused.value.sqlstate == "TH003"
