"""The relay: every committed event once, in order, whatever happens around it."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from chenu.events.v1.audit_event_pb2 import AUDIT_ACTION_CREATE
from chenu.events.v1.bundle_pb2 import Bundle, Manifest
from deploy.local.postgres_server import PostgresServer
from kernel import relay as relay_module
from kernel.audit_event import AuditRecord, record
from kernel.context import background, new_id
from kernel.database import Database, OutboxState
from kernel.messaging import NotPublished
from kernel.receipts import leaf_hash, root_of
from kernel.relay import MAX_BUNDLE_BYTES, Relay
from kernel.service import _supervise
from kernel.settings import SharedSettings
from kernel.statement import Statement
from tests.integration.kernel.conftest import Urls, someone, until


class Recorder:
    """Stands where NATS is: keeps what is published, or refuses it."""

    def __init__(self) -> None:
        self.published: list[tuple[int, int, bytes]] = []
        self.refuses = False

    async def publish_bundle(self, source: str, number: int, attempt: int, data: bytes) -> None:
        assert source == "sample"
        if self.refuses:
            raise NotPublished("refused")
        self.published.append((number, attempt, data))

    def bundles(self) -> dict[int, Bundle]:
        """By number; a number must mean the same each time."""
        found: dict[int, bytes] = {}
        for number, _, data in self.published:
            assert found.setdefault(number, data) == data
        return {number: Bundle.FromString(data) for number, data in sorted(found.items())}

    def events(self) -> list[bytes]:
        return [event for bundle in self.bundles().values() for event in bundle.events]


def make_event(size: int = 0) -> AuditRecord:
    with background("test", caller=someone()):
        return record(
            source="sample", type="note.created", action=AUDIT_ACTION_CREATE,
            subject=f"note/{new_id()}", details={"filler": "x" * size},
        )  # fmt: skip


class Stage:
    """A database of its own with a relay that can be started and stopped."""

    def __init__(self, urls: Urls, app: Database, worker: Database, shared: SharedSettings) -> None:
        self.urls, self.app, self.worker, self.shared = urls, app, worker, shared
        self.recorder = Recorder()

    @asynccontextmanager
    async def relaying(self, messaging: Any = None) -> AsyncIterator[Relay]:
        relay = Relay("sample", self.worker, messaging or self.recorder, self.shared)
        task = asyncio.create_task(relay.run())
        try:
            yield relay
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def write(self, *events: AuditRecord) -> None:
        async with self.app.transaction(someone()) as tx:
            for event in events:
                tx.emit(event)

    async def all_of(self, events: list[AuditRecord], seconds: float = 20) -> None:
        wanted = {event.bytes for event in events}
        await until(lambda: wanted <= set(self.recorder.events()), seconds)


@pytest.fixture
async def make_stage(
    clone: Callable[[], Awaitable[Urls]],
) -> AsyncIterator[Callable[..., Awaitable[Stage]]]:
    opened: list[Database] = []

    async def make(**settings: Any) -> Stage:
        urls, state = await clone(), OutboxState()
        app = await Database.connect(urls.app, schema="sample", outbox=state)
        worker = await Database.connect(urls.worker, schema="sample", outbox=state)
        opened.extend((app, worker))
        return Stage(urls, app, worker, SharedSettings(**settings))

    yield make
    for database in opened:
        await database.close()


@pytest.fixture
async def stage(make_stage: Callable[..., Awaitable[Stage]]) -> Stage:
    return await make_stage()


async def test_writers_rollbacks_and_savepoints_neither_lose_nor_double_an_event(
    stage: Stage,
) -> None:
    committed: list[AuditRecord] = []
    connections = [await asyncpg.connect(stage.urls.app) for _ in range(8)]
    insert = "INSERT INTO sample.outbox (id, stream, version, event) VALUES ($1, '', 0, $2)"

    async def write(connection: asyncpg.Connection, seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(60):
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


async def test_a_manifest_tells_what_its_bundle_holds(stage: Stage) -> None:
    events = [make_event() for _ in range(3)]
    async with stage.relaying():
        await stage.write(*events)
        await stage.all_of(events)
    for number, bundle in stage.recorder.bundles().items():
        manifest = Manifest.FromString(bundle.manifest)
        assert (manifest.source, manifest.number, manifest.generation) == (
            "chenu/sample", number, 1,
        )  # fmt: skip
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


async def test_what_is_not_published_is_published_when_the_broker_is_back(stage: Stage) -> None:
    stage.recorder.refuses = True
    events = [make_event() for _ in range(5)]
    async with stage.relaying():
        for event in events:
            await stage.write(event)
        await asyncio.sleep(0.3)
        stage.recorder.refuses = False
        await stage.all_of(events)
    assert stage.recorder.events() == [event.bytes for event in events]


async def test_a_relay_that_dies_anywhere_loses_and_doubles_nothing(stage: Stage) -> None:
    events: list[AuditRecord] = []
    for n in range(12):
        async with stage.relaying():
            for _ in range(3):
                events.append(make_event())
                await stage.write(events[-1])
            await asyncio.sleep(0.015 * n)
    async with stage.relaying():
        await stage.all_of(events)
    assert stage.recorder.events() == [event.bytes for event in events]


async def test_without_a_receipt_a_bundle_is_published_again_as_another_attempt(
    make_stage: Callable[..., Awaitable[Stage]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "CHORES_SECONDS", 0.05)
    stage = await make_stage(relay_republish_seconds=0.1)
    event = make_event()
    await stage.write(event)
    async with stage.relaying():
        await until(lambda: {0, 1, 2} <= {a for n, a, _ in stage.recorder.published if n == 1})
    assert stage.recorder.events() == [event.bytes]


async def test_two_relays_do_not_work_at_once_and_the_second_takes_over(stage: Stage) -> None:
    events = [make_event() for _ in range(2)]
    async with stage.relaying():
        await stage.write(events[0])
        await stage.all_of(events[:1])
        second = Recorder()
        async with stage.relaying(second):
            admin = await asyncpg.connect(stage.urls.admin)
            holder = (
                "SELECT pid FROM pg_locks JOIN pg_database d ON d.oid = database"
                " WHERE locktype = 'advisory' AND granted AND datname = current_database()"
            )
            (holding,) = await admin.fetch(holder)
            await asyncio.sleep(0.3)
            assert second.published == []
            await admin.execute("SELECT pg_terminate_backend($1)", holding["pid"])
            await stage.write(events[1])
            await until(lambda: events[1].bytes in second.events())
            await admin.close()


async def test_after_a_restart_of_the_database_the_relay_goes_on(
    stage: Stage, postgres_server: PostgresServer
) -> None:
    relay = Relay("sample", stage.worker, stage.recorder, stage.shared)  # type: ignore[arg-type]
    task = asyncio.create_task(_supervise("relay", relay.run))
    events = [make_event() for _ in range(2)]
    await stage.write(events[0])
    await stage.all_of(events[:1])
    await asyncio.to_thread(postgres_server.stop)
    await asyncio.sleep(0.5)
    await asyncio.to_thread(postgres_server.start)
    await stage.write(events[1])
    await stage.all_of(events)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert stage.recorder.events() == [event.bytes for event in events]


async def test_a_database_that_was_restored_begins_a_new_generation(stage: Stage) -> None:
    before = [make_event() for _ in range(3)]
    await stage.write(before[0])
    async with stage.relaying():
        await stage.all_of(before[:1])
    await stage.write(before[1])
    # As after dump and restore into a cluster that is far ahead, or far behind.
    admin = await asyncpg.connect(stage.urls.admin)
    await admin.execute("ALTER TABLE sample.outbox DISABLE TRIGGER append_only")
    await admin.execute("UPDATE sample.outbox SET xid = '999999999999'")
    await admin.execute("ALTER TABLE sample.outbox ENABLE ALWAYS TRIGGER append_only")
    await admin.execute("UPDATE sample.relay_state SET cluster = 'another', snapshot = '9:9:'")
    await admin.close()
    async with stage.relaying():
        await stage.write(before[2])
        await stage.all_of(before)
        await stage.write(after := make_event())
        await stage.all_of([after])
    assert stage.recorder.events() == [event.bytes for event in (*before, after)]
    generations = [
        Manifest.FromString(bundle.manifest).generation
        for bundle in stage.recorder.bundles().values()
    ]
    assert generations == sorted(generations)
    assert set(generations) == {1, 2}


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
