"""The boundary of an identity, and history that does not change, by the database alone."""

import asyncpg
import pytest

from kernel.caller import Caller
from kernel.context import new_id
from kernel.database import Database, OutboxState
from kernel.statement import Statement
from tests.integration.kernel.notes import ADD, add, titles
from tests.integration.kernel.support import Urls, someone


async def test_one_identity_does_not_see_the_other(database: Database) -> None:
    mine, other = someone(), someone()
    await add(database, mine, "mine")
    await add(database, other, "other")
    assert await titles(database, mine) == ["mine"]
    assert await titles(database, other) == ["other"]


async def test_nobody_writes_a_row_for_another_identity(database: Database) -> None:
    mine, other = someone(), someone()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with database.transaction(mine) as tx:
            await tx.execute(
                ADD, id=new_id(), tenant=mine.tenant, identity=other.identity, title="t",
                facts={}, tags=[],
            )  # fmt: skip


async def test_a_query_without_an_identity_is_an_error_and_never_an_empty_answer(
    database: Database, urls: Urls
) -> None:
    await add(database, someone())
    fresh = await asyncpg.connect(urls.app)
    with pytest.raises(asyncpg.PostgresError, match="chenu"):
        await fresh.fetch("SELECT * FROM sample.notes")
    await fresh.close()
    with pytest.raises(asyncpg.PostgresError):  # the setting is left over as an empty text
        await titles(database, Caller.system())


async def test_nothing_of_an_identity_is_left_on_a_connection(
    urls: Urls, outbox_state: OutboxState
) -> None:
    single = await Database.connect(urls.app, schema="sample", pool_size=1, outbox=outbox_state)
    await add(single, someone())
    setting = Statement("SELECT current_setting('chenu.identity', true) AS identity")
    async with single.work() as tx:
        row = await tx.fetch_one(setting)
    await single.close()
    assert row is not None
    assert not row["identity"]


async def test_an_id_that_is_no_uuid_never_reaches_the_database(database: Database) -> None:
    forged = Caller(tenant="x'; DROP TABLE notes; --", person="", identity="", actor="human")
    with pytest.raises(ValueError, match="UUID"):
        await titles(database, forged)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE sample.history SET word = 'x'",
        "UPDATE sample.history SET word = 'x' WHERE false",
        "DELETE FROM sample.history",
        "TRUNCATE sample.history",
        "INSERT INTO sample.history VALUES (1, 'b') ON CONFLICT (id) DO UPDATE SET word = 'c'",
    ],
)
async def test_history_refuses_every_change(
    admin: asyncpg.Connection, urls: Urls, change: str
) -> None:
    await admin.execute("INSERT INTO sample.history VALUES (1, 'a') ON CONFLICT DO NOTHING")
    app = await asyncpg.connect(urls.app)
    for connection in (app, admin):  # granted to the one, owned by the other: refused to both
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
            await connection.execute(change)
    await admin.execute("SET session_replication_role = replica")  # switches other triggers off
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
        await admin.execute(change)
    await app.close()


async def test_the_outbox_can_be_written_and_not_read_by_those_who_write_it(urls: Urls) -> None:
    app = await asyncpg.connect(urls.app)
    for attempt in ("SELECT * FROM sample.outbox", "DELETE FROM sample.outbox"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute(attempt)
    await app.close()
    worker = await asyncpg.connect(urls.worker)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await worker.execute("UPDATE sample.bundles SET seqs = '{}'")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await worker.execute("SELECT * FROM sample.notes")
    await worker.close()


async def test_the_force_of_row_level_security_binds_the_owner_too(
    database: Database, admin: asyncpg.Connection
) -> None:
    await add(database, someone())
    assert await admin.fetchval("SELECT count(*) FROM sample.notes") > 0
    await admin.execute("SET ROLE sample_owner")
    assert await admin.fetchval("SELECT count(*) FROM sample.notes") == 0
    await admin.execute("RESET ROLE")
