"""The log's tree: RFC 6962 roots and proofs from C2SP tiles."""

import random
from collections.abc import Callable, Sequence
from hashlib import sha256

import pymerkle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel import receipts
from kernel.receipts import EMPTY_ROOT, ReceiptInvalid, check_inclusion, leaf_hash, root_of
from services.audit import tree

PUBLISHED_LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
PUBLISHED_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [leaf_hash(b"entry %d" % number) for number in range(130)]
EXHAUSTIVE = 66
"""All pairs up to here: tiles of four are full on three levels, and one leaf begins the fourth."""


class Log:
    """Tiles in memory, grown by appends; remembers what it was asked to read."""

    def __init__(self) -> None:
        self.size = 0
        self.root = EMPTY_ROOT
        self.tiles: dict[tuple[int, int], bytes] = {}
        self.reads: list[tuple[int, int, int]] = []

    def read_tile(self, level: int, index: int, width: int) -> bytes:
        self.reads.append((level, index, width))
        return self.tiles[level, index]

    def append(self, leaves: Sequence[bytes]) -> tree.Growth:
        growth = tree.append(self.read_tile, self.size, leaves)
        self.size, self.root = growth.size, growth.root
        self.tiles |= growth.tiles
        return growth


def log_of(leaves: Sequence[bytes]) -> Log:
    log = Log()
    log.append(leaves)
    return log


def naive_root(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962 section 2.1, word for word, over leaf hashes."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    left, right = naive_root(leaves[:split]), naive_root(leaves[split:])
    return sha256(b"\x01" + left + right).digest()


def refused(check: Callable[..., None], *arguments: object) -> bool:
    try:
        check(*arguments)
    except ReceiptInvalid:
        return True
    return False


def corrupted(proof: Sequence[bytes]) -> list[list[bytes]]:
    """The proof with a bit turned, shortened at each end, lengthened at each end."""
    damaged = [[*proof, bytes(32)], [bytes(32), *proof]]
    if proof:
        turned = [bytes([proof[0][0] ^ 1]) + proof[0][1:], *proof[1:]]
        damaged += [turned, list(proof[1:]), list(proof[:-1]), [proof[0][:-1], *proof[1:]]]
    return damaged


@pytest.fixture(params=[8, 2], ids=["tiles of 256", "tiles of 4"])
def tile_height(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Small tiles make a small log four levels deep, so that an exhaustive test meets them all."""
    monkeypatch.setattr(tree, "TILE_HEIGHT", request.param)
    monkeypatch.setattr(tree, "TILE_WIDTH", 1 << request.param)
    return int(request.param)


@pytest.mark.parametrize("size", range(9))
def test_roots_equal_the_published_ones(size: int) -> None:
    leaves = [leaf_hash(leaf) for leaf in PUBLISHED_LEAVES[:size]]
    assert root_of(leaves).hex() == PUBLISHED_ROOTS[size]
    assert log_of(leaves).root.hex() == PUBLISHED_ROOTS[size]


def test_published_consistency_proofs_are_made_and_accepted() -> None:
    log = log_of([leaf_hash(leaf) for leaf in PUBLISHED_LEAVES])
    proof = tree.consistency_proof(log.read_tile, 6, 8)
    assert [hashed.hex() for hashed in proof] == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    old, new = bytes.fromhex(PUBLISHED_ROOTS[6]), bytes.fromhex(PUBLISHED_ROOTS[8])
    receipts.check_consistency(6, 8, old, new, proof)


def test_roots_equal_those_of_an_independent_library() -> None:
    oracle = pymerkle.InmemoryTree(algorithm="sha256")
    log = Log()
    for number in range(600):
        oracle.append_entry(b"entry %d" % number)
        log.append([leaf_hash(b"entry %d" % number)])
        assert log.root == oracle.get_root()


def test_every_inclusion_proof_is_accepted_and_no_damaged_one(tile_height: int) -> None:
    log = log_of(LEAVES)
    for size in range(1, EXHAUSTIVE + 1):
        root = naive_root(LEAVES[:size])
        assert tree.root_at(log.read_tile, size) == root
        for index in range(size):
            proof = tree.inclusion_proof(log.read_tile, index, size)
            check_inclusion(index, size, LEAVES[index], proof, root)
            for damaged in corrupted(proof):
                assert refused(check_inclusion, index, size, LEAVES[index], damaged, root)


def test_every_consistency_proof_is_accepted_and_no_damaged_one(tile_height: int) -> None:
    log = log_of(LEAVES)
    roots = [naive_root(LEAVES[:size]) for size in range(EXHAUSTIVE + 1)]
    for size in range(EXHAUSTIVE + 1):
        for old in range(size + 1):
            proof = tree.consistency_proof(log.read_tile, old, size)
            receipts.check_consistency(old, size, roots[old], roots[size], proof)
            for damaged in corrupted(proof):
                roots_of = roots[old], roots[size]
                assert refused(receipts.check_consistency, old, size, *roots_of, damaged)


def test_a_proof_holds_for_no_other_entry_size_or_root() -> None:
    log = log_of(LEAVES)
    proof = tree.inclusion_proof(log.read_tile, 5, 100)
    root = naive_root(LEAVES[:100])
    for index, size, leaf, expected in (
        (6, 100, LEAVES[5], root),
        (5, 100, LEAVES[6], root),
        (5, 64, LEAVES[5], root),
        (5, 100, LEAVES[5], naive_root(LEAVES[:99])),
        (100, 100, LEAVES[5], root),
        (-1, 100, LEAVES[5], root),
    ):
        with pytest.raises(ReceiptInvalid):
            check_inclusion(index, size, leaf, proof, expected)


def test_a_rewritten_history_has_no_consistency_proof() -> None:
    rewritten = [*LEAVES[:20], leaf_hash(b"another"), *LEAVES[21:]]
    old, new = naive_root(LEAVES[:64]), log_of(rewritten)
    for size in (64, 65, 100, len(LEAVES)):
        root = naive_root(rewritten[:size])
        proof = tree.consistency_proof(new.read_tile, 64, size)
        with pytest.raises(ReceiptInvalid):
            receipts.check_consistency(64, size, old, root, proof)


def test_a_true_path_from_another_depth_is_refused() -> None:
    """The hashes fit; only the numbers say that the path is too long or too short."""
    root = naive_root(LEAVES[:2])
    for index, size, leaf, path in (
        (0, 1, LEAVES[1], [LEAVES[0]]),
        (0, 2, root, []),
        (-1, 2, LEAVES[1], [LEAVES[0]]),
    ):
        with pytest.raises(ReceiptInvalid):
            check_inclusion(index, size, leaf, path, root)


def test_a_true_consistency_proof_of_other_sizes_is_refused() -> None:
    log = log_of(LEAVES)
    roots = [naive_root(LEAVES[:size]) for size in range(9)]
    deep = tree.consistency_proof(log.read_tile, 7, 8)
    flat = tree.consistency_proof(log.read_tile, 3, 4)
    with pytest.raises(ReceiptInvalid, match="too long"):
        receipts.check_consistency(3, 4, roots[7], roots[8], deep)
    with pytest.raises(ReceiptInvalid):
        receipts.check_consistency(7, 8, roots[3], roots[4], flat)


def test_a_shorter_log_is_never_consistent() -> None:
    with pytest.raises(ReceiptInvalid, match="no earlier state"):
        receipts.check_consistency(10, 9, naive_root(LEAVES[:10]), naive_root(LEAVES[:9]), [])


def test_an_empty_old_tree_must_have_the_empty_root() -> None:
    with pytest.raises(ReceiptInvalid):
        receipts.check_consistency(0, 3, naive_root(LEAVES[:1]), naive_root(LEAVES[:3]), [])


@given(batches=st.lists(st.integers(0, 700), max_size=6), seed=st.integers(0, 1_000_000))
def test_appending_in_batches_gives_the_naive_root(batches: list[int], seed: int) -> None:
    draw = random.Random(seed)
    log, leaves = Log(), list[bytes]()
    for width in batches:
        batch = [draw.randbytes(32) for _ in range(width)]
        leaves += batch
        log.append(batch)
        assert (log.size, log.root) == (len(leaves), naive_root(leaves))
    assert log.tiles == log_of(leaves).tiles
    assert tree.root_at(log.read_tile, log.size) == log.root


def test_tiles_are_laid_out_as_the_specification_says() -> None:
    """Its own example: a tree of 70,000."""
    leaves = [sha256(number.to_bytes(4)).digest() for number in range(70_000)]
    log = log_of(leaves)
    widths = {key: len(tile) // 32 for key, tile in log.tiles.items()}
    assert widths == (
        {(0, index): 256 for index in range(273)}
        | {(0, 273): 112, (1, 0): 256, (1, 1): 17, (2, 0): 1}
    )
    assert log.tiles[1, 1][:32] == naive_root(leaves[65_536:65_792])
    assert log.tiles[2, 0] == naive_root(leaves[:65_536])
    assert log.root == naive_root(leaves)


@pytest.mark.parametrize("size", [255, 256, 257, 511, 65_535, 65_536, 65_537, 70_000])
def test_proofs_cross_tiles_and_levels(size: int) -> None:
    leaves = [sha256(number.to_bytes(4)).digest() for number in range(size)]
    log = log_of(leaves)
    for index in {0, 1, 254, size // 2, size - 2, size - 1}:
        proof = tree.inclusion_proof(log.read_tile, index, size)
        check_inclusion(index, size, leaves[index], proof, log.root)
    for old in {1, 254, 255, 256, 257, size // 2, size - 1} & set(range(size)):
        proof = tree.consistency_proof(log.read_tile, old, size)
        receipts.check_consistency(old, size, naive_root(leaves[:old]), log.root, proof)


def test_an_append_reads_and_changes_only_the_right_edge() -> None:
    log = log_of([sha256(number.to_bytes(4)).digest() for number in range(70_000)])
    log.reads.clear()
    growth = log.append([bytes(32)])
    assert log.reads == [(0, 273, 112), (1, 1, 17), (2, 0, 1)]
    assert set(growth.tiles) == {(0, 273)}


def test_appending_nothing_changes_nothing() -> None:
    log = log_of(LEAVES)
    growth = tree.append(log.read_tile, log.size, [])
    assert growth == tree.Growth(log.size, log.root, {})


def test_the_tiles_to_fetch_are_known_beforehand() -> None:
    log = log_of([sha256(number.to_bytes(4)).digest() for number in range(70_000)])
    wanted = tree.tiles_read_by(tree.inclusion_proof, 300, 69_000)
    fetched = {key: log.tiles[key[:2]] for key in wanted}
    proof = tree.inclusion_proof(lambda *tile: fetched[tile], 300, 69_000)
    assert proof == tree.inclusion_proof(log.read_tile, 300, 69_000)
    assert wanted
    assert len(wanted) == len(set(wanted))


def test_a_tile_that_was_cut_is_refused() -> None:
    log = log_of(LEAVES)
    with pytest.raises(tree.TileInvalid):
        tree.inclusion_proof(lambda *tile: log.read_tile(*tile)[:-32], 5, len(LEAVES))
    with pytest.raises(tree.TileInvalid):
        tree.append(lambda *tile: log.read_tile(*tile) + b"x", len(LEAVES), LEAVES[:1])


@pytest.mark.parametrize(("index", "size"), [(-1, 5), (5, 5), (0, 0)])
def test_no_inclusion_proof_of_what_is_not_in_the_tree(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="not in a tree"):
        tree.inclusion_proof(log_of(LEAVES).read_tile, index, size)


@pytest.mark.parametrize(("old", "size"), [(-1, 5), (6, 5)])
def test_no_consistency_proof_with_a_state_that_never_was(old: int, size: int) -> None:
    with pytest.raises(ValueError, match="no earlier state"):
        tree.consistency_proof(log_of(LEAVES).read_tile, old, size)
