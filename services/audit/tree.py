"""The log as C2SP tlog-tiles: appending to it, and proving from it.

A tile holds up to 256 neighbouring hashes: level 0 the leaf hashes, level `n + 1` one hash for
each full tile of level `n`. Storage stays outside: functions are handed `read_tile(level, index,
width)`, which returns at least that many hashes, joined. Which tiles a function reads depends on
its numbers alone, never on hashes, so `tiles_read_by` tells a caller what to fetch beforehand.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Concatenate, ParamSpec

from kernel.receipts import (
    EMPTY_ROOT,
    join_peaks,
    peaks_of,
    root_of,
)

HASH_BYTES = 32
TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT

ReadTile = Callable[[int, int, int], bytes]
P = ParamSpec("P")


class TileInvalid(ValueError):
    """A stored tile does not hold the hashes that the tree's size demands."""


@dataclass(frozen=True, slots=True)
class Growth:
    """The log after an append: its new head, and each tile to be stored, by (level, index)."""

    size: int
    root: bytes
    tiles: dict[tuple[int, int], bytes]


def append(read_tile: ReadTile, size: int, leaf_hashes: Sequence[bytes]) -> Growth:
    """Append to a log of `size` entries, reading nothing but the tiles of its right edge."""
    tiles: dict[tuple[int, int], bytes] = {}
    peaks: list[bytes] = []
    added = list(leaf_hashes)
    level, count = 0, size
    while count or added:
        index, width = divmod(count, TILE_WIDTH)
        edge = _read(read_tile, level, index, width) if width else []
        full: list[bytes] = []
        row = edge + added
        for start in range(0, len(row), TILE_WIDTH):
            tile = row[start : start + TILE_WIDTH]
            if added:
                tiles[level, index + start // TILE_WIDTH] = b"".join(tile)
            if len(tile) == TILE_WIDTH:
                full.append(root_of(tile))
        peaks = peaks_of(row[len(full) * TILE_WIDTH :]) + peaks
        level, count, added = level + 1, index, full
    return Growth(size + len(leaf_hashes), join_peaks(peaks), tiles)


def root_at(read_tile: ReadTile, size: int) -> bytes:
    """Root of the log's first `size` entries."""
    return _range_hash(read_tile, size, 0, size) if size else EMPTY_ROOT


def inclusion_proof(read_tile: ReadTile, index: int, size: int) -> list[bytes]:
    """Path from entry `index` to the root at `size`, for `kernel.receipts.check_inclusion`."""
    return inclusion_proofs(read_tile, [index], size)[0]


def inclusion_proofs(read_tile: ReadTile, indexes: Sequence[int], size: int) -> list[list[bytes]]:
    """The path of each; neighbours share most of their hashes, which are made once."""

    @cache
    def range_hash(low: int, high: int) -> bytes:
        return _range_hash(read_tile, size, low, high)

    return [[range_hash(*sibling) for sibling in _siblings(index, size)] for index in indexes]


def _siblings(index: int, size: int) -> list[tuple[int, int]]:
    if not 0 <= index < size:
        raise ValueError(f"entry {index} is not in a tree of {size}")
    low, high, siblings = 0, size, []
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            siblings.append((middle, high))
            high = middle
        else:
            siblings.append((low, middle))
            low = middle
    return siblings[::-1]


def consistency_proof(read_tile: ReadTile, old_size: int, size: int) -> list[bytes]:
    """Proof that the log at `size` begins with the log at `old_size`."""
    if not 0 <= old_size <= size:
        raise ValueError(f"a tree of {size} has no earlier state of {old_size}")
    if old_size in (0, size):
        return []
    low, high, proof = 0, size, []
    while high != old_size:
        middle = low + _split(high - low)
        if old_size <= middle:
            proof.append(_range_hash(read_tile, size, middle, high))
            high = middle
        else:
            proof.append(_range_hash(read_tile, size, low, middle))
            low = middle
    if low:  # otherwise the verifier has this hash already: it is the old root
        proof.append(_range_hash(read_tile, size, low, high))
    return proof[::-1]


def tiles_read_by(
    function: Callable[Concatenate[ReadTile, P], object], *args: P.args, **kwargs: P.kwargs
) -> list[tuple[int, int, int]]:
    """The (level, index, width) of each tile that the call would read, without any of them."""
    wanted: dict[tuple[int, int, int], None] = {}

    def note(level: int, index: int, width: int) -> bytes:
        wanted[level, index, width] = None
        return bytes(width * HASH_BYTES)

    function(note, *args, **kwargs)
    return list(wanted)


def _split(width: int) -> int:
    """The largest power of two below `width`: where RFC 6962 divides a tree."""
    return 1 << (width - 1).bit_length() - 1


def _range_hash(read_tile: ReadTile, size: int, low: int, high: int) -> bytes:
    return join_peaks([_subtree_hash(read_tile, size, *part) for part in _parts(low, high)])


def _parts(low: int, high: int) -> Iterator[tuple[int, int]]:
    """The complete subtrees of a range that RFC 6962 may hash, as (first entry, height)."""
    while low < high:
        height = (high - low).bit_length() - 1
        yield low, height
        low += 1 << height


def _subtree_hash(read_tile: ReadTile, size: int, low: int, height: int) -> bytes:
    level, rest = divmod(height, TILE_HEIGHT)
    index, offset = divmod(low >> level * TILE_HEIGHT, TILE_WIDTH)
    width = min(TILE_WIDTH, (size >> level * TILE_HEIGHT) - index * TILE_WIDTH)
    return root_of(_read(read_tile, level, index, width)[offset : offset + (1 << rest)])


def _read(read_tile: ReadTile, level: int, index: int, width: int) -> list[bytes]:
    tile = read_tile(level, index, width)
    if len(tile) < width * HASH_BYTES or len(tile) % HASH_BYTES:
        raise TileInvalid(f"tile {level}/{index} holds {len(tile)} bytes, not {width} hashes")
    return [tile[at : at + HASH_BYTES] for at in range(0, width * HASH_BYTES, HASH_BYTES)]


def tiles_of(size: int) -> Iterator[tuple[int, int, int]]:
    """The (level, index, width) of every tile of a tree, the highest level first."""
    top = max(size.bit_length() - 1, 0) // TILE_HEIGHT
    for level in range(top, -1, -1):
        full, rest = divmod(size >> level * TILE_HEIGHT, TILE_WIDTH)
        for index in range(full):
            yield level, index, TILE_WIDTH
        if rest:
            yield level, full, rest
