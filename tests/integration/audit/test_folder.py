"""The log as a folder of tiles is whole, and every change in it is found and named."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pymerkle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chenu.audit.v1 import log_service_pb2 as log_pb
from chenu.audit.v1.entry_service_pb2_grpc import EntryServiceStub
from chenu.audit.v1.log_service_pb2_grpc import LogServiceStub
from cli.verification.folder import tile_path, verify_folder
from cli.verification.keys import Keys
from cli.verification.verdict import Malformed, Trust, Verdict
from kernel.context import background
from kernel.errors import reason_of
from kernel.receipts import TreeHead, VerifierKey, leaf_hash, split_note
from kernel.service import Service
from services.audit import folder as published
from services.audit.folder import Folder
from services.audit.retention import prune_before
from services.audit.settings import AuditSettings
from services.audit.tree import append
from tests.integration.audit.listing import Publish, listed
from tests.support.identity import Person, StandInIdentity
from tests.support.source import StandInSource, an_event
from tests.support.waiting import soon


@pytest.fixture(scope="module")
async def tiles(
    *,
    entries: EntryServiceStub,
    identity: StandInIdentity,
    source: StandInSource,
    publish: Publish,
    service: Service[AuditSettings],
    log_key: VerifierKey,
    tmp_path_factory: Any,
) -> Path:
    """A folder that grew in three steps to more than two full tiles."""
    path: Path = tmp_path_factory.mktemp("tiles")
    folder = Folder(service.worker, path, str(log_key), tuple)
    for count in (3, 290, 300):
        person = Person()
        bundle = source.bundle([an_event(person) for _ in range(count)])
        await publish(bundle)
        await listed(entries, identity, person, count)
        assert await folder.publish() > 0
    return path


def check(folder: Path, *keys: VerifierKey) -> Verdict:
    return verify_folder(folder, Keys(keys), lambda *_: None)


def right(found: Verdict) -> int:
    """The exit code where nothing is wrong: other tests' sources keep versions back for good."""
    assert all(warning.startswith("VERSION_GAP") for warning in found.warnings), found.warnings
    return 5 if found.warnings else 0


def size_of(folder: Path) -> int:
    return TreeHead.parse(split_note((folder / "checkpoint").read_text())[0]).size


def leaves_of(folder: Path) -> list[bytes]:
    """Read by the specification alone."""
    leaves, size = [], size_of(folder)
    for index in range(-(-size // 256)):
        width = min(256, size - 256 * index)
        suffix = "" if width == 256 else f".p/{width}"
        data = (folder / f"tile/entries/{index:03d}{suffix}").read_bytes()
        while data:
            length = int.from_bytes(data[:2], "big")
            leaves.append(data[2 : 2 + length])
            data = data[2 + length :]
    return leaves


def test_a_folder_is_verified_without_any_service(tiles: Path, log_key: VerifierKey) -> None:
    found = check(tiles, log_key)
    assert (found.problems, found.trust, found.exit_code) == ([], Trust.PINNED, right(found))
    assert found.size == found.records == found.hashes == size_of(tiles) > 512
    assert (check(tiles).trust, check(tiles).exit_code) == (Trust.EMBEDDED, 3)


def test_without_any_key_it_is_only_consistent(tiles: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiles, tmp_path / "copy"))
    (copy / "log.vkey").unlink()
    assert (check(copy).trust, check(copy).exit_code) == (Trust.NONE, 4)
    (copy / "checkpoint").unlink()
    with pytest.raises(Malformed, match="no checkpoint"):
        check(copy)


def test_the_root_is_what_pymerkle_makes_of_the_records(tiles: Path) -> None:
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    for leaf in leaves_of(tiles):
        tree.append_entry(leaf)
    assert check(tiles).root == tree.get_root()


def test_what_a_full_tile_replaces_is_gone(tiles: Path) -> None:
    names = {str(path.relative_to(tiles)) for path in tiles.rglob("*") if path.is_file()}
    assert not any(name.endswith(".new") for name in names)
    partial = {name for name in names if ".p/" in name}
    assert {"tile/0/000", "tile/0/001", "tile/entries/000", "tile/entries/001"} <= names
    assert not [name for name in partial if name.startswith(("tile/0/000", "tile/entries/001"))]


@settings(max_examples=60)
@given(data=st.data())
def test_any_flipped_bit_of_a_tile_or_a_bundle_is_found_and_named(
    tiles: Path, log_key: VerifierKey, data: Any
) -> None:
    size = size_of(tiles)
    index = data.draw(st.integers(0, (size - 1) // 256))
    width = min(256, size - 256 * index)
    kind = data.draw(st.sampled_from(["0", "entries"]))
    path = tiles / tile_path(kind, index, width)
    honest = path.read_bytes()
    changed = bytearray(honest)
    at = data.draw(st.integers(0, len(honest) - 1))
    changed[at] ^= 1 << data.draw(st.integers(0, 7))
    if kind == "0":
        expected = {index * 256 + at // 32}
    else:
        expected = {index * 256 + number for number, (start, end) in enumerate(spans(honest))
                    if start <= at < end}  # fmt: skip
    try:
        path.write_bytes(changed)
        found = check(tiles, log_key)
    finally:
        path.write_bytes(honest)
    assert {found.first_bad} == expected
    assert len(found.problems) == 1


def spans(bundle: bytes) -> list[tuple[int, int]]:
    found, at = [], 0
    while at < len(bundle):
        end = at + 2 + int.from_bytes(bundle[at : at + 2], "big")
        found.append((at, end))
        at = end
    return found


Change = Callable[[list[bytes]], list[bytes]]
CHANGES: dict[str, Change] = {
    "removed": lambda leaves: leaves[:7] + leaves[8:],
    "twice": lambda leaves: leaves[:8] + leaves[7:],
    "moved": lambda leaves: [*leaves[:7], leaves[8], leaves[7], *leaves[9:]],
    "cut": lambda leaves: leaves[:7],
    "exchanged": lambda leaves: [*leaves[:7], b"{}", *leaves[8:]],
    "appended": lambda leaves: [*leaves, b"{}"],
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("hashes_too", [False, True])
def test_a_record_that_is_not_in_its_place_is_named(
    tiles: Path, log_key: VerifierKey, tmp_path: Path, change: str, hashes_too: bool
) -> None:
    copy = Path(shutil.copytree(tiles, tmp_path / "copy"))
    honest = leaves_of(tiles)[256:512]
    changed = CHANGES[change](honest)
    (copy / "tile/entries/001").write_bytes(published.bundle_of(changed))
    if hashes_too and len(changed) == 256:
        (copy / "tile/0/001").write_bytes(b"".join(leaf_hash(leaf) for leaf in changed))
        found = check(copy, log_key)
        first = 264 if change == "twice" else 263
        assert found.first_bad is not None
        assert found.first_bad_latest is not None
        assert 256 <= found.first_bad <= first <= found.first_bad_latest < 512
        return
    found = check(copy, log_key)
    expected = {"twice": 264, "appended": 512}.get(change, 263)
    assert found.first_bad == expected


def test_a_missing_or_exchanged_upper_tile_and_an_older_checkpoint_are_found(
    tiles: Path, log_key: VerifierKey, tmp_path: Path
) -> None:
    size = size_of(tiles)
    upper = tile_path("1", 0, size // 256)
    for change in ("missing", "changed"):
        copy = Path(shutil.copytree(tiles, tmp_path / change))
        if change == "missing":
            (copy / upper).unlink()
        else:
            (copy / upper).write_bytes(bytes(32 * (size // 256)))
        found = check(copy, log_key)
        words = {"missing": f"{upper} is missing", "changed": "the tiles above them do not lead to"}
        assert words[change] in found.problems[0]
        assert (found.exit_code, found.first_bad) == (1, 0 if change == "missing" else None)
    forged = (tiles / "checkpoint").read_text().replace(f"\n{size}\n", f"\n{size - 1}\n")
    (copy / "checkpoint").write_text(forged)
    assert "not signed" in check(copy, log_key).problems[0]


def test_a_record_changed_with_all_hashes_over_it_lies_between_two_heads_of_the_folder(
    tiles: Path, log_key: VerifierKey, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(tiles, tmp_path / "copy"))
    size, leaves = size_of(tiles), leaves_of(tiles)
    notes = (tiles / "heads").read_text().removesuffix("\n").split("\n\n\n")
    signed = [0, *(TreeHead.parse(split_note(f"{note}\n")[0]).size for note in notes), size]
    assert signed == sorted(set(signed))
    for changed in (0, 300, size - 1):
        forged = [*leaves[:changed], b"{}", *leaves[changed + 1 :]]
        grown = append(lambda *_: b"", 0, [leaf_hash(leaf) for leaf in forged])
        for level, index, width in published.grown_tiles(0, size):
            (copy / tile_path(str(level), index, width)).write_bytes(grown.tiles[level, index])
            if level == 0:
                bundle = published.bundle_of(forged[index * 256 : index * 256 + width])
                (copy / tile_path("entries", index, width)).write_bytes(bundle)
        found = check(copy, log_key)
        low = max(one for one in signed if one <= changed)
        high = min(one for one in signed if one > changed)
        assert (found.first_bad, found.first_bad_latest) == (low, high - 1)
        assert "the root recomputed" in found.problems[0]


async def test_a_tile_by_rpc_is_the_tile_in_the_folder(
    tiles: Path, log: LogServiceStub, identity: StandInIdentity
) -> None:
    me = identity.as_human(Person())
    for level, index in ((0, 0), (0, 1), (1, 0)):
        suffix = f".p/{size_of(tiles) // 256}" if level else ""
        answer = await log.GetTile(log_pb.GetTileRequest(level=level, index=index), metadata=me)
        written = (tiles / f"tile/{level}/{index:03d}{suffix}").read_bytes()
        assert answer.hashes[: len(written)] == written
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await log.GetTile(log_pb.GetTileRequest(level=0, index=1 << 40), metadata=me)
    assert reason_of(refused.value) == "LEAF_NOT_COVERED"


def test_paths_of_tiles_are_those_of_the_specification() -> None:
    for path in (tile_path, published.tile_path):
        assert path("0", 0) == "tile/0/000"
        assert path("entries", 1234067, 8) == "tile/entries/x001/x234/067.p/8"
        assert path("1", 5000) == "tile/1/x005/000"


async def test_pruned_records_leave_the_folder_once_the_log_says_so(
    tiles: Path,
    service: Service[AuditSettings],
    superuser: asyncpg.Connection,
    log_key: VerifierKey,
    tmp_path: Path,
) -> None:
    folder = Folder(service.worker, tmp_path, str(log_key), tuple)
    await folder.publish()
    assert (tmp_path / "tile/entries/000").exists()
    with background("audit.retention"):
        async with service.worker.work() as tx:
            assert await prune_before(tx, 300, "test-rule") > 0

    async def without_what_was_pruned() -> int:
        size = await folder.publish()
        return 0 if (tmp_path / "tile/entries/000").exists() else size

    size = await soon(without_what_was_pruned, "the first tile is gone")
    assert (tmp_path / "tile/entries/001").exists()
    found = check(tmp_path, log_key)
    assert (found.problems, found.exit_code, found.size) == ([], right(found), size)
    assert found.records == size - 256
    # One that is begun only now never has them; of the second bundle too few are left.
    late = Folder(service.worker, tmp_path / "late", str(log_key), tuple)
    await late.publish()
    found = check(tmp_path / "late", log_key)
    assert (found.problems, found.exit_code) == ([], right(found))
    assert found.records == found.size - 512
