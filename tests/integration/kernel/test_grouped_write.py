"""Many writes in one commit, each under its own identity."""

import asyncio

import asyncpg
import pytest

from chenu.events.v1.audit_event_pb2 import AUDIT_ACTION_CREATE
from kernel.audit_event import AuditRecord, record
from kernel.caller import Caller
from kernel.context import background, new_id
from kernel.database import Database
from kernel.errors import AuditBacklog
from kernel.grouped_write import GroupedWriter, TouchedNoRow
from tests.integration.kernel.support import someone, until


@pytest.fixture
def writer(database: Database) -> GroupedWriter:
    return GroupedWriter(database, function="sample.write_note")


def event(caller: Caller) -> AuditRecord:
    with background("test", caller=caller):
        return record(
            source="sample", type="note.created", action=AUDIT_ACTION_CREATE, subject="note/1"
        )


async def commits(admin: asyncpg.Connection) -> int:
    return int(
        await admin.fetchval(
            "SELECT count(DISTINCT xmin::text) FROM sample.notes WHERE title LIKE 'grouped%'"
        )
    )


async def test_each_item_of_a_group_sees_and_writes_as_its_own_identity(
    writer: GroupedWriter, admin: asyncpg.Connection
) -> None:
    callers = [someone() for _ in range(20)]
    before = await commits(admin)
    results = await asyncio.gather(
        *(
            writer.write(caller, {"id": new_id(), "title": f"grouped {n}"}, [event(caller)])
            for n, caller in enumerate(callers)
        )
    )
    assert [r["title"] for r in results] == [f"grouped {n}" for n in range(20)]
    assert [r["identity"] for r in results] == [caller.identity for caller in callers]
    assert {r["seen"] for r in results} == {1}  # none saw a row of another
    for caller in callers:
        owned = await admin.fetch(
            "SELECT title FROM sample.notes"
            " WHERE identity = $1::text::uuid AND tenant = $2::text::uuid",
            caller.identity, caller.tenant,
        )  # fmt: skip
        assert len(owned) == 1
    assert await commits(admin) - before <= 3


async def test_an_item_that_writes_for_another_identity_fails_alone(
    writer: GroupedWriter, admin: asyncpg.Connection
) -> None:
    good, guilty, victim = someone(), someone(), someone()
    events = {name: event(good) for name in ("good", "guilty")}
    outcomes = await asyncio.gather(
        writer.write(good, {"id": new_id(), "title": "1"}, [events["good"]]),
        writer.write(
            guilty,
            {"id": new_id(), "title": "2", "identity": victim.identity},
            [events["guilty"]],
        ),
        writer.write(good, {"id": new_id(), "title": "3"}),
        return_exceptions=True,
    )
    assert isinstance(outcomes[1], asyncpg.InsufficientPrivilegeError)
    assert [o["title"] for o in (outcomes[0], outcomes[2]) if isinstance(o, dict)] == ["1", "3"]
    kept = await admin.fetch(
        "SELECT id::text FROM sample.outbox WHERE id = ANY($1)", [e.id for e in events.values()]
    )
    assert [row["id"] for row in kept] == [events["good"].id]


async def test_a_change_that_touches_no_row_raises(writer: GroupedWriter) -> None:
    owner, other = someone(), someone()
    note = new_id()
    await writer.write(owner, {"id": note, "title": "mine"})
    with pytest.raises(TouchedNoRow):
        await writer.write(other, {"rename": note, "title": "stolen"})
    assert (await writer.write(owner, {"rename": note, "title": "kept"}))["title"] == "kept"


async def test_a_waiter_that_gives_up_takes_nobody_with_it_and_its_write_is_done(
    writer: GroupedWriter, admin: asyncpg.Connection
) -> None:
    callers = [someone() for _ in range(3)]
    notes = [new_id() for _ in range(3)]
    tasks = [
        asyncio.create_task(writer.write(caller, {"id": note, "title": "cancelled"}))
        for caller, note in zip(callers, notes, strict=True)
    ]
    await asyncio.sleep(0)
    tasks[1].cancel()
    assert (await tasks[0])["title"] == (await tasks[2])["title"] == "cancelled"
    with pytest.raises(asyncio.CancelledError):
        await tasks[1]

    async def written() -> bool:
        rows = await admin.fetch("SELECT 1 FROM sample.notes WHERE id = ANY($1)", notes)
        return len(rows) == 3

    await until(written)


async def test_a_lost_connection_is_told_to_all_and_the_next_write_works(
    writer: GroupedWriter, admin: asyncpg.Connection
) -> None:
    await admin.execute("BEGIN; LOCK TABLE sample.notes IN ACCESS EXCLUSIVE MODE")
    tasks = [
        asyncio.create_task(writer.write(someone(), {"id": new_id(), "title": "lost"}))
        for _ in range(3)
    ]

    async def waiting() -> bool:
        notes = "relation = 'sample.notes'::regclass"
        return bool(await admin.fetchval(f"SELECT 1 FROM pg_locks WHERE NOT granted AND {notes}"))

    await until(waiting)
    await admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'sample_app'"
    )
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(o, asyncpg.PostgresError | OSError) for o in outcomes)
    await admin.execute("COMMIT")
    assert (await writer.write(someone(), {"id": new_id(), "title": "again"}))["seen"] == 1


async def test_of_several_groups_at_once_one_that_waits_holds_up_no_other(
    database: Database, admin: asyncpg.Connection
) -> None:
    writer = GroupedWriter(database, "sample.write_note", at_once=2)
    caller, held, free = someone(), new_id(), new_id()
    for note in (held, free):
        await writer.write(caller, {"id": note, "title": "before"})
    async with admin.transaction():
        await admin.execute("SELECT FROM sample.notes WHERE id = $1 FOR UPDATE", held)
        waiting = asyncio.create_task(writer.write(caller, {"rename": held, "title": "after"}))

        async def waits() -> bool:
            mine = "transactionid = pg_current_xact_id()::xid"
            return bool(
                await admin.fetchval(f"SELECT 1 FROM pg_locks WHERE NOT granted AND {mine}")
            )

        await until(waits)
        for _ in range(3):
            assert await writer.write(caller, {"rename": free, "title": "after"})
        assert not waiting.done()
    assert (await waiting)["title"] == "after"


async def test_with_too_much_unreleased_a_write_with_events_is_refused(
    writer: GroupedWriter, database: Database
) -> None:
    caller = someone()
    database.outbox.backlogged = True
    with pytest.raises(AuditBacklog):
        await writer.write(caller, {"id": new_id(), "title": "t"}, [event(caller)])
    assert await writer.write(caller, {"id": new_id(), "title": "t"})


def test_a_function_name_is_never_sql(database: Database) -> None:
    with pytest.raises(ValueError, match="schema"):
        GroupedWriter(database, function="sample.x(); DROP TABLE notes; --")
