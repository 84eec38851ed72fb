"""Checking the audit log with nothing but a key that is trusted: no service is believed.

The tree head's signature, the root recomputed from every leaf hash, and of the own records that
each one's bytes hash to the leaf hash which stands at its place in the log.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from chenu.audit.v1.entry_pb2 import Entry
from chenu.audit.v1.entry_service_pb2 import ListEntriesRequest
from chenu.audit.v1.entry_service_pb2_grpc import EntryServiceStub
from chenu.audit.v1.log_service_pb2 import (
    GetLogKeyRequest,
    GetTreeHeadRequest,
    ListLeafHashesRequest,
)
from chenu.audit.v1.log_service_pb2_grpc import LogServiceStub
from cli.connection import Connection
from cli.state import State
from kernel.receipts import (
    ReceiptInvalid,
    TreeHead,
    VerifierKey,
    leaf_hash,
    open_tree_head,
    root_of,
)

HASH_BYTES: Final = 32
PAGE_HASHES: Final = 8192
PAGE_ENTRIES: Final = 500
Progress = Callable[[str, int, int], None]


@dataclass
class Verification:
    """What was checked, and everything that is wrong."""

    size: int = 0
    root: bytes = b""
    key: str = ""
    pinned: bool = False
    hashes: int = 0
    entries: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def verified(self) -> bool:
        """Whether nothing is wrong, whoever vouches for the key."""
        return not self.problems


def pinned_keys(path: Path) -> list[VerifierKey]:
    """The keys in a file, one a line; none where there is no such file."""
    if not path.exists():
        return []
    return [VerifierKey.parse(line) for line in path.read_text().splitlines() if line.strip()]


async def verify_log(connection: Connection, state: State, tell: Progress) -> Verification:
    """Check everything; the problems name the first bad place of each kind.

    The tree head that was verified last is kept, so that a log which forgets is found out too.
    """
    pin = state.pinned_key
    done = Verification()
    log = connection.stub(LogServiceStub)
    try:
        keys = pinned_keys(pin)
    except ReceiptInvalid as error:
        done.problems.append(f"the pinned key in {pin} cannot be read: {error}")
        return done
    done.pinned = bool(keys)
    if not keys:
        offered = await connection.stub(LogServiceStub, token="").GetLogKey(GetLogKeyRequest())
        keys = [VerifierKey.parse(offered.verifier_key)]
    done.key = ", ".join(str(key) for key in keys)
    note = (await log.GetTreeHead(GetTreeHeadRequest())).tree_head
    head = _head(note, keys, done)
    if head is None:
        return done
    done.size, done.root = head.size, head.root
    hashes = await _leaf_hashes(log, head.size, tell)
    done.hashes = len(hashes)
    if len(hashes) < head.size:
        done.problems.append(
            f"the log gives {len(hashes)} leaf hashes where its tree head stands for {head.size}"
        )
    elif root_of(hashes) != head.root:
        done.problems.append(
            f"the root recomputed from {head.size} leaf hashes is not the signed one:"
            " a record was changed, added or removed"
        )
    _check_history(state.verified_head, keys, hashes, done)
    await _check_entries(connection.stub(EntryServiceStub), hashes, done, tell)
    if done.verified and done.pinned:
        state.verified_head.write_text(note)
    return done


def check_entry(entry: Entry, hashes: Sequence[bytes]) -> str:
    """What is wrong with a record, in one sentence; empty where nothing is."""
    where = f"entry {entry.index}"
    own = leaf_hash(entry.leaf)
    if own != entry.leaf_hash:
        return f"{where}: its bytes do not hash to the leaf hash that it is shown with"
    if entry.index < len(hashes) and own != hashes[entry.index]:
        return f"{where}: its bytes are not those that the log holds at this place"
    return ""


def _head(note: str, keys: Sequence[VerifierKey], done: Verification) -> TreeHead | None:
    try:
        return open_tree_head(note, keys)
    except ReceiptInvalid as error:
        by = "the pinned key" if done.pinned else "the key that the log itself offers"
        done.problems.append(f"the tree head is not signed by {by} ({error})")
        return None


def _check_history(
    remembered: Path, keys: Sequence[VerifierKey], hashes: Sequence[bytes], done: Verification
) -> None:
    """What was verified before must still be the beginning of this log."""
    try:
        before = open_tree_head(remembered.read_text(), keys)
    except (FileNotFoundError, ReceiptInvalid):
        return
    if before.size > len(hashes):
        done.problems.append(
            f"the log has {len(hashes)} records; {before.size} were verified here before"
        )
    elif root_of(hashes[: before.size]) != before.root:
        done.problems.append(
            f"the first {before.size} records are not those that were verified here before"
        )


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
        hashes += [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]
        tell("leaf hashes", len(hashes), size)
    return hashes


async def _check_entries(
    stub: EntryServiceStub, hashes: Sequence[bytes], done: Verification, tell: Progress
) -> None:
    bad: list[tuple[int, str]] = []
    async for entry, total in _own_entries(stub):
        if entry.index >= len(hashes):
            continue  # written after the tree head that is checked
        done.entries += 1
        if wrong := check_entry(entry, hashes):
            bad.append((entry.index, wrong))
        tell("own records", done.entries, total)
    if bad:
        _, first = min(bad)
        more = f" ({len(bad)} such records)" if len(bad) > 1 else ""
        done.problems.append(first + more)


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
