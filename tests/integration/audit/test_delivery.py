"""What is lost, doubled or altered on the way into the log is noticed, mended, and told."""

import json
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest

from chenu.audit.v1 import alert_service_pb2 as alert_pb
from chenu.audit.v1.alert_pb2 import Alert, AlertKind
from chenu.audit.v1.alert_service_pb2_grpc import AlertServiceStub
from chenu.events.v1.audit_event_pb2 import AuditAction
from kernel.context import background
from kernel.receipts import leaf_hash
from kernel.service import Service
from services.audit import scrubbing
from services.audit.settings import AuditSettings
from services.audit.watching import look_for_silence
from tests.integration.audit.listing import Publish
from tests.support.identity import Person, StandInIdentity
from tests.support.source import StandInSource, an_event
from tests.support.waiting import soon


@pytest.fixture
def alerts(channel: grpc.aio.Channel, identity: StandInIdentity, person: Person) -> Any:
    stub = AlertServiceStub(channel)

    async def listed(**wanted: Any) -> list[Alert]:
        answer = await stub.ListAlerts(
            alert_pb.ListAlertsRequest(page_size=200, **wanted), metadata=identity.as_human(person)
        )
        return list(answer.alerts)

    return listed


def versions(person: Person, stream: str, *wanted: int, **more: Any) -> list[bytes]:
    return [an_event(person, stream=stream, version=str(n), **more) for n in wanted]


async def has(superuser: asyncpg.Connection, leaf: bytes) -> bool:
    sql = "SELECT count(*) FROM audit.entries WHERE leaf = $1 AND kind = 'event'"
    return bool(await superuser.fetchval(sql, leaf))


async def test_a_version_that_never_came_is_fetched_from_its_source(
    source: StandInSource,
    publish: Publish,
    person: Person,
    superuser: asyncpg.Connection,
    alerts: Any,
) -> None:
    first, lost, third = versions(person, stream := f"thread/{uuid4()}", 1, 2, 3)
    source.streams[stream] = [first, lost, third]
    await publish(source.bundle([first, third]))
    await soon(lambda: has(superuser, lost), "the lost version is in the log")
    row = await superuser.fetchrow("SELECT * FROM audit.streams WHERE stream = $1", stream)
    assert row
    assert (row["highest"], row["held"]) == (3, 3)
    assert not await superuser.fetchval("SELECT 1 FROM audit.alerts WHERE subject = $1", stream)


async def test_a_version_that_nobody_has_is_an_alert_until_it_comes_after_all(
    source: StandInSource,
    publish: Publish,
    person: Person,
    superuser: asyncpg.Connection,
    alerts: Any,
) -> None:
    first, lost, third = versions(person, stream := f"thread/{uuid4()}", 1, 2, 3)
    await publish(source.bundle([first, third]))
    sql = "SELECT alert_id::text FROM audit.alerts WHERE kind = 'VERSION_HOLE' AND subject = $1"
    opened = await soon(lambda: superuser.fetchval(sql, stream), "the hole is an alert")
    (told,) = [one for one in await alerts() if one.alert_id == opened]
    assert told.kind == AlertKind.ALERT_KIND_VERSION_HOLE
    assert stream not in told.subject  # whose stream it is, is nobody's business
    source.streams[stream] = [first, lost, third]
    closed = f"{sql} AND close_time IS NOT NULL"
    await soon(lambda: superuser.fetchval(closed, stream), "the alert is closed")
    assert opened not in {one.alert_id for one in await alerts()}
    assert opened in {one.alert_id for one in await alerts(include_closed=True)}


async def test_a_version_that_is_told_twice_is_an_alert(
    source: StandInSource, publish: Publish, person: Person, superuser: asyncpg.Connection
) -> None:
    stream = f"thread/{uuid4()}"
    await publish(source.bundle(versions(person, stream, 1, 1)))
    sql = "SELECT 1 FROM audit.alerts WHERE kind = 'VERSION_TWICE' AND subject = $1"
    await soon(lambda: superuser.fetchval(sql, stream), "the doubled version is an alert")


async def test_a_hole_in_the_numbers_is_an_alert_until_it_is_filled(
    source: StandInSource, publish: Publish, person: Person, superuser: asyncpg.Connection
) -> None:
    source.silent = True
    lost = an_event(person)
    source.bundle([lost])
    hole = f"bundle/{len(source.bundles)}"
    await publish(source.bundle([an_event(person)]))
    sql = (
        "SELECT 1 FROM audit.alerts WHERE kind = 'BUNDLE_HOLE' AND subject = $1"
        " AND source = 'chenu/threads'"
    )
    await soon(lambda: superuser.fetchval(f"{sql} AND close_time IS NULL", hole), "an alert")
    source.silent = False
    await publish(source.bundle([an_event(person)]))
    await soon(lambda: superuser.fetchval(f"{sql} AND close_time IS NOT NULL", hole), "closed")
    assert await has(superuser, lost)


async def test_poison_conflicts_and_forged_manifests_are_alerts_and_records(
    source: StandInSource, publish: Publish, person: Person, superuser: asyncpg.Connection
) -> None:
    event_id = str(uuid4())
    poison = f"no json {uuid4()}".encode()
    one, other = an_event(person, id=event_id), an_event(person, id=event_id, reason="X")
    await publish(source.bundle([one, poison]))
    await publish(source.bundle([other]))
    forged = source.bundle([an_event(person)]).replace(b"thread.created", b"thread.deleted")
    await publish(forged)
    await publish(source.bundle([an_event(person)]))
    kinds = "SELECT kind FROM audit.alerts WHERE subject = ANY($1)"
    subjects = [
        f"event/{event_id}",
        *(f"quarantine/{_quarantined(data)[:16]}" for data in (poison, forged)),
    ]

    async def all_three() -> bool:
        found = {row["kind"] for row in await superuser.fetch(kinds, subjects)}
        return found == {"CONFLICT", "POISON", "MANIFEST_MISMATCH"}

    await soon(all_three, "three alerts")

    async def told() -> bool:
        events = "SELECT convert_from(leaf, 'UTF8') FROM audit.entries WHERE type = $1"
        rows = await superuser.fetch(events, "chenu.audit.alert.opened")
        about = {json.loads(row[0])["data"]["details"]["about"] for row in rows}
        return about >= set(subjects)

    await soon(told, "each alert is itself in the log")


def _quarantined(data: bytes) -> str:
    text = {"digest": leaf_hash(data).hex(), "kind": "quarantine", "source": "chenu/threads"}
    return leaf_hash(json.dumps(text, sort_keys=True, separators=(",", ":")).encode()).hex()


async def test_a_number_that_means_something_else_is_an_alert_and_its_events_are_kept(
    source: StandInSource, publish: Publish, person: Person, superuser: asyncpg.Connection
) -> None:
    await publish(source.bundle([an_event(person)]))
    number, true = len(source.bundles), source.bundles[len(source.bundles)]
    await soon(lambda: _held(superuser, source, number), "the bundle is held")
    played = an_event(person)
    del source.bundles[number]
    await publish(source.bundle([played]))
    source.bundles[number] = true
    sql = "SELECT 1 FROM audit.alerts WHERE kind = 'NUMBER_REUSED' AND subject = $1"
    await soon(lambda: superuser.fetchval(sql, f"bundle/{number}"), "an alert")
    assert await has(superuser, played)


async def _held(superuser: asyncpg.Connection, source: StandInSource, number: int) -> bool:
    sql = "SELECT number FROM audit.sources WHERE source = $1"
    return bool((await superuser.fetchval(sql, source.source) or 0) >= number)


async def test_a_source_restored_from_an_older_dump_goes_on_and_loses_nothing(
    service: Service[AuditSettings], person: Person, superuser: asyncpg.Connection,
    restored: StandInSource,
) -> None:  # fmt: skip
    async def publish(data: bytes) -> None:
        await service.messaging.publish_bundle(restored.service, uuid4().int, 1, data)

    def event() -> bytes:
        return an_event(person, source=restored.source)

    for _ in range(5):
        await publish(restored.bundle([event()]))
    await soon(lambda: _held(superuser, restored, 5), "five bundles are held")
    for number in (4, 5):  # the dump was made after the third
        del restored.bundles[number]
    restored.generation += 1
    after = [event() for _ in range(3)]
    restored.bundle([after[0]])  # number 4 again, and it never arrives
    await publish(restored.bundle([after[1]]))
    await publish(restored.bundle([after[2]]))

    async def all_there() -> bool:
        return all([await has(superuser, leaf) for leaf in after])

    await soon(all_there, "all that happened after the restore is in the log")
    sql = "SELECT count(*) FROM audit.alerts WHERE kind = 'SOURCE_REWOUND' AND source = $1"
    assert await superuser.fetchval(sql, restored.source)
    await soon(lambda: _receipted(restored, 6), "the receipt covers the new bundles")
    for number in (4, 5, 6):  # and the same dump once more
        del restored.bundles[number]
    restored.generation, again = restored.generation + 1, event()
    await publish(restored.bundle([again]))
    await soon(lambda: has(superuser, again), "what came after the second restore is in the log")
    await soon(lambda: _receipted(restored, 4), "and its bundle is receipted")


async def _receipted(source: StandInSource, number: int) -> bool:
    return any(receipt.number == number for receipt in source.receipts[-1:])


async def test_an_entry_that_was_taken_out_or_changed_is_an_alert(
    source: StandInSource, publish: Publish, person: Person, superuser: asyncpg.Connection
) -> None:
    event = an_event(person)
    await publish(source.bundle([event, an_event(person)]))
    await soon(lambda: has(superuser, event), "the event is in the log")
    index = await superuser.fetchval("SELECT index FROM audit.entries WHERE leaf = $1", event)
    async with superuser.transaction():
        await superuser.execute("ALTER TABLE audit.entries DISABLE TRIGGER append_only")
        kept = await superuser.fetchval("SELECT leaf FROM audit.entries WHERE index = $1", index)
        change = "UPDATE audit.entries SET leaf = $2 WHERE index = $1"
        await superuser.execute(change, index, kept.replace(b"personal", b"business"))
        await superuser.execute("ALTER TABLE audit.entries ENABLE ALWAYS TRIGGER append_only")
    sql = "SELECT 1 FROM audit.alerts WHERE kind = 'ENTRY_CHANGED' AND subject = $1"
    try:
        await soon(lambda: superuser.fetchval(sql, f"entry/{index}"), "an alert")
    finally:
        async with superuser.transaction():
            await superuser.execute("ALTER TABLE audit.entries DISABLE TRIGGER append_only")
            await superuser.execute(change, index, kept)
            await superuser.execute("ALTER TABLE audit.entries ENABLE ALWAYS TRIGGER append_only")


async def test_whoever_compares_a_stretch_of_the_log_reads_no_more_of_it(
    superuser: asyncpg.Connection,
) -> None:
    sql, stretch = scrubbing._WRONG.bind({"start": 0, "end": 10_000_000})
    async with superuser.transaction():
        await superuser.execute("SET LOCAL enable_seqscan = off")  # however short it is here
        plan = await superuser.fetch(f"EXPLAIN {sql}", *stretch)
    told = "\n".join(row[0] for row in plan)
    assert "Index Cond: ((index >= " in told, told


async def test_a_source_that_falls_silent_is_an_alert_until_it_is_heard_again(
    service: Service[AuditSettings], source: StandInSource, publish: Publish, person: Person,
    superuser: asyncpg.Connection,
) -> None:  # fmt: skip
    await publish(source.bundle([an_event(person)]))
    await soon(lambda: _held(superuser, source, len(source.bundles)), "it was heard of")
    sql = (
        "SELECT close_time IS NULL AS open FROM audit.alerts"
        " WHERE kind = 'SOURCE_SILENT' AND source = $1 ORDER BY open_time DESC LIMIT 1"
    )
    with background("test"):
        await look_for_silence(service.worker, 0)
    assert await superuser.fetchval(sql, source.source)
    with background("test"):
        await look_for_silence(service.worker, 3600)
    assert not await superuser.fetchval(sql, source.source)
    stranger = StandInSource(f"nobody{uuid4().hex}")  # of whom nothing is expected
    data = stranger.bundle([an_event(person, source=stranger.source)])
    await service.messaging.publish_bundle(stranger.service, 1, 1, data)
    await soon(lambda: _held(superuser, stranger, 1), "the stranger was heard")
    with background("test"):
        await look_for_silence(service.worker, 0)
        await look_for_silence(service.worker, 3600)
    assert await superuser.fetchval(sql, stranger.source) is None


async def test_a_refused_call_that_meant_anothers_thing_is_a_violation_in_that_others_log(
    source: StandInSource, publish: Publish, person: Person, superuser: asyncpg.Connection
) -> None:
    owner, thread = Person(), f"thread/{uuid4()}"
    refused = {
        "action": "AUDIT_ACTION_DENY",
        "outcome": "PERMISSION_DENIED",
        "reason": "FORBIDDEN",
    }
    nothing = f"thread/{uuid4()}"
    await publish(
        source.bundle(
            [
                an_event(owner, subject=thread),
                an_event(person, subject="method/x", targets=[thread, nothing], **refused),
                an_event(owner, subject="method/x", targets=[thread], **refused),
            ]
        )
    )
    sql = "SELECT * FROM audit.entries WHERE action = $1 AND subject = ANY($2)"
    violation = AuditAction.AUDIT_ACTION_IDENTITY_VIOLATION
    (found,) = await soon(
        lambda: superuser.fetch(sql, violation, [thread, nothing]), "the violation is in the log"
    )
    assert (found["identity"], found["subject"]) == (owner.identity, thread)
    details = json.loads(found["leaf"])["data"]["details"]
    assert (details["kind"], details["person"]) == ("cross_identity_access", person.person)
