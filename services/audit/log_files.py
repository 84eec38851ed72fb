"""The log's files one by one, from the database, by the names that they have in the folder."""

import re
from typing import Final, NamedTuple

from kernel.caller import Caller
from kernel.database import Database, Transaction
from services.audit import audit_events, log
from services.audit.errors import LeafNotCovered, LogBeingPruned
from services.audit.folder import (
    CHECKPOINT,
    HEADS,
    KEY,
    PRUNED,
    SUCCESSIONS,
    entry_bundle,
    pruned_before,
    pruning_notice,
    published_head,
    tile_path,
)
from services.audit.keys import join_notes
from services.audit.retention import minimum_index
from services.audit.system_auditors import SystemAuditors
from services.audit.tree import TILE_WIDTH

TEXT: Final = "text/plain; charset=utf-8"
BYTES: Final = "application/octet-stream"
_TILE: Final = re.compile(r"tile/(\d|entries)/((?:x\d{3}/)*\d{3})(?:\.p/(\d{1,3}))?")


class LogFile(NamedTuple):
    """A file as it goes out."""

    data: bytes
    content_type: str = BYTES
    immutable: bool = True


class LogFiles:
    """The use cases of the tile service."""

    def __init__(
        self,
        database: Database,
        worker: Database,
        auditors: SystemAuditors,
        key: str,
        successions: log.Successions,
        *,
        witnessed: bool,
    ) -> None:
        self._database, self._worker, self._auditors = database, worker, auditors
        self._key, self._successions, self._witnessed = key, successions, witnessed

    async def read(self, path: str) -> LogFile:
        """A file of hashes, or of what they are checked with; LeafNotCovered where there is none.

        An empty log has no checkpoint.
        """
        if path == KEY:
            return LogFile(f"{self._key}\n".encode(), TEXT, immutable=False)
        if path == SUCCESSIONS:
            notes = join_notes(self._successions())
            return LogFile(notes.encode(), TEXT, immutable=False)
        async with self._worker.work() as tx:
            if path == CHECKPOINT:
                _, note = await published_head(tx, witnessed=self._witnessed)
                return LogFile(note.encode(), TEXT, immutable=False)
            if path == HEADS:
                size, _ = await published_head(tx, witnessed=self._witnessed)
                notes = join_notes(await log.earlier_heads(tx, size))
                return LogFile(notes.encode(), TEXT, immutable=False)
            if path == PRUNED:
                size, _ = await published_head(tx, witnessed=self._witnessed)
                return _notice(await pruning_notice(tx, size))
            level, index, width = _parsed(path)
            return LogFile(await log.tile(tx, int(level), index, width))

    async def bundle(self, caller: Caller, path: str) -> LogFile:
        """The records of a lowest tile, for an auditor of the system; LeafNotCovered where pruned.

        LogBeingPruned where nobody could know that yet. That they were read is recorded.
        """
        self._auditors.require(caller)
        _, index, width = _parsed(f"tile/entries/{path}")
        async with self._worker.work() as tx:
            data = await entry_bundle(tx, index, width)
            if data is None:
                await self._check_told(tx, index * TILE_WIDTH)
        if data is None:
            raise LeafNotCovered(f"the log has no such records as {path}, or they were pruned")
        async with self._database.transaction(caller) as tx:
            tx.emit(audit_events.entries_read(f"bundle/{path}", width))
        return LogFile(data)

    async def _check_told(self, tx: Transaction, first: int) -> None:
        """Raise LogBeingPruned where records from here on are gone, and no head tells of it yet."""
        size, _ = await published_head(tx, witnessed=self._witnessed)
        told = pruned_before(await pruning_notice(tx, size))
        if told <= first < await minimum_index(tx):
            raise LogBeingPruned


def _notice(data: bytes | None) -> LogFile:
    if data is None:
        raise LeafNotCovered("nothing was pruned")
    return LogFile(data, immutable=False)


def _parsed(path: str) -> tuple[str, int, int]:
    """Level, index and width of a tile; LeafNotCovered for a name that no tile has."""
    match = _TILE.fullmatch(path)
    if match is not None:
        level, groups, width = match[1], match[2], int(match[3] or TILE_WIDTH)
        index = int(re.sub(r"\D", "", groups))
        if width and tile_path(level, index, width) == path:
            return level, index, width
    raise LeafNotCovered(f"no tile is called {path}")
