"""Checking a log as C2SP tlog-tiles, in a folder or over HTTP: every leaf is hashed again.

`checkpoint` is the signed head, `tile/<level>/<index>` hold hashes, `tile/entries/<index>` records;
`successions` and `pruned` are ours: the notes in which each key of the log named the next one, and
the record that says how much of its beginning is gone, since its own bundle may be gone as well.
"""

import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

from cli.verification.completeness import Completeness
from cli.verification.keys import Keys
from cli.verification.tiles import HASH_BYTES, TILE_WIDTH, Tiles, split
from cli.verification.verdict import Malformed, Progress, Tampered, Verdict
from kernel.receipts import TreeHead

CHECKPOINT: Final = "checkpoint"
SUCCESSIONS: Final = "successions"
KEY: Final = "log.vkey"
PRUNED: Final = "pruned"
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
    """Check the log whose files `read` gives; Malformed where it has no checkpoint."""
    verdict = Verdict("tiles")
    note = _text(read(CHECKPOINT))
    if not note:
        raise Malformed(f"{place} holds no tiles: there is no checkpoint in it")
    try:
        offered = _text(read(KEY)).splitlines()[-1:]
        trusted = keys.trusting(verdict, "".join(offered), _notes(_text(read(SUCCESSIONS))))
        _check(read, trusted.head(note), verdict, tell)
    except Tampered as problem:
        verdict.add(problem)
    return verdict


def tile_path(level: str, index: int, width: int = TILE_WIDTH) -> str:
    """Where a tile lies: thousands are folders, "x001/234", and a width is told unless full."""
    groups = [f"{index % 1000:03d}"]
    while index := index // 1000:
        groups.insert(0, f"x{index % 1000:03d}")
    partial = f".p/{width}" if width < TILE_WIDTH else ""
    return f"tile/{level}/{'/'.join(groups)}{partial}"


def _check(read: Read, head: TreeHead, verdict: Verdict, tell: Progress) -> None:
    tiles, problem = _upper(read, head)
    gone = told = 0
    notice_index, notice = _pruning(read(PRUNED))
    completeness = Completeness()
    for index in range(-(-head.size // TILE_WIDTH)):
        first = index * TILE_WIDTH
        width = min(TILE_WIDTH, head.size - first)
        full = width == TILE_WIDTH
        hashes = _hashes(read, 0, index, width) if full else tiles.last
        if notice_index // TILE_WIDTH == index:
            _at_its_place(notice_index, notice, split(hashes))
            told = max(told, _minimum(notice))
        name = tile_path("entries", index, width)
        bundle = read(name)
        if bundle is None and index == gone:
            gone += 1  # from the beginning on, records may have been pruned
        elif bundle is None:
            raise Tampered(first, f"{name} is missing")
        else:
            verdict.records += width
            completeness.pruned = gone > 0
            records = _entries(bundle, name, index, width)
            told = max(told, _compare(records, split(hashes), first, completeness))
        if full:
            tiles.lowest(index, hashes)
        verdict.hashes += width
        tell("records", verdict.records, head.size)
    if problem is not None:
        raise problem
    verdict.warnings = completeness.warnings()
    if gone:
        if told <= (gone - 1) * TILE_WIDTH:
            raise Tampered(0, "it is missing, and no record in the log says that it was pruned")
        words = f"pruned, as the log itself says: the first {min(gone * TILE_WIDTH, head.size)}"
        verdict.notes.append(f"{words} records are here by their hashes alone")


def _upper(read: Read, head: TreeHead) -> tuple[Tiles, Tampered | None]:
    """The tiles but the lowest, and what is wrong with them: a record may still tell where."""
    tiles = Tiles(head.size, head.root)
    for level, index, width in tiles.upper():
        tiles.add(level, index, _hashes(read, level, index, width))
    try:
        tiles.check_root()
    except Tampered as error:
        return tiles, error
    return tiles, None


def _compare(
    entries: Iterator[bytes], hashes: list[bytes], first: int, completeness: Completeness
) -> int:
    """Each record of a bundle must hash to what its tile holds at its place.

    Returns the index before which these records say that the log was pruned; 0 for none.
    """
    minimum = 0
    for number, (leaf, held) in enumerate(zip(entries, hashes, strict=True), first):
        if sha256(b"\x00" + leaf).digest() != held:
            raise Tampered(number, "its bytes do not hash to the leaf hash that the tile holds")
        completeness.look(number, leaf)
        if _NOTICE in leaf:
            minimum = max(minimum, _minimum(leaf))
    return minimum


def _pruning(data: bytes | None) -> tuple[int, bytes]:
    """Where the record stands that says what was pruned, and its bytes; (-1, b"") for none."""
    number, _, leaf = (data or b"").partition(b"\n")
    return (int(number), leaf) if number.isdigit() and len(number) < 16 else (-1, b"")


def _at_its_place(index: int, leaf: bytes, hashes: list[bytes]) -> None:
    held = hashes[index % TILE_WIDTH :][:1]
    if held != [sha256(b"\x00" + leaf).digest()]:
        raise Tampered(index, "the record in the file of what was pruned is not the log's")


def _minimum(leaf: bytes) -> int:
    try:
        event = json.loads(leaf)
        if (event["source"], event["type"]) == ("chenu/audit", "chenu.audit.entries.pruned"):
            return int(event["data"]["details"]["minimum_index"])
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    return 0


def _hashes(read: Read, level: int, index: int, width: int) -> bytes:
    name = tile_path(str(level), index, width)
    first = index << 8 * (level + 1)
    data = read(name)
    if data is None:
        raise Tampered(first, f"{name} is missing")
    if len(data) != width * HASH_BYTES:
        raise Tampered(first, f"{name} does not hold {width} hashes")
    return data


def _entries(bundle: bytes, name: str, index: int, width: int) -> Iterator[bytes]:
    """The records of a bundle: two bytes of length, big end first, before each."""
    first, at = index * TILE_WIDTH, 0
    for number in range(width):
        end = at + 2 + int.from_bytes(bundle[at : at + 2])
        if at + 2 > len(bundle) or end > len(bundle):
            raise Tampered(first + number, f"{name} ends before it")
        yield bundle[at + 2 : end]
        at = end
    if at != len(bundle):
        raise Tampered(first + width, f"{name} goes on where its records end")


def _text(data: bytes | None) -> str:
    try:
        return (data or b"").decode()
    except UnicodeDecodeError:
        return ""


def _notes(text: str) -> list[str]:
    """The notes of succession, one after another, each ended by an empty line."""
    return [f"{note}\n" for note in text.rstrip("\n").split("\n\n\n")] if text else []
