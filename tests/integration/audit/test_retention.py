"""What may be forgotten is gone everywhere; what must not be stays; the proofs hold either way."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest

from chenu.audit.v1 import entry_service_pb2 as entry_pb
from chenu.audit.v1 import log_service_pb2 as log_pb
from chenu.audit.v1 import retention_service_pb2 as messages
from chenu.audit.v1.entry_service_pb2_grpc import EntryServiceStub
from chenu.audit.v1.log_service_pb2_grpc import LogServiceStub
from chenu.audit.v1.retention_service_pb2_grpc import RetentionServiceStub
from kernel.context import background
from kernel.errors import reason_of
from kernel.receipts import check_inclusion, leaf_hash, root_of
from kernel.service import Service
from kernel.statement import Statement
from services.audit import log as audit_log
from services.audit import scrubbing
from services.audit.errors import LegalHold
from services.audit.retention import Retention, minimum_index, prune_before
from services.audit.settings import AuditSettings
from tests.integration.audit.listing import Publish
from tests.support.identity import Person, StandInIdentity
from tests.support.source import StandInSource, an_event
from tests.support.waiting import soon


@pytest.fixture
def retention(channel: grpc.aio.Channel) -> Any:
    return RetentionServiceStub(channel)


@pytest.fixture
async def held(
    publish: Publish, source: StandInSource, person: Person, superuser: Any
) -> list[int]:
    """The indexes of three entries of the person's, in the log."""
    events = [an_event(person) for _ in range(3)]
    data = source.bundle(events)
    await publish(data)
    sql = "SELECT index FROM audit.entries WHERE leaf = ANY($1) ORDER BY index"

    async def all_three() -> list[int]:
        rows = await superuser.fetch(sql, events)
        return [row["index"] for row in rows] if len(rows) == 3 else []

    return await soon(all_three, "three entries are in the log")


def hold(person: str = "") -> messages.PlaceHoldRequest:
    return messages.PlaceHoldRequest(hold_id=str(uuid4()), person_id=person, matter="case-7")


async def test_only_owners_erase_and_only_owners_and_auditors_hold(
    retention: Any, identity: StandInIdentity
) -> None:
    member = identity.as_human(Person(roles=()))
    auditor = identity.as_human(Person(roles=("auditor",)))
    erase = messages.EraseSubjectRequest(person_id=str(uuid4()), rule="gdpr-17")
    for call, request, who in (
        (retention.EraseSubject, erase, member),
        (retention.EraseSubject, erase, auditor),
        (retention.PlaceHold, hold(), member),
        (retention.ReleaseHold, messages.ReleaseHoldRequest(hold_id=str(uuid4())), member),
        (retention.ListHolds, messages.ListHoldsRequest(), member),
        (retention.ListErasures, messages.ListErasuresRequest(), member),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call(request, metadata=who)
        assert reason_of(refused.value) == "ROLE_REQUIRED"


async def test_erasures_are_listed_by_pages_to_their_tenant_alone(
    retention: Any, identity: StandInIdentity, superuser: asyncpg.Connection
) -> None:
    owner = Person(roles=("owner",))
    begun = (
        "INSERT INTO audit.erasures (tenant, identity, person, rule, records, remaining,"
        " finish_time, outcome) VALUES ($1, $2, uuidv7(), 'rule-' || $3, 0, '{}',"
        " clock_timestamp(), 'OK')"
    )
    for number in "123":
        await superuser.execute(begun, owner.tenant, owner.identity, number)
    me, request = identity.as_human(owner), messages.ListErasuresRequest(page_size=2)
    first = await retention.ListErasures(request, metadata=me)
    request.page_token = first.next_page_token
    second = await retention.ListErasures(request, metadata=me)
    found = [*first.erasures, *second.erasures]
    assert [one.rule for one in found] == ["rule-3", "rule-2", "rule-1"]
    assert {(one.outcome, one.identity_id) for one in found} == {("OK", owner.identity)}
    assert not second.next_page_token
    stranger = identity.as_human(Person(roles=("owner",)))
    nothing = await retention.ListErasures(messages.ListErasuresRequest(), metadata=stranger)
    assert not nothing.erasures


async def test_a_hold_is_placed_once_and_forbids_erasing_until_it_is_released(
    retention: Any, identity: StandInIdentity
) -> None:
    owner = Person(roles=("owner",))
    me, subject = identity.as_human(owner), str(uuid4())
    request = hold(subject)
    placed = (await retention.PlaceHold(request, metadata=me)).hold
    assert (await retention.PlaceHold(request, metadata=me)).hold == placed
    erase = messages.EraseSubjectRequest(person_id=subject, rule="gdpr-17")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await retention.EraseSubject(erase, metadata=me)
    assert reason_of(refused.value) == "LEGAL_HOLD"
    release = messages.ReleaseHoldRequest(hold_id=placed.hold_id)
    stranger = identity.as_human(Person(roles=("owner",)))
    with pytest.raises(grpc.aio.AioRpcError) as foreign:
        await retention.ReleaseHold(release, metadata=stranger)
    assert reason_of(foreign.value) == "FORBIDDEN"
    assert not (await retention.ListHolds(messages.ListHoldsRequest(), metadata=stranger)).holds
    released = (await retention.ReleaseHold(release, metadata=me)).hold
    assert released.HasField("release_time")
    assert (await retention.ReleaseHold(release, metadata=me)).hold == released
    (listed,) = (await retention.ListHolds(messages.ListHoldsRequest(), metadata=me)).holds
    assert listed == released


async def prune(service: Service[AuditSettings], before: int) -> int:
    with background("test"):
        async with service.worker.work() as tx:
            return await prune_before(tx, before, "test-rule")


async def test_pruning_takes_a_prefix_and_leaves_every_proof_for_the_rest(
    *,
    service: Service[AuditSettings],
    held: list[int],
    log: LogServiceStub,
    entries: EntryServiceStub,
    retention: Any,
    identity: StandInIdentity,
    person: Person,
    superuser: asyncpg.Connection,
    source: StandInSource,
    publish: Publish,
) -> None:
    me = identity.as_human(person)
    place = hold()
    await retention.PlaceHold(place, metadata=me)
    with pytest.raises(LegalHold):
        await prune(service, held[1])
    await retention.ReleaseHold(messages.ReleaseHoldRequest(hold_id=place.hold_id), metadata=me)
    assert await prune(service, held[1]) > 0
    assert await prune(service, held[1]) == 0
    told = await retention.GetRetention(messages.GetRetentionRequest(), metadata=me)
    assert told.minimum_index == held[1]
    gone = "SELECT count(*) FROM audit.entries WHERE index < $1 AND kind <> 'manifest'"
    assert await superuser.fetchval(gone, held[1]) == 0
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await entries.GetEntry(entry_pb.GetEntryRequest(index=held[0]), metadata=me)
    assert reason_of(refused.value) == "FORBIDDEN"
    head = await log.GetTreeHead(log_pb.GetTreeHeadRequest(), metadata=me)
    hashes = b""
    while len(hashes) < head.size * 32:
        page = await log.ListLeafHashes(
            log_pb.ListLeafHashesRequest(start_index=len(hashes) // 32, page_size=100), metadata=me
        )
        hashes += page.hashes
    leaves = [hashes[at : at + 32] for at in range(0, head.size * 32, 32)]
    assert root_of(leaves) == head.root
    for index in held[1:]:
        entry = (await entries.GetEntry(entry_pb.GetEntryRequest(index=index), metadata=me)).entry
        proof = await log.GetInclusionProof(
            log_pb.GetInclusionProofRequest(index=index, tree_size=head.size), metadata=me
        )
        check_inclusion(index, head.size, leaf_hash(entry.leaf), proof.path, head.root)
    # What was pruned and comes again is not taken for something new.
    known = await superuser.fetchval("SELECT count(*) FROM audit.entries")
    again = source.bundles[len(source.bundles)]
    await publish(again)
    await asyncio.sleep(1)
    rows = "SELECT count(*) FROM audit.entries WHERE source = $1 AND index >= $2"
    assert await superuser.fetchval(rows, source.source, head.size) == 0, known
    event = "SELECT convert_from(leaf, 'UTF8') FROM audit.entries WHERE type = $1"
    pruned = partial(superuser.fetchval, event, "chenu.audit.entries.pruned")
    found = await soon(pruned, "the pruning is recorded")
    assert json.loads(found)["data"]["details"]["rule"] == "test-rule"


class Interrupted:
    """A transaction before whose second statement something else is committed."""

    def __init__(self, tx: Any, meanwhile: Callable[[], Awaitable[Any]]) -> None:
        self._tx, self._meanwhile, self._asked = tx, meanwhile, 0

    async def fetch(self, *asked: Any, **parameters: Any) -> Any:
        self._asked += 1
        if self._asked == 2:
            await self._meanwhile()
        return await self._tx.fetch(*asked, **parameters)


async def test_a_pruning_between_two_readings_leaves_no_gap_in_the_leaf_hashes(
    service: Service[AuditSettings], held: list[int]
) -> None:
    async with service.worker.work() as tx:
        before = await minimum_index(tx)
        (end,) = [row["size"] for row in await tx.fetch(Statement("SELECT size FROM log"))]
        whole = await audit_log.leaf_hashes(tx, 0, end)
    assert len(whole) == 32 * end
    async with service.worker.work() as tx:
        read = Interrupted(tx, lambda: prune(service, held[2]))
        assert await audit_log.leaf_hashes(read, 0, end) == whole  # type: ignore[arg-type]
        assert before < await minimum_index(tx) <= held[2]


async def test_what_was_pruned_between_two_looks_is_not_told_as_gone(
    service: Service[AuditSettings], held: list[int], superuser: asyncpg.Connection
) -> None:
    assert await prune(service, held[1]) > 0
    with background("test"):
        async with service.worker.work() as tx:
            await scrubbing._check(tx, held[0], held[2] + 1)  # as if it had not been when it began
    told = "SELECT 1 FROM audit.alerts WHERE kind = 'ENTRY_CHANGED' AND subject = $1"
    assert not await superuser.fetchval(told, f"entry/{held[0]}")


async def test_what_is_older_than_the_retention_is_pruned_and_nothing_that_is_younger(
    service: Service[AuditSettings], held: list[int], superuser: asyncpg.Connection
) -> None:
    with background("test"):
        for days in (0, 1):
            retention = Retention(service.database, service.worker, days=days)
            assert await retention.prune() == 0
        async with superuser.transaction():
            await superuser.execute("ALTER TABLE audit.entries DISABLE TRIGGER append_only")
            old = (
                "UPDATE audit.entries SET log_time = log_time - interval '2 days' WHERE index < $1"
            )
            await superuser.execute(old, held[1])
            await superuser.execute("ALTER TABLE audit.entries ENABLE ALWAYS TRIGGER append_only")
        assert await retention.prune() > 0
        assert await retention.minimum_index() == held[1]
        assert await retention.prune() == 0


async def test_nothing_is_pruned_beyond_what_is_signed_and_by_nobody_but_the_worker(
    service: Service[AuditSettings], urls: Any
) -> None:
    assert await prune(service, 10**12) == 0
    connection = await asyncpg.connect(urls.app)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("SELECT audit.prune(1, 'mine')")
    finally:
        await connection.close()
    async with service.worker.work() as tx:
        assert await minimum_index(tx) >= 0


def test_a_migration_that_prunes_puts_the_guard_back() -> None:
    text = (Path(__file__).parents[3] / "services/audit/migrations/0005_retention.py").read_text()
    assert text.count("DISABLE TRIGGER append_only") == text.count("ENABLE ALWAYS TRIGGER")
