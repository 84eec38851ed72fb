"""Finding the first record that is not what was signed, as the hashes of a log come in.

A root says that something is wrong and not where. Three things tell more: a record that does not
hash to what stands at its place; a tile that is not what stands above it; and the heads that were
signed while the log grew, since one that fits vouches for every record before it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from cli.verification.keys import Trusted
from cli.verification.tiles import TILE_WIDTH
from cli.verification.verdict import Tampered
from kernel.receipts import TreeHead, join_peaks, node_hash, peaks_of, root_of

_RECORD: Final = "its bytes do not hash to the leaf hash that the log holds"
_REWRITTEN: Final = "the log's key signed another record before: the log was written anew"


class EarlierHeads:
    """The heads that were signed of a log, the one that is checked among them, the last.

    Notes that no trusted key signed are passed over: they say nothing.
    """

    def __init__(self, trusted: Trusted, notes: Iterable[str], head: TreeHead) -> None:
        heads = [one for note in notes if (one := trusted.earlier(note)) and one.size < head.size]
        self._waiting = sorted([head, *heads], key=lambda one: one.size, reverse=True)
        self._final = head
        self._peaks: list[bytes] = []
        self._count = 0
        self.fits = 0
        """The largest size up to which every head agrees with the hashes."""
        self.misfit: int | None = None
        """The size of the first head that does not."""

    def add(self, hashes: Sequence[bytes], root: bytes) -> None:
        """The hashes of the next lowest tile, and the root over them."""
        end = self._count + len(hashes)
        while self.misfit is None and self._waiting and self._waiting[-1].size <= end:
            head = self._waiting.pop()
            if self._root(hashes[: head.size - self._count]) == head.root:
                self.fits = head.size
            else:
                self.misfit = head.size
        self._count = end
        self._peaks.append(root)
        tiles = end // TILE_WIDTH if len(hashes) == TILE_WIDTH else 1
        for _ in range((tiles & -tiles).bit_length() - 1):  # the subtrees that it completes
            right = self._peaks.pop()
            self._peaks[-1] = node_hash(self._peaks[-1], right)

    def completed_by(self, hashes: Sequence[bytes]) -> bool:
        """Whether with these hashes as its last tile the log is the signed one."""
        whole = self._count + len(hashes) == self._final.size
        return whole and self._root(hashes) == self._final.root

    @property
    def complete(self) -> bool:
        """Whether all of the log was the signed one."""
        return self.fits == self._final.size

    def _root(self, hashes: Sequence[bytes]) -> bytes:
        return join_peaks([*self._peaks, *peaks_of(hashes)])


class Search:
    """Goes through a log tile by tile; Tampered as soon as it is known where something is wrong.

    `problem` is what is known to be wrong already, and `above` the hash that a full lowest tile
    must have, by its index; without it the heads alone judge.
    """

    def __init__(
        self,
        heads: EarlierHeads,
        problem: Tampered | None = None,
        above: Callable[[int], bytes] | None = None,
    ) -> None:
        self._heads, self._problem, self._above = heads, problem, above
        self._first = 0
        self._flaw: int | None = None

    def tile(
        self, held: Sequence[bytes], own: Mapping[int, bytes], broken: Tampered | None = None
    ) -> None:
        """The hashes of the next lowest tile; those of its records' bytes, by place in it.

        `broken` is what kept the rest of its records from being read.
        """
        first, root = self._first, root_of(held)
        self._first += len(held)
        differing = [place for place, hashed in own.items() if hashed != held[place]]
        if differing and self._flaw is None:
            self._flaw = first + differing[0]
        mended = [own.get(at, one) for at, one in enumerate(held)] if differing else []
        wrong = self._is_not_what_is_above(len(held), root, mended)
        known = self._problem is None or (mended and self._heads.completed_by(mended))
        if known and self._flaw is not None:
            raise Tampered(self._flaw, _RECORD)
        self._heads.add(held, root)
        if wrong or self._heads.misfit is not None:
            raise self._located()
        if broken is not None:
            raise self._before(broken)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """What is found to be wrong here may not be the first thing."""
        try:
            yield
        except Tampered as flaw:
            raise self._before(flaw) from None

    def _before(self, flaw: Tampered) -> Tampered:
        if self._problem is None or flaw.index is None:
            return flaw
        first = flaw.index if self._flaw is None else min(self._flaw, flaw.index)
        if first < self._heads.fits:
            return flaw if first == flaw.index else Tampered(first, _RECORD)
        return Tampered(self._heads.fits, self._problem.what, first)

    @property
    def sound(self) -> bool:
        """Whether nothing is known to be wrong so far."""
        return self._problem is None

    def end(self) -> None:
        """Raise what is known to be wrong and was not found in any record."""
        if self._problem is None:
            return
        if self._first and self._heads.complete:
            if self._flaw is not None:
                raise Tampered(self._flaw, _RECORD)
            words = "the records are the log's, but the tiles above them do not lead to its root"
            raise Tampered(None, words)
        raise self._problem

    def _is_not_what_is_above(self, width: int, root: bytes, mended: Sequence[bytes]) -> bool:
        if self._problem is not None or self._above is None or width < TILE_WIDTH:
            return False
        index = self._first // TILE_WIDTH - 1
        wanted = self._above(index)
        if wanted == root or (mended and wanted == root_of(mended)):
            return False
        words = f"tile 0/{index} is not the log's: a record was changed together with its hash"
        self._problem = Tampered(self._first - TILE_WIDTH, words, self._first - 1)
        return True

    def _located(self) -> Tampered:
        low, high = self._heads.fits, self._heads.misfit or self._first
        problem, what = self._problem, _REWRITTEN
        if problem is not None:
            what = problem.what
            if problem.index is not None and problem.last is not None and problem.index < high:
                low, high = max(low, problem.index), min(high, problem.last + 1)
        if self._flaw is not None and self._flaw < low:
            return Tampered(self._flaw, _RECORD)
        last = high - 1 if self._flaw is None else min(self._flaw, high - 1)
        return Tampered(low, what, last)
