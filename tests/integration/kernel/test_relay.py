"""The relay: every committed event once, in order, whatever happens around it."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from chenu.events.v1.bundle_pb2 import Manifest
from kernel import relay as relay_module
from kernel.audit_event import AuditRecord
from kernel.receipts import leaf_hash, root_of
from kernel.relay import MAX_BUNDLE_BYTES, Relay
from kernel.statement import Statement
from tests.integration.kernel.relay_stage import Stage, make_event
from tests.integration.kernel.support import someone, until


async def test_writers_rollbacks_and_savepoints_neither_lose_nor_double_an_event(
    stage: Stage,
) -> None:
    committed: list[AuditRecord] = []
    connections = [await asyncpg.connect(stage.urls.app) for _ in range(16)]
    insert = "INSERT INTO sample.outbox (id, stream, version, event) VALUES ($1, '', 0, $2)"

    async def write(connection: asyncpg.Connection, seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(40):
            transaction = connection.transaction()
            await transaction.start()
            kept = []
            for _ in range(chance.randint(1, 3)):
                savepoint = connection.transaction()
                await savepoint.start()
                event = make_event()
                await connection.execute(insert, event.id, event.bytes)
                if chance.random() < 0.2:
                    await savepoint.rollback()
                else:
                    await savepoint.commit()
                    kept.append(event)
            if chance.random() < 0.2:  # some stay open while others pass them
                await asyncio.sleep(chance.random() * 0.1)
            if chance.random() < 0.1:
                await transaction.rollback()
            else:
                await transaction.commit()
                committed.extend(kept)
            await asyncio.sleep(0)

    async with stage.relaying():
        await asyncio.gather(*(write(c, n) for n, c in enumerate(connections)))
        await stage.all_of(committed)
    for connection in connections:
        await connection.close()
    events = stage.recorder.events()
    assert len(events) == len(set(events)) == len(committed)
    numbers = list(stage.recorder.bundles())
    assert numbers == list(range(1, len(numbers) + 1))


async def test_an_event_of_a_transaction_that_commits_late_is_not_skipped(stage: Stage) -> None:
    late, early = make_event(), make_event()
    async with stage.relaying():
        async with stage.app.transaction(someone()) as tx:
            tx.emit(late)
            await tx.flush()
            await stage.write(early)
            await stage.all_of([early])
            assert late.bytes not in stage.recorder.events()
            tx._emitted.clear()
        await stage.all_of([late])
    assert len(stage.recorder.events()) == 2


async def test_events_come_in_the_order_of_their_writing_whichever_transaction_began_first(
    stage: Stage,
) -> None:
    """Whoever waits for a row has its number of transaction already, and writes its event last."""
    opening, first, second = make_event(), make_event(), make_event()
    async with stage.relaying():
        await stage.write(opening)
        await stage.all_of([opening])
    waiting = await asyncpg.connect(stage.urls.app)
    await waiting.execute("BEGIN; SELECT pg_current_xact_id()")
    await stage.write(first)
    insert = "INSERT INTO sample.outbox (id, stream, version, event) VALUES ($1, '', 0, $2)"
    await waiting.execute(insert, second.id, second.bytes)
    await waiting.execute("COMMIT")
    await waiting.close()
    async with stage.relaying():
        await stage.all_of([first, second])
    assert stage.recorder.events() == [event.bytes for event in (opening, first, second)]


async def test_of_everything_that_is_kept_only_the_end_is_read(stage: Stage) -> None:
    admin = await asyncpg.connect(stage.urls.admin, server_settings={"search_path": "sample"})
    await admin.execute(
        "INSERT INTO outbox (id, stream, version, event)"
        " SELECT gen_random_uuid(), '', 0, convert_to(repeat('x', 600), 'UTF8')"
        " FROM generate_series(1, 3000)"
    )
    await admin.execute("UPDATE relay_state SET snapshot = pg_current_snapshot()")
    backlog, arguments = relay_module._BACKLOG.bind({"most": 1_000_001})
    events = relay_module._EVENTS.format("")
    for analyzed in (False, True):
        if analyzed:
            await admin.execute("VACUUM ANALYZE outbox")
        for sql, given in ((relay_module._ANY, ()), (events, ()), (backlog, arguments)):
            plan = "\n".join(row[0] for row in await admin.fetch(f"EXPLAIN {sql}", *given))
            assert "using outbox_xid_seq" in plan, plan
            assert "Seq Scan on outbox" not in plan, plan
    await admin.close()


async def test_a_manifest_tells_what_its_bundle_holds(stage: Stage) -> None:
    events = [make_event() for _ in range(3)]
    async with stage.relaying():
        await stage.write(*events)
        await stage.all_of(events)
    for number, bundle in stage.recorder.bundles().items():
        manifest = Manifest.FromString(bundle.manifest)
        assert (manifest.source, manifest.number) == ("chenu/sample", number)
        assert 0 < manifest.generation <= manifest.create_time.ToMilliseconds()
        assert manifest.count == len(bundle.events)
        assert manifest.root == root_of(leaf_hash(event) for event in bundle.events)
        assert manifest.SerializeToString(deterministic=True) == bundle.manifest


async def test_a_large_window_is_split_into_bundles_that_fit(stage: Stage) -> None:
    events = [make_event(60_000) for _ in range(30)]
    await stage.write(*events)
    async with stage.relaying():
        await stage.all_of(events)
    assert all(len(data) <= MAX_BUNDLE_BYTES for _, _, data in stage.recorder.published)
    assert len(stage.recorder.bundles()) >= 4
    assert stage.recorder.events() == [event.bytes for event in events]


async def test_an_idle_service_still_gives_a_sign_of_life(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "HEARTBEAT_SECONDS", 0.1)
    async with stage.relaying():
        await until(lambda: len(stage.recorder.bundles()) >= 3)
    assert stage.recorder.events() == []


async def test_too_much_without_a_receipt_stops_changes_until_it_is_released(
    make_stage: Callable[..., Awaitable[Stage]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "CHORES_SECONDS", 0.05)
    stage = await make_stage(outbox_limit=4)
    relay = Relay("sample", stage.worker, stage.recorder, stage.shared)  # type: ignore[arg-type]
    watch = asyncio.create_task(relay.watch_backlog())
    await stage.write(*[make_event() for _ in range(6)])
    await until(lambda: stage.app.outbox.backlogged)  # not even bundled yet
    async with stage.relaying():
        await until(lambda: len(stage.recorder.events()) == 6)
        assert stage.app.outbox.backlogged
        async with stage.worker.work() as tx:
            await tx.execute(
                Statement(
                    "INSERT INTO receipts (number, tree_head) SELECT max(number), '' FROM bundles"
                )
            )
        await until(lambda: not stage.app.outbox.backlogged)
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)


async def test_released_rows_are_deleted_after_the_retention_and_no_others(
    make_stage: Callable[..., Awaitable[Stage]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "CHORES_SECONDS", 0.05)
    stage = await make_stage(outbox_retention_seconds=0)
    first, second = make_event(), make_event()
    admin = await asyncpg.connect(stage.urls.admin)

    async def kept() -> set[bytes]:
        return {row["event"] for row in await admin.fetch("SELECT event FROM sample.outbox")}

    async with stage.relaying():
        await stage.write(first)
        await stage.all_of([first])
        await admin.execute(
            "INSERT INTO sample.receipts (number, tree_head)"
            " SELECT max(number), '' FROM sample.bundles"
        )
        await stage.write(second)
        await stage.all_of([second])

        async def gone() -> bool:
            return await kept() == {second.bytes}

        await until(gone)
        await asyncio.sleep(0.2)
        assert await kept() == {second.bytes}
    await admin.close()


async def test_whatever_is_kept_only_the_oldest_is_looked_at_for_what_may_go(stage: Stage) -> None:
    admin = await asyncpg.connect(stage.urls.admin)
    for table, columns, values in (
        ("bundles", "manifest, seqs", "'', '{}'"), ("receipts", "tree_head", "''")
    ):  # fmt: skip
        await admin.execute(
            f"INSERT INTO sample.{table} (number, {columns}, create_time) SELECT number, {values},"
            " clock_timestamp() - CASE WHEN number IN (1, 250) THEN interval '2 days' ELSE '0' END"
            " FROM generate_series(1, 300) AS number"
        )
    await admin.execute("SELECT sample.prune_outbox(86400)")
    for table in ("bundles", "receipts"):
        kept = await admin.fetchval(f"SELECT array_agg(number) FROM sample.{table}")
        assert set(range(1, 301)) - set(kept) == {1}, table
    await admin.close()
