"""Transactions under an identity, on a real database."""

import asyncio
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import ARRAY, Text, any_, bindparam, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from chenu.events.v1.audit_event_pb2 import AUDIT_ACTION_CREATE
from kernel import database as kernel_database
from kernel.audit_event import record
from kernel.caller import Caller
from kernel.context import CallContext, background, enter, new_id
from kernel.database import DEFAULT_TIMEOUT_SECONDS, Database, OutboxState
from kernel.errors import AuditBacklog, DeadlineExceeded, Forbidden
from kernel.statement import Statement
from tests.integration.kernel.notes import ADD, SLEEP, add, titles
from tests.integration.kernel.services.sample.tables import notes
from tests.integration.kernel.support import Urls, someone, until
from tests.support.waiting import PATIENCE


async def test_an_insert_returns_text_ids_json_and_arrays(
    database: Database, caller: Caller
) -> None:
    note = new_id()
    async with database.transaction(caller) as tx:
        row = await tx.fetch_one(
            ADD, id=note, tenant=caller.tenant, identity=caller.identity, title="t",
            facts={"deep": [1, {"é": None}]}, tags=["x", "y"],
        )  # fmt: skip
    assert row is not None
    assert (row["id"], row["facts"], row["tags"]) == (note, {"deep": [1, {"é": None}]}, ["x", "y"])


async def test_statements_take_arrays_conflicts_times_and_constants(
    database: Database, caller: Caller
) -> None:
    wanted = [await add(database, caller, title) for title in ("one", "two", "three")]
    among = Statement(
        select(notes.c.title)
        .where(notes.c.id == any_(bindparam("ids", type_=ARRAY(notes.c.id.type))))
        .where(notes.c.title != "two")
        .where(notes.c.facts["n"].astext == "1")
        .order_by(notes.c.title)
        .limit(5)
    )
    again = Statement(
        upsert(notes)
        .values(
            id=bindparam("id"), tenant=bindparam("tenant"), identity=bindparam("identity"),
            title=bindparam("title"),
        )
        .on_conflict_do_update(index_elements=["id"], set_={"title": bindparam("title")})
    )  # fmt: skip
    when = Statement(
        "SELECT CAST(:moment AS timestamptz) AS moment, cardinality(CAST(:words AS text[])) AS n"
    )
    moment = datetime.now(UTC)
    async with database.transaction(caller) as tx:
        found = [row["title"] for row in await tx.fetch(among, ids=wanted)]
        changed = await tx.execute(
            again, id=wanted[0], tenant=caller.tenant, identity=caller.identity, title="uno"
        )
        row = await tx.fetch_one(when, moment=moment, words=["a", "b"])
    assert found == ["one", "three"]
    assert changed == 1
    assert row is not None
    assert row["moment"] == moment
    assert row["n"] == 2
    assert "uno" in await titles(database, caller)


async def test_a_parameter_too_few_or_too_many_is_a_mistake_of_the_program(
    database: Database, caller: Caller
) -> None:
    one = Statement(select(notes.c.title).where(notes.c.id == bindparam("id")))
    async with database.transaction(caller) as tx:
        with pytest.raises(TypeError, match="id"):
            await tx.fetch(one)
        with pytest.raises(TypeError, match="other"):
            await tx.fetch(one, id=new_id(), other=1)
        assert await tx.fetch_one(one, id=new_id()) is None


async def test_a_column_default_in_python_is_refused() -> None:
    from sqlalchemy import Column, MetaData, Table

    table = Table("x", MetaData(), Column("a", Text), Column("b", Text, default=lambda: "b"))
    with pytest.raises(TypeError, match="server_default"):
        Statement(insert(table).values(a=bindparam("a"))).bind({"a": "1"})


async def test_a_refusal_within_a_transaction_is_nothing_to_log(
    database: Database, caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    async def refuse() -> None:
        async with database.transaction(caller):
            raise Forbidden

    with pytest.raises(Forbidden):
        await refuse()

    assert not [line for line in caplog.records if line.name.startswith("asyncpg")]


async def test_an_error_rolls_the_change_and_its_event_back(
    database: Database, caller: Caller, admin: asyncpg.Connection
) -> None:
    with background("test", caller=caller):
        event = record(
            source="sample", type="note.created", action=AUDIT_ACTION_CREATE, subject="note/1"
        )

        async def fail() -> None:
            async with database.transaction(caller) as tx:
                await tx.execute(
                    ADD, id=new_id(), tenant=caller.tenant, identity=caller.identity, title="t",
                    facts={}, tags=[],
                )  # fmt: skip
                tx.emit(event)
                raise RuntimeError

        with pytest.raises(RuntimeError):
            await fail()
    assert await titles(database, caller) == []
    assert not await admin.fetchval("SELECT count(*) FROM sample.outbox WHERE id = $1", event.id)


async def test_events_commit_with_the_change_and_wake_the_relay(
    database: Database, caller: Caller, admin: asyncpg.Connection
) -> None:
    with background("test", caller=caller):
        events = [
            record(
                source="sample", type="note.created", action=AUDIT_ACTION_CREATE,
                subject=f"note/{n}", stream="note/1", version=n,
            )
            for n in (1, 2)
        ]  # fmt: skip
    async with database.transaction(caller) as tx:
        for event in events:
            tx.emit(event)
    rows = await admin.fetch(
        "SELECT id::text, stream, version, event FROM sample.outbox WHERE id = ANY($1) ORDER BY 3",
        [event.id for event in events],
    )
    assert [tuple(row) for row in rows] == [
        (event.id, "note/1", event.version, event.bytes) for event in events
    ]
    assert database.outbox.written.is_set()


async def test_with_too_much_unreleased_changes_are_refused(
    database: Database, caller: Caller
) -> None:
    database.outbox.backlogged = True
    with background("test", caller=caller):
        event = record(
            source="sample", type="note.created", action=AUDIT_ACTION_CREATE, subject="note/1"
        )
    with pytest.raises(AuditBacklog) as refused:
        async with database.transaction(caller) as tx:
            tx.emit(event)
    assert refused.value.retry_after == timedelta(seconds=5)


async def test_a_statement_stops_at_the_callers_deadline(
    database: Database, caller: Caller
) -> None:
    import time

    await titles(database, caller)  # now there is a connection: to make one takes some time

    async def call() -> None:
        enter(CallContext("/test", caller=caller, deadline=time.monotonic() + 0.7))
        async with database.transaction(caller) as tx:
            await tx.fetch(SLEEP, seconds=100.0)

    with pytest.raises(asyncpg.QueryCanceledError):
        async with asyncio.timeout(20):  # without a deadline it is 30 s
            await asyncio.create_task(call())


async def test_after_the_deadline_no_transaction_begins(database: Database, caller: Caller) -> None:
    async def call() -> None:
        enter(CallContext("/test", caller=caller, deadline=0.0))
        await titles(database, caller)

    with pytest.raises(DeadlineExceeded):
        await asyncio.create_task(call())


async def test_a_cancelled_transaction_leaves_nothing_and_its_connection_is_usable(
    urls: Urls, outbox_state: OutboxState, admin: asyncpg.Connection
) -> None:
    single = await Database.connect(
        urls.app, schema="sample", pool_size=1, outbox=outbox_state, application_name="cancelled"
    )
    caller = someone()
    for delay in (0.0, 0.001, 0.005, 0.02, 0.05):

        async def write() -> None:
            async with single.transaction(caller) as tx:
                await tx.execute(
                    ADD, id=new_id(), tenant=caller.tenant, identity=caller.identity,
                    title="t", facts={}, tags=[],
                )  # fmt: skip
                await tx.fetch(SLEEP, seconds=5.0)

        task = asyncio.create_task(write())
        await asyncio.sleep(delay)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await titles(single, caller) == []

    async def idle() -> bool:
        return not await admin.fetchval(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE application_name = 'cancelled' AND state <> 'idle'"
        )

    await until(idle)
    await single.close()


async def test_a_connection_that_was_killed_is_replaced(
    database: Database, caller: Caller, admin: asyncpg.Connection
) -> None:
    await add(database, caller)
    await admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'sample_app'"
    )
    await until(lambda: database._pool.get_size() == 0)  # it has been heard of
    assert len(await titles(database, caller)) == 1


async def test_more_callers_than_connections_are_all_served_and_the_end_waits_for_none(
    urls: Urls,
) -> None:
    few, caller = await Database.connect(urls.app, schema="sample", pool_size=2), someone()

    async def write() -> None:
        for _ in range(3):  # those who come back find one kept, those who wait get theirs too
            await add(few, caller)

    async with asyncio.timeout(20):
        await asyncio.gather(*(write() for _ in range(10)))
    assert len(await titles(few, caller)) == 30
    async with asyncio.timeout(2):
        await few.close()


async def test_a_statement_may_be_given_more_time_than_others(
    urls: Urls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_database, "_CLEANUP_SECONDS", 0.1 - DEFAULT_TIMEOUT_SECONDS)
    impatient = await Database.connect(urls.app, schema="sample")
    monkeypatch.undo()
    for limit, refused in ((None, pytest.raises(TimeoutError)), (PATIENCE, nullcontext())):
        with refused:
            async with impatient.transaction(someone()) as tx:
                tx.limit = limit
                await tx.fetch_one(SLEEP, seconds=0.3)
    await impatient.close()


async def test_a_transaction_in_which_a_statement_failed_is_never_taken_for_committed(
    database: Database, caller: Caller
) -> None:
    async def write() -> None:
        async with database.transaction(caller) as tx:
            with suppress(asyncpg.DivisionByZeroError):
                await tx.fetch(Statement("SELECT 1 / 0"))

    with pytest.raises(RuntimeError, match="rolled back"):
        await write()
    assert await titles(database, caller) == []


async def test_a_server_that_cannot_be_reached_is_not_available_for_whatever_reason(
    tmp_path: Path, caller: Caller
) -> None:
    nowhere = await Database.connect(f"postgresql:///x?host={tmp_path}/none", schema="sample")
    with pytest.raises(ConnectionError):  # of the system it is a FileNotFoundError
        await titles(nowhere, caller)
    await nowhere.close()


async def test_functions_and_counts_compile(database: Database, caller: Caller) -> None:
    count = Statement(select(func.count().label("n")).select_from(notes))
    async with database.transaction(caller) as tx:
        row = await tx.fetch_one(count)
    assert row is not None
    assert row["n"] == 0
