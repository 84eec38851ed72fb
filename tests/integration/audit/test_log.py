"""What arrives on NATS is in the log, once, in order, under a signed head, and receipted."""

import asyncio
from uuid import uuid4

import asyncpg
import pytest

from chenu.audit.v1 import entry_service_pb2 as entry_pb
from chenu.audit.v1 import log_service_pb2 as log_pb
from chenu.audit.v1.entry_service_pb2_grpc import EntryServiceStub
from chenu.audit.v1.log_service_pb2_grpc import LogServiceStub
from chenu.events.v1.bundle_pb2 import Bundle, Receipt
from kernel.receipts import (
    ReceiptInvalid,
    VerifierKey,
    check_consistency,
    check_inclusion,
    leaf_hash,
    open_tree_head,
    root_of,
)
from kernel.service import Service
from services.audit.settings import AuditSettings
from tests.integration.audit.listing import Publish, listed
from tests.support.identity import Person, StandInIdentity
from tests.support.source import StandInSource, an_event
from tests.support.waiting import soon


async def receipted(source: StandInSource) -> Receipt:
    """The receipt for the newest bundle, as soon as it has come."""

    async def newest() -> Receipt | None:
        receipt = source.receipts[-1] if source.receipts else None
        return receipt if receipt and receipt.number == len(source.bundles) else None

    receipt = await soon(newest, "the newest bundle has its receipt")
    assert receipt is not None
    return receipt


async def test_an_event_is_listed_proved_and_receipted(
    entries: EntryServiceStub,
    log: LogServiceStub,
    identity: StandInIdentity,
    person: Person,
    source: StandInSource,
    publish: Publish,
) -> None:
    event = an_event(person)
    await publish(source.bundle([event]))
    (entry,) = await listed(entries, identity, person, 1)
    assert entry.leaf == event
    one = await entries.GetEntry(
        entry_pb.GetEntryRequest(index=entry.index), metadata=identity.as_human(person)
    )
    assert one.entry == entry
    assert entry.leaf_hash == leaf_hash(event)
    me = identity.as_human(person)
    key = VerifierKey.parse((await log.GetLogKey(log_pb.GetLogKeyRequest())).verifier_key)
    proof = await log.GetInclusionProof(
        log_pb.GetInclusionProofRequest(index=entry.index), metadata=me
    )
    head = open_tree_head(proof.tree_head, [key])
    check_inclusion(entry.index, head.size, leaf_hash(event), proof.path, head.root)
    with pytest.raises(ReceiptInvalid):
        check_inclusion(entry.index, head.size, leaf_hash(event + b" "), proof.path, head.root)
    receipt = await receipted(source)
    head = open_tree_head(receipt.tree_head, [key])
    manifest = leaf_hash(_manifest(source.bundles[receipt.number]))
    check_inclusion(receipt.manifest_index, head.size, manifest, receipt.inclusion_path, head.root)


async def test_the_root_is_that_of_all_leaf_hashes_and_later_heads_hold_earlier_ones(
    entries: EntryServiceStub,
    log: LogServiceStub,
    identity: StandInIdentity,
    person: Person,
    source: StandInSource,
    publish: Publish,
) -> None:
    await publish(source.bundle([an_event(person)]))
    await listed(entries, identity, person, 1)
    me = identity.as_human(person)
    first = await log.GetTreeHead(log_pb.GetTreeHeadRequest(), metadata=me)
    await publish(source.bundle([an_event(person) for _ in range(300)]))
    await listed(entries, identity, person, 301)
    second = await log.GetTreeHead(log_pb.GetTreeHeadRequest(), metadata=me)
    hashes = b""
    while len(hashes) < second.size * 32:
        page = await log.ListLeafHashes(
            log_pb.ListLeafHashesRequest(start_index=len(hashes) // 32, page_size=100),
            metadata=me,
        )
        hashes += page.hashes
    leaves = [hashes[i : i + 32] for i in range(0, second.size * 32, 32)]
    assert root_of(leaves) == second.root
    proof = await log.GetConsistencyProof(
        log_pb.GetConsistencyProofRequest(first_size=first.size, second_size=second.size),
        metadata=me,
    )
    check_consistency(first.size, second.size, first.root, second.root, proof.path)


async def test_a_bundle_that_comes_three_times_is_stored_once(
    entries: EntryServiceStub,
    identity: StandInIdentity,
    person: Person,
    source: StandInSource,
    publish: Publish,
    superuser: asyncpg.Connection,
) -> None:
    bundle = source.bundle([an_event(person), an_event(person)])
    for _ in range(3):  # each by itself: within one delivery they would be one
        await publish(bundle)
        await listed(entries, identity, person, 2)
        await asyncio.sleep(0.3)
    await publish(source.bundle([an_event(person)]))
    assert len(await listed(entries, identity, person, 3)) == 3
    manifest = leaf_hash(_manifest(bundle))
    told = "SELECT count(*) FROM audit.entries WHERE leaf_hash = $1"
    assert await superuser.fetchval(told, manifest) == 1


async def test_a_lost_bundle_is_fetched_from_its_source_and_order_is_kept(
    entries: EntryServiceStub,
    identity: StandInIdentity,
    person: Person,
    source: StandInSource,
    publish: Publish,
) -> None:
    lost, later = an_event(person), an_event(person)
    source.bundle([lost])  # never published
    await publish(source.bundle([later]))
    found = await listed(entries, identity, person, 2)
    assert [e.leaf for e in found] == [later, lost]


async def test_while_a_hole_cannot_be_filled_nothing_after_it_is_taken_and_nothing_is_lost(
    entries: EntryServiceStub,
    identity: StandInIdentity,
    person: Person,
    source: StandInSource,
    publish: Publish,
) -> None:
    source.silent = True
    source.bundle([an_event(person)])
    await publish(source.bundle([an_event(person)]))
    await asyncio.sleep(0.5)
    answer = await entries.ListEntries(
        entry_pb.ListEntriesRequest(), metadata=identity.as_human(person)
    )
    assert not [e for e in answer.entries if e.event.source == "chenu/threads"]
    source.silent = False
    await publish(source.bundle([an_event(person)]))
    assert len(await listed(entries, identity, person, 3)) == 3


async def test_poison_goes_to_quarantine_with_a_leaf_and_the_rest_goes_on(
    entries: EntryServiceStub,
    identity: StandInIdentity,
    person: Person,
    source: StandInSource,
    publish: Publish,
    superuser: asyncpg.Connection,
) -> None:
    mark = f"not json {person.person}".encode()
    await publish(b"\xff no bundle at all")
    await publish(source.bundle([mark, an_event(person)]))
    await listed(entries, identity, person, 1)
    row = await superuser.fetchrow(
        "SELECT q.*, e.kind, e.leaf FROM audit.quarantine q JOIN audit.entries e USING (index)"
        " WHERE q.data = $1",
        mark,
    )
    assert row
    assert row["kind"] == "quarantine"
    assert leaf_hash(mark).hex().encode() in row["leaf"]
    assert await superuser.fetchval(
        "SELECT count(*) FROM audit.quarantine WHERE data = $1", b"\xff no bundle at all"
    )


async def test_a_source_that_is_none_of_the_services_holds_up_nobody(
    entries: EntryServiceStub,
    identity: StandInIdentity,
    person: Person,
    source: StandInSource,
    service: Service[AuditSettings],
    publish: Publish,
) -> None:
    stranger = StandInSource(f"nobody{uuid4().hex}")
    bundles = [stranger.bundle([an_event(person, source=stranger.source)]) for _ in range(2)]
    await service.messaging.publish_bundle(stranger.service, 2, 1, bundles[1])  # 1 is missing
    await service.messaging.publish_bundle(stranger.service, 1, 1, bundles[0])
    await publish(source.bundle([an_event(person)]))
    await listed(entries, identity, person, 1)
    await receipted(source)


async def test_the_same_id_with_other_bytes_is_kept_as_a_conflict(
    entries: EntryServiceStub,
    identity: StandInIdentity,
    person: Person,
    source: StandInSource,
    publish: Publish,
    superuser: asyncpg.Connection,
) -> None:
    event = an_event(person, id="0190b6a0-0000-7000-8000-" + person.person[-12:])
    other = an_event(person, id="0190b6a0-0000-7000-8000-" + person.person[-12:], reason="X")
    await publish(source.bundle([event]))
    await publish(source.bundle([other]))
    await publish(source.bundle([an_event(person)]))
    assert len(await listed(entries, identity, person, 2)) == 2
    kept = await superuser.fetchval(
        "SELECT count(*) FROM audit.entries WHERE kind = 'conflict' AND leaf = $1", other
    )
    assert kept == 1


async def test_a_bundle_whose_events_are_not_its_manifests_is_quarantined(
    source: StandInSource, publish: Publish, person: Person, superuser: asyncpg.Connection
) -> None:
    honest = source.bundle([an_event(person)])
    forged = honest.replace(person.identity.encode(), Person().identity.encode())
    await publish(forged)
    sql = "SELECT count(*) FROM audit.quarantine WHERE data = $1"
    await soon(lambda: superuser.fetchval(sql, forged), "the forged bundle is in quarantine")
    await publish(source.bundle([an_event(person)]))  # the honest one is fetched


def _manifest(bundle: bytes) -> bytes:
    return Bundle.FromString(bundle).manifest
