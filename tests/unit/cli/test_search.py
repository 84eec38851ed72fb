"""Whatever was changed in a log, the first record that is wrong lies where the search says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hypothesis import example, given, settings
from hypothesis import strategies as st

from cli.verification.keys import Trusted
from cli.verification.search import EarlierHeads, Search
from cli.verification.tiles import TILE_WIDTH
from cli.verification.verdict import Tampered, Verdict
from kernel.receipts import TreeHead, leaf_hash, root_of

SIZE: Final = 700
HASHES: Final = [leaf_hash(b"%d" % n) for n in range(SIZE)]
ROOT: Final = root_of(HASHES)
ROOTS: Final = {size: root_of(HASHES[:size]) for size in range(1, SIZE)}


@dataclass(frozen=True)
class Changes:
    """Places where the record alone was changed, the hash alone, or both alike."""

    records: frozenset[int] = frozenset()
    hashes: frozenset[int] = frozenset()
    both: frozenset[int] = frozenset()
    tiles: frozenset[int] = frozenset()
    """Lowest tiles above which the hash was changed to fit."""

    @property
    def first(self) -> int | None:
        return min(self.records | self.hashes | self.both, default=None)


def searched(changes: Changes, heads: Sequence[int]) -> Tampered | None:
    """What the search finds in a log of 700 records with these changes and earlier heads."""
    own, held = list(HASHES), list(HASHES)
    for index in changes.records | changes.both:
        own[index] = leaf_hash(b"changed %d" % index)
    for index in changes.both:
        held[index] = own[index]
    for index in changes.hashes:
        held[index] = leaf_hash(b"hash %d" % index)
    tiles = [slice(at, at + TILE_WIDTH) for at in range(0, SIZE, TILE_WIDTH)]
    above = [
        root_of((held if n in changes.tiles else HASHES)[tile]) for n, tile in enumerate(tiles)
    ]
    whole = root_of([root_of(above[:2]), root_of(held[tiles[2]])])
    problem = None if whole == ROOT else Tampered(None, "the root is not the signed one")
    notes = [f"{TreeHead('log.test', size, ROOTS[size])}\n— log.test AAAAAAA=\n" for size in heads]
    final = TreeHead("log.test", SIZE, ROOT)
    earlier = EarlierHeads(Trusted(Verdict("test"), (), ()), notes, final)
    search = Search(earlier, problem, above.__getitem__)
    try:
        for tile in tiles:
            search.tile(held[tile], dict(enumerate(own[tile])))
        search.end()
    except Tampered as found:
        return found
    return None


indexes = st.frozensets(st.integers(0, SIZE - 1), max_size=3)
sizes = st.lists(st.integers(1, SIZE - 1), max_size=12, unique=True)


@settings(max_examples=60, deadline=None)
@given(indexes, indexes, indexes, st.frozensets(st.integers(0, 1)), sizes)
@example(frozenset(), frozenset(), frozenset({0}), frozenset({0}), [1])
@example(frozenset(), frozenset(), frozenset({255}), frozenset(), [255])
@example(frozenset(), frozenset(), frozenset({SIZE - 1}), frozenset(), [SIZE - 1])
@example(frozenset({699}), frozenset({3}), frozenset({600}), frozenset(), [520, 650])
def test_the_first_bad_record_is_never_outside_of_what_is_told(
    records: frozenset[int],
    hashes: frozenset[int],
    both: frozenset[int],
    tiles: frozenset[int],
    heads: list[int],
) -> None:
    changes = Changes(records - both, hashes - both, both, tiles)
    found = searched(changes, heads)
    if changes.first is None:
        assert found is None
        return
    assert found is not None
    assert found.index is not None
    assert found.last is not None
    assert found.index <= changes.first <= found.last


def test_nothing_is_found_where_nothing_is_changed() -> None:
    assert searched(Changes(), range(1, SIZE)) is None


@settings(max_examples=20, deadline=None)
@given(st.integers(0, SIZE - 1), st.sampled_from(["records", "hashes"]), sizes)
def test_a_record_that_is_not_what_its_hash_is_of_is_named_exactly(
    index: int, kind: str, heads: list[int]
) -> None:
    changed: Mapping[str, Any] = {kind: frozenset({index})}
    found = searched(Changes(**changed), heads)
    assert found is not None
    assert (found.index, found.last) == (index, index)


@settings(max_examples=8, deadline=None)
@given(indexes.filter(bool), st.booleans())
def test_with_a_head_for_each_record_the_first_is_named_exactly(
    both: frozenset[int], rewritten: bool
) -> None:
    tiles = frozenset({0, 1}) if rewritten else frozenset()
    found = searched(Changes(both=both, tiles=tiles), range(1, SIZE))
    assert found is not None
    assert (found.index, found.last) == (min(both), min(both))
