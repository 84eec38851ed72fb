"""Checking a running log: the tree head's signature, the root recomputed from every leaf hash.

And of the own records that each one's bytes hash to the leaf hash which stands at its place.
"""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

from chenu.audit.v1.entry_pb2 import Entry
from chenu.audit.v1.entry_service_pb2 import ListEntriesRequest
from chenu.audit.v1.entry_service_pb2_grpc import EntryServiceStub
from chenu.audit.v1.log_service_pb2 import (
    GetLogKeyRequest,
    GetTileRequest,
    GetTreeHeadRequest,
    ListLeafHashesRequest,
)
from chenu.audit.v1.log_service_pb2_grpc import LogServiceStub
from chenu.events.v1.audit_event_pb2 import PHASE_INTENT, PHASE_OUTCOME
from cli.connection import Connection
from cli.verification.completeness import Completeness
from cli.verification.keys import Keys, Trusted
from cli.verification.tiles import HASH_BYTES, TILE_WIDTH, split
from cli.verification.verdict import Progress, Tampered, Trust, Verdict
from kernel.receipts import ReceiptInvalid, TreeHead, leaf_hash, open_tree_head, root_of

PAGE_HASHES: Final = 8192
PAGE_ENTRIES: Final = 500
_AROUND_EFFECTS: Final = (PHASE_INTENT, PHASE_OUTCOME)


async def verify_log(
    connection: Connection, keys: Keys, remembered: Path, tell: Progress
) -> Verdict:
    """Check everything; the problems name the first bad place of each kind.

    The tree head that was verified last is kept, so that a log which forgets is found out too.
    """
    verdict = Verdict("log")
    log = connection.stub(LogServiceStub)
    try:
        answer = await log.GetTreeHead(GetTreeHeadRequest())
        trusted, head = await _head(connection, keys, verdict, answer.tree_head)
        hashes = await _leaf_hashes(log, head.size, tell)
        verdict.hashes = len(hashes)
        await _check_root(log, head, hashes, verdict)
        _check_witnessed(trusted, answer.witnessed_tree_head, hashes, verdict)
        _check_history(remembered, trusted, hashes, verdict)
        await _check_entries(connection.stub(EntryServiceStub), hashes, verdict, tell)
    except Tampered as problem:
        verdict.add(problem)
        return verdict
    if not verdict.problems and verdict.trust is Trust.PINNED:
        _remember(remembered, answer.tree_head)
    return verdict


def check_entry(entry: Entry, hashes: Sequence[bytes]) -> str:
    """What is wrong with a record, in a few words; empty where nothing is."""
    own = leaf_hash(entry.leaf)
    if own != entry.leaf_hash:
        return "its bytes do not hash to the leaf hash that it is shown with"
    if entry.index < len(hashes) and own != hashes[entry.index]:
        return "its bytes are not those that the log holds at this place"
    return ""


async def _head(
    connection: Connection, keys: Keys, verdict: Verdict, note: str
) -> tuple[Trusted, TreeHead]:
    """The signed head; the log is asked for its key only where the pinned one does not do."""
    trusted = keys.trusting(verdict, "", ())
    try:
        if keys.log:
            return trusted, trusted.head(note)
    except Tampered:
        verdict.notes.append("not signed by the pinned key itself; looking for its successors")
    offered = await connection.stub(LogServiceStub, token="").GetLogKey(GetLogKeyRequest())
    trusted = keys.trusting(verdict, offered.verifier_key, offered.successions)
    return trusted, trusted.head(note)


async def _check_root(
    log: LogServiceStub, head: TreeHead, hashes: Sequence[bytes], verdict: Verdict
) -> None:
    if len(hashes) < head.size:
        words = f"the log gives {len(hashes)} leaf hashes where its tree head stands for"
        verdict.add(Tampered(None, f"{words} {head.size}"))
    elif root_of(hashes) != head.root:
        first = await _first_difference(log, hashes)
        words = "was changed, added or removed" if first is None else "is not what its tile holds"
        verdict.add(
            Tampered(
                first,
                f"the root recomputed from {head.size} leaf hashes is not the signed one: a record"
                f" {words}",
            )
        )


async def _first_difference(log: LogServiceStub, hashes: Sequence[bytes]) -> int | None:
    """Where the leaf hashes first differ from the log's tiles, if they do."""
    for start in range(0, len(hashes), TILE_WIDTH):
        answer = await log.GetTile(GetTileRequest(index=start // TILE_WIDTH))
        own = hashes[start : start + TILE_WIDTH]
        for offset, pair in enumerate(zip(own, split(answer.hashes), strict=False)):
            if pair[0] != pair[1]:
                return start + offset
    return None


def _check_witnessed(
    trusted: Trusted, note: str, hashes: Sequence[bytes], verdict: Verdict
) -> None:
    """What a witness has cosigned must be the beginning of this log."""
    if not trusted.witnesses:
        return
    if not note:
        verdict.notes.append("no witness has cosigned the log yet")
        return
    try:
        verdict.witnesses = trusted.cosigned(note)
        before = open_tree_head(note, trusted.keys)
    except ReceiptInvalid as error:
        verdict.add(Tampered(None, f"the witnessed tree head is not what it should be ({error})"))
        return
    if not verdict.witnesses:
        verdict.notes.append("no pinned witness has cosigned the log")
    elif before.size > len(hashes) or root_of(hashes[: before.size]) != before.root:
        verdict.add(Tampered(None, "a witness has cosigned another log than this one: it forked"))


def _check_history(
    remembered: Path, trusted: Trusted, hashes: Sequence[bytes], verdict: Verdict
) -> None:
    """What was verified before must still be the beginning of this log."""
    try:
        before = open_tree_head(remembered.read_text(), trusted.keys)
    except (FileNotFoundError, ReceiptInvalid):
        return
    if before.size > len(hashes):
        words = f"the log has {len(hashes)} records; {before.size} were verified here before"
        verdict.add(Tampered(None, words))
    elif root_of(hashes[: before.size]) != before.root:
        words = f"the first {before.size} records are not those that were verified here before"
        verdict.add(Tampered(None, words))


def _remember(path: Path, note: str) -> None:
    path.write_text(note)


async def _leaf_hashes(log: LogServiceStub, size: int, tell: Progress) -> list[bytes]:
    hashes: list[bytes] = []
    while len(hashes) < size:
        page = min(PAGE_HASHES, size - len(hashes))
        answer = await log.ListLeafHashes(
            ListLeafHashesRequest(start_index=len(hashes), page_size=page)
        )
        data = answer.hashes[: page * HASH_BYTES]
        if not data:
            break
        hashes += split(data)
        tell("leaf hashes", len(hashes), size)
    return hashes


async def _check_entries(
    stub: EntryServiceStub, hashes: Sequence[bytes], verdict: Verdict, tell: Progress
) -> None:
    bad: list[tuple[int, str]] = []
    told: list[tuple[int, bytes]] = []
    async for entry, total in _own_entries(stub):
        if entry.index >= len(hashes):
            continue  # written after the tree head that is checked
        verdict.records += 1
        if wrong := check_entry(entry, hashes):
            bad.append((entry.index, wrong))
        if entry.event.data.phase in _AROUND_EFFECTS:
            told.append((entry.index, entry.leaf))
        tell("own records", verdict.records, total)
    if bad:
        index, first = min(bad)
        more = f" ({len(bad)} such records)" if len(bad) > 1 else ""
        verdict.add(Tampered(index, first + more))

    completeness = Completeness(streams=False)  # others may write the same streams
    for index, leaf in sorted(told):
        completeness.look(index, leaf)
    verdict.warnings = completeness.warnings()


async def _own_entries(stub: EntryServiceStub) -> AsyncIterator[tuple[Entry, int]]:
    request, total = ListEntriesRequest(page_size=PAGE_ENTRIES, include_total=True), 0
    while True:
        answer = await stub.ListEntries(request)
        total = answer.total_size or total
        for entry in answer.entries:
            yield entry, total
        if not answer.next_page_token:
            return
        request.page_token = answer.next_page_token
