"""The relay when something goes wrong around it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from chenu.events.v1.bundle_pb2 import Bundle, Manifest
from deploy.local.postgres_server import PostgresServer
from kernel import relay as relay_module
from kernel.audit_event import AuditRecord
from kernel.relay import Relay
from kernel.service import _supervise
from tests.integration.kernel.relay_stage import Recorder, Stage, make_event
from tests.integration.kernel.support import Urls, until


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
    assert {attempt for _, attempt, _ in stage.recorder.published} == {0}  # no other was taken


async def test_however_much_has_gathered_meanwhile_no_chore_need_remind_of_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(relay_module, "CHORES_SECONDS", 3600.0)
    stage.recorder.refuses = True
    events: list[AuditRecord] = []
    async with stage.relaying():
        for _ in range(2 * relay_module._AT_ONCE):  # a bundle each
            events.append(make_event())
            await stage.write(events[-1])
            await asyncio.sleep(0.05)
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


class Silent(Recorder):
    """Takes a bundle and never says so, as if the relay's machine had died."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Event()

    async def publish_bundle(self, *_: Any) -> None:
        self.reached.set()
        await asyncio.Event().wait()


async def test_a_relay_that_is_not_heard_of_any_more_loses_its_lock_to_another(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent: Any = Silent()
    relay = Relay("sample", stage.worker, silent, stage.shared)
    monkeypatch.setattr(relay_module, "SILENCE", "300ms")
    task = asyncio.create_task(_supervise("relay", relay.run))  # a slow machine may end it sooner
    await stage.write(event := make_event())
    await silent.reached.wait()
    monkeypatch.undo()
    async with stage.relaying():
        await stage.all_of([event])
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


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
        # What is written while the new generation is opened may overtake what it takes over.
        await stage.all_of(before[:2])
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
    assert len(set(generations)) == 2


async def test_two_restores_of_one_dump_are_two_generations(stage: Stage) -> None:
    opened = []
    for _ in range(2):
        admin = await asyncpg.connect(stage.urls.admin)
        await admin.execute("UPDATE sample.relay_state SET cluster = 'another', generation = 7")
        await admin.close()
        await stage.write(event := make_event())
        async with stage.relaying():
            await stage.all_of([event])
        newest = max(stage.recorder.bundles())
        opened.append(Manifest.FromString(stage.recorder.bundles()[newest].manifest).generation)
    assert 7 < opened[0] < opened[1]


class Deadly(Recorder):
    """Takes a bundle, and has the relay's connection cut before it can mark it."""

    def __init__(self, urls: Urls) -> None:
        super().__init__()
        self._urls, self.deaths = urls, 0

    async def publish_bundle(self, source: str, number: int, attempt: int, data: bytes) -> None:
        await super().publish_bundle(source, number, attempt, data)
        if Bundle.FromString(data).events and self.deaths < 3:
            self.deaths += 1
            admin = await asyncpg.connect(self._urls.admin)
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'sample.relay' AND datname = current_database()"
            )
            await admin.close()


async def test_a_relay_killed_between_publishing_and_marking_publishes_once_more_and_goes_on(
    stage: Stage,
) -> None:
    recorder = Deadly(stage.urls)
    relay = Relay("sample", stage.worker, recorder, stage.shared)  # type: ignore[arg-type]
    task = asyncio.create_task(_supervise("relay", relay.run))
    events = [make_event() for _ in range(6)]
    for event in events:
        await stage.write(event)
        await asyncio.sleep(0.02)
    await until(lambda: recorder.events() == [event.bytes for event in events])
    assert recorder.deaths == 3
    assert len(recorder.published) > len(recorder.bundles())  # repeated, and recognised as such
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_long_transaction_here_or_in_another_database_holds_up_nobody_else(
    stage: Stage, postgres: str
) -> None:
    late, others = make_event(), [make_event() for _ in range(3)]
    elsewhere = await asyncpg.connect(postgres)
    here = await asyncpg.connect(stage.urls.app)
    insert = "INSERT INTO sample.outbox (id, stream, version, event) VALUES ($1, '', 0, $2)"
    async with stage.relaying():
        for connection in (elsewhere, here):
            await connection.execute("BEGIN; SELECT pg_current_xact_id()")
        await here.execute(insert, late.id, late.bytes)
        for event in others:
            await stage.write(event)
        await stage.all_of(others)
        assert late.bytes not in stage.recorder.events()
        await here.execute("COMMIT")
        await stage.all_of([late])
        await elsewhere.execute("ROLLBACK")
    for connection in (elsewhere, here):
        await connection.close()
    assert len(stage.recorder.events()) == 4
