"""The log as files (C2SP tlog-tiles): to be copied, served or kept, and verified without us.

Everything but `checkpoint` is written once. It is written last, so that whatever it stands for is
there; a reader that copies it first and the rest after has a whole log.
"""

import asyncio
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from typing import Final

import sqlalchemy as sa

from kernel.database import Database, Transaction
from kernel.receipts import ReceiptInvalid, TreeHead, split_note
from kernel.statement import Statement
from services.audit import log
from services.audit.errors import LeafNotCovered
from services.audit.keys import join_notes
from services.audit.tables import entries
from services.audit.tree import TILE_HEIGHT, TILE_WIDTH
from services.audit.witnesses import witnessed_head

CHECKPOINT: Final = "checkpoint"
KEY: Final = "log.vkey"
SUCCESSIONS: Final = "successions"
HEADS: Final = "heads"
PRUNED: Final = "pruned"
"""The record that says what was pruned: its own bundle may be gone with those before it."""
_AT_ONCE: Final = 16
_LEAVES: Final = Statement(
    sa.select(entries.c.leaf)
    .where(
        entries.c.index >= sa.bindparam("low", type_=sa.BigInteger),
        entries.c.index < sa.bindparam("high", type_=sa.BigInteger),
    )
    .order_by(entries.c.index)
)
_NOTICE: Final = Statement(
    sa.select(entries.c.index, entries.c.leaf)
    .where(
        entries.c.type == sa.literal_column("'chenu.audit.entries.pruned'"),  # as its index has it
        entries.c.source == "chenu/audit",
        entries.c.kind == "event",
        entries.c.index < sa.bindparam("size", type_=sa.BigInteger),
    )
    .order_by(entries.c.index.desc())
    .limit(1)
)


def tile_path(level: int | str, index: int, width: int = TILE_WIDTH) -> str:
    """Where a tile lies: thousands are folders, "x001/234", and a width is told unless full."""
    groups = [f"{index % 1000:03d}"]
    while index := index // 1000:
        groups.insert(0, f"x{index % 1000:03d}")
    partial = f".p/{width}" if width < TILE_WIDTH else ""
    return f"tile/{level}/{'/'.join(groups)}{partial}"


def bundle_of(leaves: Sequence[bytes]) -> bytes:
    """Records as a bundle of entries: two bytes of length, big end first, before each."""
    return b"".join(len(leaf).to_bytes(2) + leaf for leaf in leaves)


def grown_tiles(old: int, size: int) -> Iterator[tuple[int, int, int]]:
    """The (level, index, width) of each tile that a log of `size` has and one of `old` had not."""
    level = 0
    while count := size >> level * TILE_HEIGHT:
        first = (old >> level * TILE_HEIGHT) // TILE_WIDTH
        for index in range(first, -(-count // TILE_WIDTH)):
            yield level, index, min(TILE_WIDTH, count - index * TILE_WIDTH)
        level += 1


class Folder:
    """Keeps a folder up with the log."""

    def __init__(
        self,
        worker: Database,
        folder: Path,
        key: str,
        successions: Callable[[], Sequence[str]],
        *,
        witnessed: bool = False,
    ) -> None:
        self._worker, self._folder, self._witnessed = worker, folder, witnessed
        self._key, self._successions = key, successions
        self._pruned = 0

    async def publish(self) -> int:
        """Write what the folder lacks; returns the size of the log in it.

        Where witnesses are asked, of the newest head that one has cosigned.
        """
        try:
            async with self._worker.work() as tx:
                size, note = await published_head(tx, witnessed=self._witnessed)
        except LeafNotCovered:
            return 0
        old = await asyncio.to_thread(self._size)
        if size < old:
            return old
        missing = await self._grow(old, size)
        async with self._worker.work() as tx:
            heads = await log.earlier_heads(tx, size) if size > old else None
            notice = await pruning_notice(tx, size)
        minimum = pruned_before(notice)
        if missing >= minimum:  # pruned just now: a later head will stand for what says so
            return old
        last = {} if notice is None else {PRUNED: notice}
        if heads is not None:
            last[HEADS] = join_notes(heads).encode()
        last[SUCCESSIONS] = join_notes(self._successions()).encode()
        last |= {KEY: f"{self._key}\n".encode(), CHECKPOINT: note.encode()}
        await asyncio.to_thread(self._write, last)
        await asyncio.to_thread(self._remove, self._pruned // TILE_WIDTH, minimum // TILE_WIDTH)
        self._pruned = minimum
        return size

    async def _grow(self, old: int, size: int) -> int:
        """Write the new tiles; returns where the last one begins whose records are gone, or -1."""
        missing = -1
        for tiles in _in_groups(list(grown_tiles(old, size))):
            async with self._worker.work() as tx:
                files = {tile_path(*t): await log.tile(tx, *t) for t in tiles}
                for level, index, width in tiles:
                    records = await entry_bundle(tx, index, width) if level == 0 else None
                    if records is not None:
                        files[tile_path("entries", index, width)] = records
                    elif level == 0:
                        missing = index * TILE_WIDTH
            await asyncio.to_thread(self._write, files)
        return missing

    def _remove(self, first: int, end: int) -> None:
        for index in range(first, end):
            (self._folder / tile_path("entries", index)).unlink(missing_ok=True)

    def _size(self) -> int:
        try:
            note = (self._folder / CHECKPOINT).read_text()
            return TreeHead.parse(split_note(note)[0]).size
        except (FileNotFoundError, ReceiptInvalid):
            return 0

    def _write(self, files: Mapping[str, bytes]) -> None:
        for name, data in files.items():
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_name(f"{path.name}.new")
            with unfinished.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
            if name.startswith("tile/") and ".p/" not in name:
                with suppress(FileNotFoundError):  # what was its beginning is of no use any more
                    rmtree(path.with_name(f"{path.name}.p"))


async def published_head(tx: Transaction, *, witnessed: bool) -> tuple[int, str]:
    """Size and note of the newest head; where `witnessed`, of the newest that was cosigned.

    Of the newest, too, where none was. LeafNotCovered for an empty log. What a witness signed that
    is asked no more must not hold back what came since.
    """
    size, _, note = await log.latest_head(tx)
    seen, cosigned = await witnessed_head(tx) if witnessed else (0, "")
    return (seen, cosigned) if cosigned else (size, note)


async def pruning_notice(tx: Transaction, size: int) -> bytes | None:
    """The index of the latest record of a pruning, a newline, its bytes; None where none is."""
    row = await tx.fetch_one(_NOTICE, size=size)
    return b"%d\n%b" % (row["index"], row["leaf"]) if row else None


def pruned_before(notice: bytes | None) -> int:
    """The first record that is left, as such a record says; 0 without one."""
    if notice is None:
        return 0
    event = json.loads(notice.partition(b"\n")[2])
    return int(event["data"]["details"]["minimum_index"])


async def entry_bundle(tx: Transaction, index: int, width: int) -> bytes | None:
    """The records of a lowest tile; None where some have been pruned, or are not there yet."""
    low = index * TILE_WIDTH
    rows = await tx.fetch(_LEAVES, low=low, high=low + width)
    return bundle_of([row["leaf"] for row in rows]) if len(rows) == width else None


def _in_groups(tiles: list[tuple[int, int, int]]) -> Iterator[list[tuple[int, int, int]]]:
    for start in range(0, len(tiles), _AT_ONCE):
        yield tiles[start : start + _AT_ONCE]
