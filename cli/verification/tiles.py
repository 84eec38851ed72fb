"""The hashes of a log as tiles (C2SP tlog-tiles), believed only as far as the root reaches."""

from collections.abc import Iterator
from typing import Final

from cli.verification.verdict import Tampered
from kernel.receipts import EMPTY_ROOT, join_peaks, peaks_of, root_of

HASH_BYTES: Final = 32
TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 1 << TILE_HEIGHT


class Tiles:
    """All tiles of a log but its full lowest ones, which are checked against these one by one."""

    def __init__(self, size: int, root: bytes) -> None:
        self.size, self._root = size, root
        self._wrong: Tampered | None = None
        self._held: dict[tuple[int, int], bytes] = {}

    def upper(self) -> Iterator[tuple[int, int, int]]:
        """The (level, index, width) of each tile to be added, the highest level first."""
        for level in range(max(self.size.bit_length() - 1, 0) // TILE_HEIGHT, -1, -1):
            full, rest = divmod(self.size >> level * TILE_HEIGHT, TILE_WIDTH)
            for index in range(full if level else 0):
                yield level, index, TILE_WIDTH
            if rest:
                yield level, full, rest

    def add(self, level: int, index: int, hashes: bytes) -> None:
        """Hand in a tile, in the order of `upper`."""
        self._held[level, index] = hashes
        if len(hashes) == TILE_WIDTH * HASH_BYTES and self._wrong is None:
            self._compare(level, index, hashes)

    @property
    def last(self) -> bytes:
        """The leaf hashes of the lowest tile at the right edge, empty where all are full."""
        return self._held.get((0, self.size // TILE_WIDTH), b"")

    def above(self, index: int) -> bytes:
        """What stands above a full tile of leaf hashes: the root over them."""
        return self._above(0, index)

    def problem(self) -> Tampered | None:
        """What is wrong with these tiles: they must lead to the root, and each to that above it."""
        peaks: list[bytes] = []
        for level, index, width in self.upper():
            if width < TILE_WIDTH:
                peaks += peaks_of(split(self._held[level, index]))
        if (join_peaks(peaks) if self.size else EMPTY_ROOT) == self._root:
            return self._wrong
        return Tampered(
            None,
            f"the root recomputed from {self.size} leaf hashes is not the signed one: a record"
            " was changed, added or removed together with its hash",
        )

    def _above(self, level: int, index: int) -> bytes:
        parent = self._held[level + 1, index // TILE_WIDTH]
        at = index % TILE_WIDTH * HASH_BYTES
        return parent[at : at + HASH_BYTES]

    def _compare(self, level: int, index: int, hashes: bytes) -> None:
        if root_of(split(hashes)) != self._above(level, index):
            first, end = (place << (level + 1) * TILE_HEIGHT for place in (index, index + 1))
            words = f"tile {level}/{index} is not the log's"
            self._wrong = Tampered(first, words, end - 1)


def split(hashes: bytes) -> list[bytes]:
    """Joined hashes one by one."""
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]
