"""The running log, checked from outside: a change in its database is found, and where it is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest

from chenu.audit.v1 import log_service_pb2 as log_pb
from chenu.audit.v1.entry_service_pb2_grpc import EntryServiceStub
from chenu.audit.v1.log_service_pb2_grpc import LogServiceStub
from cli.verification.keys import Keys
from cli.verification.live import verify_log
from cli.verification.verdict import Trust, Verdict
from kernel.receipts import VerifierKey, leaf_hash
from kernel.service import Service
from services.audit import log as audit_log
from services.audit.settings import AuditSettings
from tests.integration.audit.listing import Publish, listed
from tests.support.identity import Person, StandInIdentity
from tests.support.source import StandInSource, an_event

GUARDS = (
    "ALTER TABLE audit.entries {} TRIGGER append_only",
    "ALTER TABLE audit.tiles {} TRIGGER only_grows",
)
CHANGE = "UPDATE audit.entries SET leaf = $2, leaf_hash = $3 WHERE index = $1"
TILE = (
    "UPDATE audit.tiles SET hashes = overlay(hashes PLACING $3 FROM $2 * 32 + 1)"
    " WHERE level = 0 AND index = $1"
)


class Connection:
    """As the command has one, for this person."""

    def __init__(self, channel: grpc.aio.Channel, metadata: Any) -> None:
        self._channel, self._metadata = channel, metadata

    def stub(self, kind: Any, token: str | None = None) -> Any:
        return _Stub(kind(self._channel), () if token == "" else self._metadata)


class _Stub:
    def __init__(self, stub: Any, metadata: Any) -> None:
        self._stub, self._metadata = stub, metadata

    def __getattr__(self, name: str) -> Any:
        return lambda request: getattr(self._stub, name)(request, metadata=self._metadata)


@pytest.fixture
async def grown(
    entries: EntryServiceStub,
    identity: StandInIdentity,
    source: StandInSource,
    publish: Publish,
) -> Person:
    """Whose records came in three batches, the last."""
    person = Person(roles=("owner", "auditor"))
    for batch in (1, 2, 3):
        bundle = source.bundle([an_event(person) for _ in range(4)])
        await publish(bundle)
        await listed(entries, identity, person, 4 * batch)
    return person


@asynccontextmanager
async def changed(
    service: Service[AuditSettings], superuser: asyncpg.Connection, *indexes: int, tile: bool
) -> AsyncIterator[None]:
    """These records are others, and the hashes beside them; with `tile`, those in the tiles too."""
    wanted = "SELECT index, leaf, leaf_hash FROM audit.entries WHERE index = ANY($1)"
    before = await superuser.fetch(wanted, indexes)

    async def write(rows: list[tuple[int, bytes, bytes]]) -> None:
        async with superuser.transaction():
            for guard in GUARDS:
                await superuser.execute(guard.format("DISABLE"))
            await superuser.executemany(CHANGE, rows)
            for index, _, hashed in rows if tile else ():
                await superuser.execute(TILE, index // 256, index % 256, hashed)
            for guard in GUARDS:
                await superuser.execute(guard.format("ENABLE ALWAYS"))

    async with service.worker.work() as tx:
        await audit_log.lock(tx)  # nothing is to be signed over what is changed here
        await write([(index, b"{}", leaf_hash(b"{}")) for index in indexes])
        try:
            yield
        finally:
            await write([tuple(row) for row in before])


async def test_a_change_in_the_database_is_found_and_where_it_is_as_near_as_heads_tell(
    *,
    service: Service[AuditSettings],
    superuser: asyncpg.Connection,
    channel: grpc.aio.Channel,
    log: LogServiceStub,
    identity: StandInIdentity,
    grown: Person,
    tmp_path: Path,
) -> None:
    key = VerifierKey.parse((await log.GetLogKey(log_pb.GetLogKeyRequest())).verifier_key)
    connection: Any = Connection(channel, identity.as_human(grown))

    async def verified() -> Verdict:
        return await verify_log(connection, Keys([key]), tmp_path / "head", lambda *_: None)

    honest = await verified()
    assert (honest.problems, honest.trust) == ([], Trust.PINNED)
    assert honest.records >= 12
    mine = [
        row["index"]
        for row in await superuser.fetch(
            "SELECT index FROM audit.entries WHERE tenant = $1 AND source = 'chenu/threads'"
            " ORDER BY index",
            grown.tenant,
        )
    ]
    for index in (mine[0], mine[7], mine[-1]):
        async with changed(service, superuser, index, tile=False):
            found = await verified()
        assert (found.first_bad, found.first_bad_latest) == (index, index)
        async with changed(service, superuser, index, mine[-1], tile=True):
            found = await verified()
            rows = await superuser.fetch("SELECT size FROM audit.tree_heads")
        sizes = [0, *(row["size"] for row in rows)]
        low = max(size for size in sizes if size <= index)
        high = min(size for size in sizes if size > index)
        assert (found.first_bad, found.first_bad_latest) == (low, high - 1)
        assert found.exit_code == 1
    assert (await verified()).problems == []
