"""Checking a folder of C2SP tlog-tiles: every leaf is hashed again, from the bytes in the folder.

`checkpoint` is the signed head, `tile/<level>/<index>` hold hashes, `tile/entries/<index>` records;
`successions` is ours: the notes in which each key of the log named the next one.
"""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

from cli.verification.keys import Keys
from cli.verification.tiles import HASH_BYTES, TILE_WIDTH, Tiles, split
from cli.verification.verdict import Malformed, Progress, Tampered, Verdict
from kernel.receipts import TreeHead

CHECKPOINT: Final = "checkpoint"
SUCCESSIONS: Final = "successions"
KEY: Final = "log.vkey"
_PRUNED: Final = b'"type":"chenu.audit.entries.pruned"'
_LARGEST: Final = TILE_WIDTH * (65_535 + 2)


def verify_folder(folder: Path, keys: Keys, tell: Progress) -> Verdict:
    """Check a folder; Malformed where it holds no checkpoint."""
    verdict = Verdict("tiles")
    try:
        note = (folder / CHECKPOINT).read_text()
    except (FileNotFoundError, UnicodeDecodeError):
        raise Malformed(f"{folder} holds no tiles: there is no checkpoint in it") from None
    try:
        trusted = keys.trusting(verdict, _text(folder / KEY), _notes(folder))
        _check(folder, trusted.head(note), verdict, tell)
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


def _check(folder: Path, head: TreeHead, verdict: Verdict, tell: Progress) -> None:
    tiles = Tiles(head.size, head.root)
    for level, index, width in tiles.upper():
        tiles.add(level, index, _hashes(folder, level, index, width))
    problem: Tampered | None = None
    try:
        tiles.check_root()
    except Tampered as error:
        problem = error  # a record may still tell which one it is
    gone = told = 0
    for index in range(-(-head.size // TILE_WIDTH)):
        first = index * TILE_WIDTH
        width = min(TILE_WIDTH, head.size - first)
        full = width == TILE_WIDTH
        hashes = _hashes(folder, 0, index, width) if full else tiles.last
        if index == gone and not (folder / tile_path("entries", index, width)).exists():
            gone += 1  # from the beginning on, records may have been pruned
        else:
            verdict.records += width
            told = max(told, _compare(folder, index, split(hashes)))
        if full:
            tiles.lowest(index, hashes)
        verdict.hashes += width
        tell("records", verdict.records, head.size)
    if problem is not None:
        raise problem
    if gone:
        if told <= (gone - 1) * TILE_WIDTH:
            raise Tampered(0, "it is missing, and no record in the log says that it was pruned")
        words = f"pruned, as the log itself says: the first {min(gone * TILE_WIDTH, head.size)}"
        verdict.notes.append(f"{words} records are here by their hashes alone")


def _compare(folder: Path, index: int, hashes: list[bytes]) -> int:
    """Each record of a bundle must hash to what its tile holds at its place.

    Returns the index before which these records say that the log was pruned; 0 for none.
    """
    number, minimum = index * TILE_WIDTH, 0
    for leaf, held in zip(_entries(folder, index, len(hashes)), hashes, strict=True):
        if sha256(b"\x00" + leaf).digest() != held:
            raise Tampered(number, "its bytes do not hash to the leaf hash that the tile holds")
        number += 1
        if _PRUNED in leaf:
            minimum = max(minimum, _minimum(leaf))
    return minimum


def _minimum(leaf: bytes) -> int:
    try:
        event = json.loads(leaf)
        if (event["source"], event["type"]) == ("chenu/audit", "chenu.audit.entries.pruned"):
            return int(event["data"]["details"]["minimum_index"])
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    return 0


def _hashes(folder: Path, level: int, index: int, width: int) -> bytes:
    name = tile_path(str(level), index, width)
    first = index << 8 * (level + 1)
    data = _read(folder / name, first, name)
    if len(data) != width * HASH_BYTES:
        raise Tampered(first, f"{name} does not hold {width} hashes")
    return data


def _entries(folder: Path, index: int, width: int) -> Iterator[bytes]:
    """The records of a bundle: two bytes of length, big end first, before each."""
    name, first, at = tile_path("entries", index, width), index * TILE_WIDTH, 0
    data = _read(folder / name, first, name)
    for number in range(width):
        end = at + 2 + int.from_bytes(data[at : at + 2])
        if at + 2 > len(data) or end > len(data):
            raise Tampered(first + number, f"{name} ends before it")
        yield data[at + 2 : end]
        at = end
    if at != len(data):
        raise Tampered(first + width, f"{name} goes on where its records end")


def _read(path: Path, first: int, name: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise Tampered(first, f"{name} is missing") from None


def _text(path: Path) -> str:
    return path.read_text().splitlines()[-1] if path.exists() and path.stat().st_size else ""


def _notes(folder: Path) -> list[str]:
    """The notes of succession, one after another, each ended by an empty line."""
    path = folder / SUCCESSIONS
    if not path.exists():
        return []
    return [f"{note}\n" for note in path.read_text().rstrip("\n").split("\n\n\n")]
