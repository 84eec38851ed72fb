"""Checking a running log: the tree head's signature, the root recomputed from every leaf hash.

And each earlier head that it has: all of them must be its beginning.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from chenu.audit.v1.log_service_pb2 import (
    GetLogKeyRequest,
    GetTileRequest,
    GetTreeHeadRequest,
    ListLeafHashesRequest,
    ListTreeHeadsRequest,
)
from chenu.audit.v1.log_service_pb2_grpc import LogServiceStub
from cli.connection import Connection
from cli.verification.entries import check_entries
from cli.verification.keys import Keys, Trusted
from cli.verification.search import EarlierHeads, Search
from cli.verification.tiles import HASH_BYTES, TILE_WIDTH, split
from cli.verification.verdict import Progress, Tampered, Trust, Verdict
from kernel.receipts import ReceiptInvalid, TreeHead, open_tree_head, root_of

PAGE_HASHES: Final = 8192


async def verify_log(
    connection: Connection, keys: Keys, remembered: Path, tell: Progress
) -> Verdict:
    """Check everything; the problems name the first bad place of each kind.

    The tree head that was verified last is kept, so that a log which forgets is found out too.
    Malformed where the log was pruned meanwhile.
    """
    verdict = Verdict("log")
    log = connection.stub(LogServiceStub)
    try:
        answer = await log.GetTreeHead(GetTreeHeadRequest())
        trusted, head = await _head(connection, keys, verdict, answer.tree_head)
        hashes = await _leaf_hashes(log, head.size, tell)
        verdict.hashes = len(hashes)
        await _check_root(log, trusted, head, hashes, verdict)
        _check_witnessed(trusted, answer.witnessed_tree_head, hashes, verdict)
        _check_history(remembered, trusted, hashes, verdict)
        await check_entries(connection, hashes, verdict, tell)
    except Tampered as problem:
        verdict.add(problem)
        return verdict
    if not verdict.problems and verdict.trust is Trust.PINNED:
        _remember(remembered, answer.tree_head)
    return verdict


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
    log: LogServiceStub, trusted: Trusted, head: TreeHead, hashes: Sequence[bytes], verdict: Verdict
) -> None:
    if len(hashes) < head.size:
        words = f"the log gives {len(hashes)} leaf hashes where its tree head stands for"
        verdict.add(Tampered(None, f"{words} {head.size}"))
        return
    problem, held = None, hashes
    if root_of(hashes) != head.root:
        words = f"the root recomputed from {head.size} leaf hashes is not the signed one"
        problem = Tampered(None, f"{words}: a record was changed, added or removed")
        held = await _tiles(log, hashes)
    found = await _first_difference(log, trusted, head, (held, hashes), problem)
    if found is not None:
        verdict.add(found)


async def _tiles(log: LogServiceStub, hashes: Sequence[bytes]) -> list[bytes]:
    """The leaf hashes as the log's tiles hold them."""
    held: list[bytes] = []
    for start in range(0, len(hashes), TILE_WIDTH):
        answer = await log.GetTile(GetTileRequest(index=start // TILE_WIDTH))
        own = hashes[start : start + TILE_WIDTH]
        told = split(answer.hashes)[: len(own)]
        held += [*told, *own[len(told) :]]
    return held


async def _first_difference(
    log: LogServiceStub,
    trusted: Trusted,
    head: TreeHead,
    both: tuple[Sequence[bytes], Sequence[bytes]],
    problem: Tampered | None,
) -> Tampered | None:
    """Where the log is not what its heads stand for, as near as those tell that it still has.

    `both` are the leaf hashes as its tiles hold them, and as its records have them now.
    """
    notes: list[str] = []
    low, high = 0, head.size
    while True:
        asked = ListTreeHeadsRequest(after_size=low, before_size=high)
        found = [one for one in (await log.ListTreeHeads(asked)).tree_heads if one not in notes]
        notes += found
        search = Search(EarlierHeads(trusted, notes, head), problem)
        try:
            for start in range(0, head.size, TILE_WIDTH):
                held, own = (hashes[start : start + TILE_WIDTH] for hashes in both)
                search.tile(held, dict(enumerate(own)))
            search.end()
        except Tampered as located:
            if not found or located.index is None or located.index == located.last:
                return located
            low, high = located.index, (located.last or 0) + 1
        else:
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
        verdict.add(_otherwise(verdict, before.size, "a witness has cosigned another log than this"
                               " one: it forked"))  # fmt: skip


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
        verdict.add(_otherwise(verdict, before.size, words))


def _otherwise(verdict: Verdict, size: int, words: str) -> Tampered:
    """What an earlier head says; of where, no more than its size, unless that is known already."""
    if verdict.problems:
        return Tampered(None, words)
    return Tampered(0, words, size - 1)


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
