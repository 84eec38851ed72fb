"""A log that is far behind its sources takes in what it missed, step by step."""

from uuid import uuid4

import asyncpg
import pytest

from kernel.context import background
from kernel.service import Service
from services.audit import intake as taking
from services.audit.intake import Intake
from services.audit.keys import open_log_keys
from services.audit.settings import AuditSettings
from tests.support.identity import Person
from tests.support.source import StandInSource, an_event

HELD = "SELECT number FROM audit.sources WHERE source = $1"
TAKEN = "SELECT leaf FROM audit.entries WHERE source = $1 AND kind = 'event' ORDER BY index"
OPEN = """SELECT subject FROM audit.alerts
    WHERE source = $1 AND kind = 'BUNDLE_HOLE' AND close_time IS NULL"""


class Late:
    """A source whose bundles were given out long ago, all but the last never to this log."""

    def __init__(self, service: Service[AuditSettings], count: int) -> None:
        self.played = StandInSource(f"late{uuid4().hex}")
        person = Person()
        self.events = [an_event(person, source=self.played.source) for _ in range(count)]
        for event in self.events:
            self.played.bundle([event])
        self.asked: list[int] = []
        self.lost = 0
        keys = service.shared.keys_dir
        signers = open_log_keys(keys / "log.pem", keys / "log.vkey", service.settings.origin)
        self.intake = Intake(service.worker, signers, self._fetch)

    async def _fetch(self, _source: str, number: int) -> bytes:
        self.asked.append(number)
        if number == self.lost:
            raise LookupError(f"no bundle {number}")
        return self.played.bundles[number]

    async def arrives(self, number: int) -> bool:
        """Whether all that came before it was taken as well."""
        with background("test"):
            data = self.played.bundles[number]
            return not await self.intake.take([(self.played.source, data)])


async def test_of_many_missing_bundles_so_many_are_taken_at_once_until_all_are_there(
    service: Service[AuditSettings], superuser: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking, "_ASKED_AT_ONCE", 4)
    late, held = Late(service, 10), []
    while not await late.arrives(10):
        held.append(await superuser.fetchval(HELD, late.played.source))
    assert held == [4, 8]
    assert late.asked == list(range(1, 10))
    assert await superuser.fetchval(HELD, late.played.source) == 10
    taken = [row["leaf"] for row in await superuser.fetch(TAKEN, late.played.source)]
    assert taken == late.events
    assert not await superuser.fetch(OPEN, late.played.source)


async def test_what_comes_before_a_hole_is_taken_and_the_hole_is_named(
    service: Service[AuditSettings], superuser: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking, "_QUIET_SECONDS", 0.0)
    late = Late(service, 6)
    late.lost = 4
    assert not await late.arrives(6)
    assert not await late.arrives(6)
    assert await superuser.fetchval(HELD, late.played.source) == 3
    assert [row["subject"] for row in await superuser.fetch(OPEN, late.played.source)] == [
        "bundle/4"
    ]
    late.lost = 0
    assert await late.arrives(6)
    taken = [row["leaf"] for row in await superuser.fetch(TAKEN, late.played.source)]
    assert taken == late.events
    assert not await superuser.fetch(OPEN, late.played.source)
