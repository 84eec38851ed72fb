"""A database with a relay that can be started and stopped, and a stand-in for NATS."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from chenu.events.v1.audit_event_pb2 import AUDIT_ACTION_CREATE
from chenu.events.v1.bundle_pb2 import Bundle
from kernel.audit_event import AuditRecord, record
from kernel.context import background, new_id
from kernel.database import Database
from kernel.messaging import NotPublished
from kernel.relay import Relay
from kernel.settings import SharedSettings
from tests.integration.kernel.support import Urls, someone, until


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
        chosen: Any = messaging or self.recorder
        relay = Relay("sample", self.worker, chosen, self.shared)
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

    async def all_of(self, events: list[AuditRecord]) -> None:
        wanted = {event.bytes for event in events}
        await until(lambda: wanted <= set(self.recorder.events()))
