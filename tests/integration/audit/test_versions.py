"""Versions that are missing in a stream, however many, are named, and fetched where they lie."""

from collections.abc import Sequence
from uuid import uuid4

import asyncpg

from kernel.context import background
from kernel.service import Service
from services.audit.reading import Leaf
from services.audit.retention import prune_before
from services.audit.settings import AuditSettings
from services.audit.streams import Holes
from tests.integration.audit.listing import Publish
from tests.support.identity import Person
from tests.support.source import StandInSource, an_event
from tests.support.waiting import soon

TOLD = "SELECT details FROM audit.alerts WHERE kind = 'VERSION_HOLE' AND subject = $1"
HELD = """SELECT version FROM audit.entries WHERE stream = $1 AND kind = 'event'
    ORDER BY version"""


async def test_each_gap_is_counted_and_what_its_source_has_fills_it(
    source: StandInSource, publish: Publish, person: Person, superuser: asyncpg.Connection
) -> None:
    stream, last = f"thread/{uuid4()}", 10**17

    def event(version: int) -> bytes:
        return an_event(person, stream=stream, version=str(version))

    source.streams[stream] = [event(version) for version in (3, 8, last - 1)]
    await publish(source.bundle([event(1), event(2), event(5), event(last)]))
    details = await soon(lambda: superuser.fetchval(TOLD, stream), "an alert")
    # Told when it was first seen, before what was fetched came in.
    assert details["missing"] == str(last - 4)
    assert details["versions"].split(",")[:6] == ["3", "4", "6", "7", "8", "9"]
    found = [row["version"] for row in await superuser.fetch(HELD, stream)]
    assert found == [1, 2, 3, 5, 8, last - 1, last]


async def test_what_was_pruned_of_a_stream_is_not_fetched_again(
    *,
    source: StandInSource,
    publish: Publish,
    person: Person,
    superuser: asyncpg.Connection,
    service: Service[AuditSettings],
) -> None:
    stream = f"thread/{uuid4()}"
    whole = [an_event(person, stream=stream, version=str(version)) for version in range(1, 7)]
    await publish(source.bundle([*whole[:4], whole[5]]))  # and the fifth is nowhere
    await soon(lambda: superuser.fetchval(TOLD, stream), "the hole is an alert")
    place = "SELECT index FROM audit.entries WHERE stream = $1 AND version = $2"
    index = await superuser.fetchval(place, stream, 3)
    row = await superuser.fetchrow("SELECT * FROM audit.streams WHERE stream = $1", stream)
    asked: list[int] = []
    added: list[int] = []

    async def ask(_source: str, _stream: str, first: int) -> list[bytes]:
        asked.append(first)
        return whole

    async def add(_source: str, leaves: Sequence[Leaf]) -> int:
        added.extend(leaf.version for leaf in leaves)
        return len(leaves)

    with background("test"):
        async with service.worker.work() as tx:
            assert await prune_before(tx, index, "test-rule") > 0
        await Holes(service.worker, ask, add)._mend(row)
    assert (asked, added) == ([5], [5])
