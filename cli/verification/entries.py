"""Checking the records of a running log that one may read: their bytes, and what is missing.

In the order of the log, some thousand places at a time, so that the same judges them as judges an
export: a log may be longer than there is memory.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from chenu.audit.v1.entry_pb2 import Entry
from chenu.audit.v1.entry_service_pb2 import ListEntriesRequest
from chenu.audit.v1.entry_service_pb2_grpc import EntryServiceStub
from chenu.audit.v1.retention_service_pb2 import GetRetentionRequest
from chenu.audit.v1.retention_service_pb2_grpc import RetentionServiceStub
from cli.connection import Connection
from cli.verification.completeness import NOT_LOOKED_FOR, Completeness
from cli.verification.verdict import Malformed, Progress, Tampered, Verdict
from kernel.receipts import leaf_hash

PAGE_ENTRIES: Final = 500
_PLACES: Final = 10_000


async def check_entries(
    connection: Connection, hashes: Sequence[bytes], verdict: Verdict, tell: Progress
) -> None:
    """Compare each own record with the hash at its place, and say which versions are missing.

    Malformed where the log was pruned meanwhile.
    """
    minimum = await _minimum(connection)
    completeness: Completeness | None = None
    bad: list[tuple[int, str]] = []
    async for entry, of_tenant in _own_entries(connection, minimum, len(hashes), tell):
        if completeness is None:
            completeness = Completeness(streams=of_tenant, pruned=minimum > 0)
        verdict.records += 1
        if wrong := _wrong(entry, hashes):
            bad.append((entry.index, wrong))
        completeness.look(entry.index, entry.leaf)
    if await _minimum(connection) != minimum:
        raise Malformed("the log was pruned while it was checked: check once more")
    if bad:
        index, first = min(bad)
        more = f" ({len(bad)} such records)" if len(bad) > 1 else ""
        verdict.add(Tampered(index, first + more))
    if completeness is not None:
        verdict.warnings = completeness.warnings()
        if not completeness.streams:
            verdict.notes.append(f"{NOT_LOOKED_FOR} auditor")


def _wrong(entry: Entry, hashes: Sequence[bytes]) -> str:
    """What is wrong with a record, in a few words; empty where nothing is."""
    own = leaf_hash(entry.leaf)
    if own != entry.leaf_hash:
        return "its bytes do not hash to the leaf hash that it is shown with"
    if own != hashes[entry.index]:
        return "its bytes are not those that the log holds at this place"
    return ""


async def _own_entries(
    connection: Connection, start: int, size: int, tell: Progress
) -> AsyncIterator[tuple[Entry, bool]]:
    """The own records below `size`, the earliest first; whether they are the whole tenant's."""
    stub = connection.stub(EntryServiceStub)
    for low in range(start, size, _PLACES):
        high = min(low + _PLACES, size)
        request = ListEntriesRequest(
            page_size=PAGE_ENTRIES, filter=f"index >= {low} AND index < {high}"
        )
        found: list[tuple[Entry, bool]] = []
        while True:
            answer = await stub.ListEntries(request)
            found += [(entry, answer.of_tenant) for entry in answer.entries]
            request.page_token = answer.next_page_token
            if not request.page_token:
                break
        for one in reversed(found):
            yield one
        tell("own records", high, size)


async def _minimum(connection: Connection) -> int:
    answer = await connection.stub(RetentionServiceStub).GetRetention(GetRetentionRequest())
    return answer.minimum_index
