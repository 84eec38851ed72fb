"""Earlier signed heads: given out spread over the log, kept by the hour, and what proofs need."""

from typing import Any

import asyncpg
import grpc
import pytest

from chenu.audit.v1 import log_service_pb2 as log_pb
from chenu.audit.v1.entry_service_pb2_grpc import EntryServiceStub
from chenu.audit.v1.log_service_pb2_grpc import LogServiceStub
from chenu.audit.v1.tile_service_pb2 import GetLogFileRequest
from chenu.audit.v1.tile_service_pb2_grpc import TileServiceStub
from kernel.context import background
from kernel.receipts import TreeHead, VerifierKey, open_tree_head
from kernel.service import Service
from services.audit import log as audit_log
from services.audit.settings import AuditSettings
from tests.integration.audit.listing import Publish, listed
from tests.support.identity import Person, StandInIdentity
from tests.support.source import StandInSource, an_event
from tests.support.waiting import soon

SIGNED = "SELECT size, root, create_time FROM audit.tree_heads WHERE size < $1 ORDER BY size"


@pytest.fixture(scope="module")
async def grown(
    entries: EntryServiceStub,
    identity: StandInIdentity,
    source: StandInSource,
    publish: Publish,
) -> None:
    """A log of a few batches, of which one crosses the end of a lowest tile."""
    for count in (1, 1, 1, 1, 270, 1):
        person = Person()
        bundle = source.bundle([an_event(person) for _ in range(count)])
        await publish(bundle)
        await listed(entries, identity, person, count)


async def test_heads_between_two_sizes_are_given_out_and_each_is_signed(
    grown: None,
    log: LogServiceStub,
    channel: grpc.aio.Channel,
    identity: StandInIdentity,
    superuser: asyncpg.Connection,
) -> None:
    me = identity.as_human(Person())
    key = VerifierKey.parse((await log.GetLogKey(log_pb.GetLogKeyRequest())).verifier_key)
    newest = (await log.GetTreeHead(log_pb.GetTreeHeadRequest(), metadata=me)).size
    signed = {row["size"]: row["root"] for row in await superuser.fetch(SIGNED, newest)}
    edge = newest // 256 * 256

    async def between(low: int, high: int) -> list[TreeHead]:
        request = log_pb.ListTreeHeadsRequest(after_size=low, before_size=high)
        answer = await log.ListTreeHeads(request, metadata=me)
        return [open_tree_head(note, [key]) for note in answer.tree_heads]

    for low, high in ((0, newest), (edge, newest), (1, 3), (newest, newest), (5, 4)):
        found = await between(low, high)
        assert [one.size for one in found] == sorted({one.size for one in found})
        assert all(signed[one.size] == one.root for one in found)
        wanted = [size for size in signed if low < size < high]
        if high - low <= 256:
            assert [one.size for one in found] == wanted
        assert bool(found) == bool(wanted)
        assert len(found) <= 256
    assert (await between(0, 0))[-1].size <= (await between(0, 10**12))[-1].size
    call = TileServiceStub(channel).GetLogFile(GetLogFileRequest(path="heads"), metadata=me)
    file: Any = await call.read()
    notes = file.data.decode().removesuffix("\n").split("\n\n\n")
    sizes = {open_tree_head(f"{note}\n", [key]).size for note in notes}
    # The log goes on meanwhile: it records this reading, too.
    by_now = {row["size"] for row in await superuser.fetch(SIGNED, 2**62)}
    edge = max(sizes) // 256 * 256
    assert {size for size in signed if size > edge} <= sizes <= by_now


async def age(superuser: asyncpg.Connection, sizes: list[int], hours: int) -> None:
    """Let these heads be of that many hours ago."""
    await superuser.execute("ALTER TABLE audit.tree_heads DISABLE TRIGGER append_only")
    when = "date_trunc('hour', clock_timestamp()) - make_interval(hours => $2)"
    await superuser.execute(
        f"UPDATE audit.tree_heads SET create_time = {when} WHERE size = ANY ($1)", sizes, hours
    )
    await superuser.execute("ALTER TABLE audit.tree_heads ENABLE ALWAYS TRIGGER append_only")


async def test_of_old_heads_the_last_of_each_hour_stays_and_what_proofs_rest_on(
    grown: None, service: Service[AuditSettings], superuser: asyncpg.Connection
) -> None:
    cosigned = {
        row[0] for row in await superuser.fetch("SELECT DISTINCT size FROM audit.cosignatures")
    }
    with background("test"):
        async with service.worker.work() as tx:
            size = await audit_log.lock(tx)  # so that it does not grow meanwhile
            before = [row["size"] for row in await superuser.fetch(SIGNED, size + 1)]
            edge = size // 256 * 256
            old = [one for one in before if one <= edge]
            assert len(old) > 3
            await age(superuser, before, 29)
            await age(superuser, old[:2], 30)
            kept = {old[1], size, *(one for one in before if one > edge), *cosigned}
            assert await audit_log.thin_heads(tx) == len(set(before) - kept) > 0
            assert await audit_log.thin_heads(tx) == 0
    after = {row["size"] for row in await superuser.fetch(SIGNED, size + 1)}
    assert after == set(before) & kept
    event = "SELECT count(*) FROM audit.entries WHERE type = 'chenu.audit.tree_heads.thinned'"
    await soon(lambda: superuser.fetchval(event), "that heads went is in the log")


async def test_nobody_but_the_worker_thins(urls: Any) -> None:
    connection = await asyncpg.connect(urls.app)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("SELECT audit.thin_tree_heads(1)")
    finally:
        await connection.close()
