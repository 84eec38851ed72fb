"""What a service serves to audit, and how little it believes."""

from typing import Any

import asyncpg
import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo

from chenu.events.v1 import source_service_pb2 as source
from chenu.events.v1.audit_event_pb2 import AUDIT_ACTION_UPDATE
from chenu.events.v1.bundle_pb2 import Manifest, Receipt
from kernel import receipts
from kernel.audit_event import AuditRecord, record
from kernel.caller import Caller
from kernel.context import background, new_id
from kernel.database import Database
from kernel.errors import detail, reason_of
from kernel.receipts import TreeHead, leaf_hash, node_hash
from tests.integration.kernel.fleet import ORIGIN, Fleet, LogKey, refused
from tests.integration.kernel.relay_stage import make_event
from tests.integration.kernel.support import until
from tests.unit.kernel.sample import bearer


async def test_only_audit_may_use_the_source_interface(fleet: Fleet) -> None:
    for metadata in (
        bearer(fleet.issuer.access()),
        bearer("", fleet.issuer.service("nova")),
        bearer(fleet.issuer.access(), fleet.issuer.service("audit")),
    ):
        call = fleet.source.GetBundle(source.GetBundleRequest(number=1), metadata=metadata)
        assert (await refused(call)).code() is grpc.StatusCode.PERMISSION_DENIED


async def write(fleet: Fleet) -> bytes:
    event = make_event()
    database: Database = fleet.service.database
    from kernel.caller import Caller

    async with database.transaction(Caller.system()) as tx:
        tx.emit(event)
    return event.bytes


async def bundle_with(fleet: Fleet, event: bytes) -> source.GetBundleResponse:
    """The bundle that holds the event, found as audit would fill a hole."""
    found: list[source.GetBundleResponse] = []

    async def look() -> bool:
        last = await fleet.source.GetBundle(source.GetBundleRequest(number=1), metadata=fleet.audit)
        for number in range(1, last.last_number + 1):
            request = source.GetBundleRequest(number=number)
            answer = await fleet.source.GetBundle(request, metadata=fleet.audit)
            if event in answer.bundle.events:
                found.append(answer)
                return True
        return False

    await until(look)
    return found[0]


def receipt_for(bundle: Any, log_key: LogKey, **changes: Any) -> Receipt:
    """A good receipt over a tree of two leaves, the manifest being the second."""
    manifest = Manifest.FromString(bundle.manifest)
    other = leaf_hash(b"another entry")
    head = TreeHead(ORIGIN, 2, node_hash(other, leaf_hash(bundle.manifest)))
    good: dict[str, Any] = {
        "source": manifest.source,
        "number": manifest.number,
        "manifest_index": 1,
        "inclusion_path": [other],
        "tree_head": log_key.sign(head),
    }
    return Receipt(**(good | changes))


async def manifests(admin: asyncpg.Connection) -> list[bytes]:
    """The leaf hashes of all that was given out."""
    rows = await admin.fetch("SELECT manifest FROM sample.bundles")
    return [leaf_hash(row["manifest"]) for row in rows]


async def test_a_receipt_releases_and_may_come_twice(
    fleet: Fleet, log_key: LogKey, admin: asyncpg.Connection
) -> None:
    bundle = (await bundle_with(fleet, await write(fleet))).bundle
    receipt = receipt_for(bundle, log_key, manifests=await manifests(admin))
    for _ in range(2):
        answer = await fleet.source.ReleaseBundles(
            source.ReleaseBundlesRequest(receipt=receipt), metadata=fleet.audit
        )
        assert answer.released_number == receipt.number
    kept = await admin.fetchval(
        "SELECT tree_head FROM sample.receipts WHERE number = $1", receipt.number
    )
    assert kept == receipt.tree_head


@pytest.mark.parametrize(
    "forgery",
    [
        lambda good, _: receipt_for_other_key(good),
        lambda _, __: {"source": "chenu/other"},
        lambda _, __: {"manifest_index": 0},
        lambda _, __: {"manifest_index": 5},
        lambda _, __: {"inclusion_path": [leaf_hash(b"not it")]},
        lambda _, __: {"inclusion_path": []},
        lambda good, _: {"inclusion_path": [*good.inclusion_path, b"\0" * 32]},
        lambda good, _: {"number": good.number + 1_000_000},
        lambda good, _: {"tree_head": good.tree_head.replace("\n2\n", "\n3\n")},
        lambda _, __: {"tree_head": ""},
        lambda _, key: {"tree_head": key.sign(TreeHead("log.elsewhere", 2, b"\1" * 32))},
        lambda _, __: {"manifests": []},
    ],
)
async def test_a_forged_receipt_releases_nothing(
    fleet: Fleet, log_key: LogKey, admin: asyncpg.Connection, forgery: Any
) -> None:
    bundle = (await bundle_with(fleet, await write(fleet))).bundle
    all_of_them = {"manifests": await manifests(admin)}
    good = receipt_for(bundle, log_key, **all_of_them)
    forged = receipt_for(bundle, log_key, **all_of_them | forgery(good, log_key))
    before = await admin.fetchval("SELECT coalesce(max(number), 0) FROM sample.receipts")
    error = await refused(
        fleet.source.ReleaseBundles(
            source.ReleaseBundlesRequest(receipt=forged), metadata=fleet.audit
        )
    )
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert reason_of(error) == "RECEIPT_INVALID"
    assert await admin.fetchval("SELECT coalesce(max(number), 0) FROM sample.receipts") == before


async def test_a_receipt_over_a_number_that_means_something_else_in_the_log_releases_nothing(
    fleet: Fleet, log_key: LogKey, admin: asyncpg.Connection
) -> None:
    replaced = (await bundle_with(fleet, await write(fleet))).bundle
    bundle = (await bundle_with(fleet, await write(fleet))).bundle
    others = [leaf for leaf in await manifests(admin) if leaf != leaf_hash(replaced.manifest)]
    released = await admin.fetchval("SELECT coalesce(max(number), 0) FROM sample.receipts")
    receipt = receipt_for(bundle, log_key, manifests=others)
    call = fleet.source.ReleaseBundles(
        source.ReleaseBundlesRequest(receipt=receipt), metadata=fleet.audit
    )
    error = await refused(call)
    assert reason_of(error) == "RECEIPT_INVALID"
    told = detail(error, ErrorInfo)
    assert told is not None
    assert told.metadata["released"] == str(released)


def receipt_for_other_key(good: Receipt) -> dict[str, str]:
    head = receipts.TreeHead.parse(receipts.split_note(good.tree_head)[0])
    return {"tree_head": LogKey().sign(head)}


async def changed(fleet: Fleet, stream: str, count: int, size: int = 0) -> list[AuditRecord]:
    """So many events of a stream, committed."""
    with background("test", caller=Caller.system()):
        made = [
            record(source="sample", type="note.changed", action=AUDIT_ACTION_UPDATE,
                   subject=stream, stream=stream, version=n, details={"filler": "x" * size})
            for n in range(1, count + 1)
        ]  # fmt: skip
    async with fleet.service.database.transaction(Caller.system()) as tx:
        for event in made:
            tx.emit(event)
    return made


async def versions(fleet: Fleet, stream: str, version: int) -> list[bytes]:
    request = source.ListVersionsRequest(stream=stream, from_version=version)
    return list((await fleet.source.ListVersions(request, metadata=fleet.audit)).events)


async def test_versions_of_a_stream_can_be_listed_from_any_of_them(fleet: Fleet) -> None:
    made = await changed(fleet, stream := f"note/{new_id()}", 3)
    assert await versions(fleet, stream, 2) == [made[1].bytes, made[2].bytes]


async def test_of_large_events_as_many_are_listed_as_a_message_holds(fleet: Fleet) -> None:
    made = await changed(fleet, stream := f"note/{new_id()}", 75, size=60_000)
    first = await versions(fleet, stream, 1)
    assert 0 < len(first) < 75
    assert first + await versions(fleet, stream, len(first) + 1) == [one.bytes for one in made]


async def test_a_bundle_that_was_never_given_out_is_not_found(fleet: Fleet) -> None:
    call = fleet.source.GetBundle(source.GetBundleRequest(number=10**9), metadata=fleet.audit)
    error = await refused(call)
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.NOT_FOUND, "BUNDLE_NOT_FOUND")
