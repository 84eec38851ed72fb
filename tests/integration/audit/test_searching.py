"""Finding entries: by each of their properties, by filter, as they come, and counted."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest

from chenu.audit.v1 import entry_service_pb2 as messages
from chenu.audit.v1.entry_service_pb2 import StatisticsGroup
from chenu.audit.v1.entry_service_pb2_grpc import EntryServiceStub
from kernel.errors import reason_of
from services.audit import reports
from tests.integration.audit.exports import exported
from tests.integration.audit.listing import Publish
from tests.support.database_urls import DatabaseUrls
from tests.support.identity import Person, StandInIdentity
from tests.support.source import StandInSource, an_event
from tests.support.waiting import soon

Write = Callable[..., Awaitable[None]]
THREAD = f"thread/{uuid4()}"
DENIED = {"action": "AUDIT_ACTION_DENY", "outcome": "PERMISSION_DENIED", "reason": "FORBIDDEN"}


@pytest.fixture
def write(
    publish: Publish,
    source: StandInSource,
    entries: EntryServiceStub,
    identity: StandInIdentity,
    person: Person,
) -> Write:
    async def write(*events: bytes) -> None:
        data = source.bundle(events)
        await publish(data)
        wanted = messages.ListEntriesRequest(page_size=500)
        own = {event for event in events if f'"identity":"{person.identity}",'.encode() in event}

        async def listed() -> bool:
            answer = await entries.ListEntries(wanted, metadata=identity.as_human(person))
            return {entry.leaf for entry in answer.entries} >= own

        await soon(listed, "the events are in the log")

    return write


@pytest.fixture
def find(entries: EntryServiceStub, identity: StandInIdentity, person: Person) -> Any:
    async def find(**wanted: Any) -> set[bytes]:
        answer = await entries.ListEntries(
            messages.ListEntriesRequest(page_size=500, **wanted), metadata=identity.as_human(person)
        )
        return {e.leaf for e in answer.entries if e.event.source == "chenu/threads"}

    return find


async def test_entries_are_found_by_each_of_their_properties(
    write: Write, find: Any, person: Person
) -> None:
    mine = an_event(person)
    about = an_event(person, targets=[THREAD], request_id="r-1", trace_id="a" * 32)
    itself = an_event(person, subject=THREAD, stream=THREAD, version="1", sphere="business")
    denied = an_event(person, **DENIED)
    nova = an_event(person, actor={"kind": "human", "person": person.person, "service": "nova"})
    await write(mine, about, itself, denied, nova)
    everything = {mine, about, itself, denied, nova}
    for text, found in {
        f"resource = {THREAD}": {about, itself},
        f"resource != {THREAD}": everything - {about, itself},
        "request_id = r-1": {about},
        f"trace_id = {'a' * 32}": {about},
        "request_id:*": {about},
        "-request_id:*": everything - {about},
        f"stream = {THREAD}": {itself},
        "version >= 1": {itself},
        "sphere = business OR request_id = r-1": {itself, about},
        "sphere = personal AND actor = nova": {nova},
        "service:nov": {nova},
        "action = deny": {denied},
        "outcome = PERMISSION_DENIED": {denied},
        "violation = true": {denied},
        "NOT violation = true sphere = business": {itself},
        "type:thread.created": everything,
        "source = chenu/threads": everything,
        "method:CreateThread": everything,
        f"identity = {person.identity} r-1": {about},
        "time > 2026-11-21T00:00:00Z time < 2026-11-23T00:00:00Z": everything,
        "time < 2026-11-21T00:00:00Z": set(),
        "log_time > 2026-11-01T00:00:00Z": everything,
        f'"{THREAD[:20].upper()}"': {about, itself},
        "index < 0": None,
    }.items():
        if found is None:
            with pytest.raises(grpc.aio.AioRpcError):
                await find(filter="index < -1")
        else:
            assert await find(filter=text) == found, text
    assert await find(resource=THREAD) == {about, itself}


async def test_an_event_of_other_types_than_its_contract_has_hides_no_other(
    write: Write, find: Any, person: Person
) -> None:
    strange, plain = an_event(person, details={"count": 1}), an_event(person)
    await write(plain, strange)
    assert await find() == {plain}  # of the other its bytes alone are shown


async def test_a_filter_that_is_none_is_refused_with_its_place(find: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await find(filter="colour = red")
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason_of(refused.value) == "INVALID_FILTER"


async def test_a_filter_shows_nobody_what_is_anothers(
    write: Write, entries: EntryServiceStub, identity: StandInIdentity, person: Person
) -> None:
    await write(an_event(person, subject=THREAD))
    stranger = identity.as_human(Person())
    for text in (
        f"resource = {THREAD}",
        f"identity = {person.identity}",
        "index >= 0 OR index < 1",
    ):
        answer = await entries.ListEntries(
            messages.ListEntriesRequest(filter=text), metadata=stranger
        )
        assert not [e for e in answer.entries if e.event.source == "chenu/threads"]


@asynccontextmanager
async def watching(
    entries: EntryServiceStub, metadata: Any, **wanted: Any
) -> AsyncIterator[AsyncIterator[Any]]:
    stream = entries.WatchEntries(messages.WatchEntriesRequest(**wanted), metadata=metadata)
    try:
        yield aiter(stream)
    finally:
        stream.cancel()


async def test_a_stream_goes_on_where_another_left_off_and_leaves_nothing_out(
    write: Write, entries: EntryServiceStub, identity: StandInIdentity, person: Person
) -> None:
    me = identity.as_human(person)
    events = [an_event(person, request_id=str(n)) for n in range(4)]
    only = {"filter": "source = chenu/threads"}
    async with watching(entries, me, **only) as stream:
        beat = await anext(stream)
        assert not beat.HasField("entry")
        await write(*events[:2])
        first = await anext(stream)
    await write(*events[2:])
    seen = [first.entry.leaf]
    async with watching(entries, me, cursor=first.cursor, **only) as stream:
        while len(seen) < 4:
            answer = await anext(stream)
            if answer.HasField("entry"):
                seen.append(answer.entry.leaf)
    assert seen == events


async def test_a_stream_shows_only_ones_own_and_takes_no_foreign_cursor(
    write: Write, entries: EntryServiceStub, identity: StandInIdentity, person: Person
) -> None:
    stranger = Person()
    async with watching(entries, identity.as_human(stranger)) as stream:
        await anext(stream)
        await write(an_event(person))
        own = await anext(stream)
        assert own.entry.event.identity in ("", stranger.identity)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        async with watching(entries, identity.as_human(person), cursor="forged") as stream:
            await anext(stream)
    assert reason_of(refused.value) == "INVALID_PAGE_TOKEN"


async def test_statistics_count_what_one_may_see_in_the_order_of_the_values(
    write: Write, entries: EntryServiceStub, identity: StandInIdentity, person: Person
) -> None:
    await write(an_event(person), an_event(person, sphere="business"), an_event(person, **DENIED))

    async def counted(group: StatisticsGroup) -> list[tuple[str, int, int]]:
        answer = await entries.GetStatistics(
            messages.GetStatisticsRequest(group_by=group, filter="source = chenu/threads"),
            metadata=identity.as_human(person),
        )
        assert answer.total == 3
        return [(one.value, one.count, one.denials) for one in answer.statistics]

    assert await counted(StatisticsGroup.STATISTICS_GROUP_ACTION) == [
        ("create", 2, 0), ("deny", 1, 1),
    ]  # fmt: skip
    assert await counted(StatisticsGroup.STATISTICS_GROUP_SPHERE) == [
        ("business", 1, 0), ("personal", 2, 1),
    ]  # fmt: skip
    assert await counted(StatisticsGroup.STATISTICS_GROUP_DAY) == [("2026-11-22", 3, 1)]
    assert await counted(StatisticsGroup.STATISTICS_GROUP_SOURCE) == [("chenu/threads", 3, 1)]


async def test_the_violation_report_tells_the_owner_who_tried_and_the_others_nothing(
    write: Write, entries: EntryServiceStub, identity: StandInIdentity, person: Person
) -> None:
    stranger, thread = Person(), f"thread/{uuid4()}"
    await write(an_event(person, subject=thread))
    refusal: dict[str, Any] = {**DENIED, "targets": [thread], "details": {"count": "3"}}
    await write(an_event(stranger, **refusal), an_event(person, subject="mark/1"))

    async def report(of: Person) -> Any:
        return await entries.GetViolationReport(
            messages.GetViolationReportRequest(), metadata=identity.as_human(of)
        )

    async def found_out() -> Any:
        told = await report(person)
        return told if told.violations else None

    told = await soon(found_out, "the violation is found")
    assert told.kinds["cross_identity_access"] == 1
    (found,) = told.violations
    assert (found.event.subject, found.violation) == (thread, True)
    assert found.event.data.details["person"] == stranger.person
    theirs = await report(stranger)
    assert not theirs.violations
    assert dict(theirs.denials) == {"FORBIDDEN": 3}
    assert "cross_identity_access" not in theirs.kinds


async def test_what_is_about_any_of_many_resources_is_exported_and_nothing_else(
    write: Write, person: Person, identity: StandInIdentity, exports: Any
) -> None:
    about, target, other = (f"thread/{uuid4()}" for _ in range(3))
    await write(
        an_event(person, subject=about),
        an_event(person, targets=[target]),
        an_event(person, subject=other),
    )
    wanted = [*(f"thread/{uuid4()}" for _ in range(500)), about, target]

    data, last = await exported(exports, identity.as_human(person), "jsonl", resources=wanted)

    assert last.exported_size == 2
    assert other.encode() not in data


async def test_the_total_is_told_where_it_is_asked_for(
    write: Write, entries: EntryServiceStub, identity: StandInIdentity, person: Person
) -> None:
    await write(*(an_event(person, request_id="r-1") for _ in range(3)), an_event(person))
    for asked in (True, False):
        request = messages.ListEntriesRequest(page_size=2, request_id="r-1", include_total=asked)
        answer = await entries.ListEntries(request, metadata=identity.as_human(person))
        assert (len(answer.entries), answer.total_size) == (2, 3 if asked else 0)


async def test_a_page_of_large_records_holds_as_many_as_a_message_does(
    write: Write, entries: EntryServiceStub, identity: StandInIdentity, person: Person
) -> None:
    large = [an_event(person, details={"x": "x" * 60_000}) for _ in range(40)]
    for start in range(0, len(large), 8):
        await write(*large[start : start + 8])
    request, found = messages.ListEntriesRequest(page_size=500), []
    while True:
        answer = await entries.ListEntries(request, metadata=identity.as_human(person))
        found += [one.leaf for one in answer.entries]
        request.page_token = answer.next_page_token
        if not request.page_token:
            break
    assert [leaf for leaf in reversed(found) if leaf in set(large)] == large


async def test_a_report_reads_no_more_than_the_violations(urls: DatabaseUrls) -> None:
    span = {"start": datetime.now(UTC) - timedelta(days=30), "end": datetime.now(UTC)}
    connection = await asyncpg.connect(urls.worker)
    try:
        for statement in (reports._LATEST, reports._KINDS):
            sql, values = statement.bind({**span, "all": True, "me": str(uuid4())})
            async with connection.transaction():
                await connection.execute("SET LOCAL enable_seqscan = off")  # however few there are
                plan = await connection.fetch(f"EXPLAIN {sql}", *values)
            told = "\n".join(row[0] for row in plan)
            assert "entries_violations" in told, told
    finally:
        await connection.close()
