"""Checking a log as C2SP tlog-tiles, in a folder or over HTTP: every leaf is hashed again.

`checkpoint` is the signed head, `tile/<level>/<index>` hold hashes, `tile/entries/<index>` records;
`successions`, `heads` and `pruned` are ours: the notes in which each key of the log named the next
one, earlier signed heads, and the record that says how much of its beginning is gone, since its own
bundle may be gone as well.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from cli.verification.completeness import Completeness
from cli.verification.keys import Keys, Trusted
from cli.verification.search import EarlierHeads, Search
from cli.verification.tiles import HASH_BYTES, TILE_WIDTH, Tiles, split
from cli.verification.verdict import Malformed, Progress, Tampered, Verdict
from kernel.receipts import TreeHead, leaf_hash

CHECKPOINT: Final = "checkpoint"
SUCCESSIONS: Final = "successions"
KEY: Final = "log.vkey"
PRUNED: Final = "pruned"
HEADS: Final = "heads"
_TRIES: Final = 3
_NOTICE: Final = b'"type":"chenu.audit.entries.pruned"'
LARGEST: Final = TILE_WIDTH * (65_535 + 2)
"""Bytes in the largest file that a log can have."""
Read = Callable[[str], bytes | None]
"""The file of this name, None where there is none; no more of it than LARGEST and one byte."""


def verify_folder(folder: Path, keys: Keys, tell: Progress) -> Verdict:
    """Check a folder; Malformed where it holds no checkpoint."""

    def read(name: str) -> bytes | None:
        try:
            with (folder / name).open("rb") as file:
                return file.read(LARGEST + 1)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    return verify_tiles(read, str(folder), keys, tell)


def verify_tiles(read: Read, place: str, keys: Keys, tell: Progress) -> Verdict:
    """Check the log whose files `read` gives; Malformed where it has no checkpoint.

    Or where more and more of it was pruned while it was read.
    """
    for _ in range(_TRIES):
        verdict = Verdict("tiles")
        note = _text(read(CHECKPOINT))
        if not note:
            raise Malformed(f"{place} holds no tiles: there is no checkpoint in it")
        try:
            offered = _text(read(KEY)).splitlines()[-1:]
            trusted = keys.trusting(verdict, "".join(offered), _notes(_text(read(SUCCESSIONS))))
            _Check(read, trusted, trusted.head(note), verdict, tell).run()
        except Missing as problem:
            now = _pruning(read(PRUNED))
            if now.at >= verdict.size and now.minimum > problem.first:
                continue  # pruned since: a newer head stands for the record that says so
            verdict.add(problem)
        except Tampered as problem:
            verdict.add(problem)
        return verdict
    raise Malformed(f"{place} is being pruned while it is checked: check once more")


def tile_path(level: str, index: int, width: int = TILE_WIDTH) -> str:
    """Where a tile lies: thousands are folders, "x001/234", and a width is told unless full."""
    groups = [f"{index % 1000:03d}"]
    while index := index // 1000:
        groups.insert(0, f"x{index % 1000:03d}")
    partial = f".p/{width}" if width < TILE_WIDTH else ""
    return f"tile/{level}/{'/'.join(groups)}{partial}"


class Missing(Tampered):
    """The bundle of records from `first` on is missing, and no record in the log says why."""

    def __init__(self, index: int, what: str, first: int) -> None:
        super().__init__(index, what)
        self.first = first


class _Check:
    """One passage through the files, from the first tile to the last."""

    def __init__(
        self, read: Read, trusted: Trusted, head: TreeHead, verdict: Verdict, tell: Progress
    ) -> None:
        self._read, self._head, self._verdict, self._tell = read, head, verdict, tell
        self._tiles = Tiles(head.size, head.root)
        self._heads = EarlierHeads(trusted, _notes(_text(read(HEADS))), head)
        self._completeness = Completeness()
        notice = _pruning(read(PRUNED))
        self._notice = notice if notice.at < head.size else _pruning(None)
        self._told = self._notice.minimum
        """Before which record the log says that it was pruned."""
        self._gone: list[int] = []
        """The tiles whose records are missing."""

    def run(self) -> None:
        """Tampered at the first thing that is wrong."""
        for level, index, width in self._tiles.upper():
            self._tiles.add(level, index, self._hashes(level, index, width))
        search = Search(self._heads, self._tiles.problem(), self._tiles.above)
        for index in range(-(-self._head.size // TILE_WIDTH)):
            with search.reading():
                held = split(self._lowest(index))
            broken: Tampered | None = None
            own: dict[int, bytes] = {}
            try:
                self._hash_records(index, len(held), own)
            except Tampered as flaw:
                broken = flaw
            search.tile(held, own, broken)
            if self._notice.at // TILE_WIDTH == index:
                self._notice.check_place(held)
            self._verdict.hashes += len(held)
            self._tell("records", self._verdict.hashes, self._head.size)
        search.end()
        self._verdict.warnings = self._completeness.warnings()
        self._check_pruned()

    def _hash_records(self, index: int, width: int, own: dict[int, bytes]) -> None:
        """Add the hash of each record of a bundle, by its place; none where they were pruned."""
        name = tile_path("entries", index, width)
        bundle, first = self._read(name), index * TILE_WIDTH
        longer = None
        if bundle is None and width < TILE_WIDTH:  # the log has grown, and its full tile is there
            longer = bundle = self._read(tile_path("entries", index))
        if bundle is None:
            # From the beginning on they may be; a later record may be the one that says so.
            if first >= self._told and len(self._gone) < index:
                raise Missing(first, f"{name} is missing", first)
            self._gone.append(index)
            return
        self._completeness.pruned = bool(self._gone)
        leaves = _entries(bundle, name, first, width=width, ends=longer is None)
        for place, leaf in enumerate(leaves):
            own[place] = leaf_hash(leaf)
            self._completeness.look(first + place, leaf)
            if _NOTICE in leaf:
                self._told = max(self._told, _minimum(leaf))
        self._verdict.records += width

    def _check_pruned(self) -> None:
        if not self._gone:
            return
        first = self._gone[-1] * TILE_WIDTH
        if self._told <= first:
            words = "it is missing, and no record in the log says that it was pruned"
            raise Missing(self._gone[0] * TILE_WIDTH, words, first)
        words = f"of the records before {self._told}, pruned as the log itself says"
        held = self._head.size - self._verdict.records
        self._verdict.notes.append(f"{words}, {held} are here by their hashes alone")

    def _lowest(self, index: int) -> bytes:
        if (index + 1) * TILE_WIDTH <= self._head.size:
            return self._hashes(0, index, TILE_WIDTH)
        return self._tiles.last

    def _hashes(self, level: int, index: int, width: int) -> bytes:
        name = tile_path(str(level), index, width)
        first = index << 8 * (level + 1)
        data = self._read(name)
        if data is None and width < TILE_WIDTH:
            data = self._read(tile_path(str(level), index))
            data = None if data is None else data[: width * HASH_BYTES]
        if data is None:
            raise Tampered(first, f"{name} is missing")
        if len(data) != width * HASH_BYTES:
            raise Tampered(first, f"{name} does not hold {width} hashes")
        return data


class _Notice(NamedTuple):
    """The record that says what was pruned, as its own file has it."""

    at: int
    leaf: bytes

    @property
    def minimum(self) -> int:
        """The first record that is left, by its word."""
        return _minimum(self.leaf)

    def check_place(self, hashes: Sequence[bytes]) -> None:
        """Tampered unless it stands in the log; the hashes are those of its tile."""
        if hashes[self.at % TILE_WIDTH :][:1] != [leaf_hash(self.leaf)]:
            words = "the record in the file of what was pruned is not the log's"
            raise Tampered(self.at, words)


def _pruning(data: bytes | None) -> _Notice:
    """What such a file holds; nothing, at -1, where it is none."""
    number, _, leaf = (data or b"").partition(b"\n")
    whole = number.isdigit() and len(number) < 16
    return _Notice(int(number), leaf) if whole else _Notice(-1, b"")


def _minimum(leaf: bytes) -> int:
    try:
        event = json.loads(leaf)
        if (event["source"], event["type"]) == ("chenu/audit", "chenu.audit.entries.pruned"):
            return int(event["data"]["details"]["minimum_index"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        pass
    return 0


def _entries(bundle: bytes, name: str, first: int, *, width: int, ends: bool) -> Iterator[bytes]:
    """The records of a bundle: two bytes of length, big end first, before each."""
    at = 0
    for number in range(first, first + width):
        end = at + 2 + int.from_bytes(bundle[at : at + 2])
        if at + 2 > len(bundle) or end > len(bundle):
            raise Tampered(number, f"{name} ends before it")
        yield bundle[at + 2 : end]
        at = end
    if ends and at != len(bundle):
        raise Tampered(first + width, f"{name} goes on where its records end")


def _text(data: bytes | None) -> str:
    try:
        return (data or b"").decode()
    except UnicodeDecodeError:
        return ""


def _notes(text: str) -> list[str]:
    """The notes of succession, one after another, each ended by an empty line."""
    return [f"{note}\n" for note in text.rstrip("\n").split("\n\n\n")] if text else []
