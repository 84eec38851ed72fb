"""Records that were pruned may be missing from a folder of tiles: if the log itself says so."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from cli.audit_verify import verification_view
from cli.verification.folder import verify_folder, verify_tiles
from cli.verification.keys import Keys
from cli.verification.verdict import Malformed, Trust, Verdict
from kernel.receipts import TreeHead, VerifierKey, leaf_hash, root_of
from services.audit.folder import SUCCESSIONS, bundle_of, grown_tiles, tile_path
from services.audit.keys import join_notes, open_log_keys, retire, succeed, successions
from services.audit.note import sign_tree_head
from services.audit.tree import append
from tests.unit.cli.test_completeness import version


def pruned(minimum: int, source: str = "chenu/audit") -> bytes:
    event = {
        "data": {"details": {"minimum_index": str(minimum)}},
        "source": source,
        "type": "chenu.audit.entries.pruned",
    }
    return json.dumps(event, sort_keys=True, separators=(",", ":")).encode()


class Written:
    """A folder of tiles over these leaves."""

    def __init__(self, folder: Path, leaves: list[bytes], heads: Sequence[int] = ()) -> None:
        self.folder = folder
        (signer,) = open_log_keys(folder / "own" / "log.pem", folder / "own" / "vkey", "log.test")
        self.key: VerifierKey = signer.verifier_key
        grown = append(lambda *_: b"", 0, [leaf_hash(leaf) for leaf in leaves])
        for level, index, width in grown_tiles(0, len(leaves)):
            self.write(tile_path(level, index, width), grown.tiles[level, index])
            if level == 0:
                bundle = bundle_of(leaves[index * 256 : index * 256 + width])
                self.write(tile_path("entries", index, width), bundle)
        note = sign_tree_head(TreeHead("log.test", grown.size, grown.root), [signer])
        self.write("checkpoint", note.encode())
        hashes = [leaf_hash(leaf) for leaf in leaves]
        earlier = [
            sign_tree_head(TreeHead("log.test", n, root_of(hashes[:n])), [signer]) for n in heads
        ]
        self.write("heads", join_notes(earlier).encode())

    def write(self, name: str, data: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def without(self, *bundles: int) -> "Written":
        for index in bundles:
            (self.folder / tile_path("entries", index)).unlink()
        return self

    def check(self) -> Verdict:
        return verify_folder(self.folder, Keys([self.key]), lambda *_: None)

    def plant(self, changes: Mapping[int, str]) -> None:
        """Change these records: alone, with their hash, or with all hashes over them."""
        for place, how in changes.items():
            index, offset = divmod(place, 256)
            path = next(self.folder.glob(f"tile/entries/{index:03d}*"))
            path = path if path.is_file() else next(path.iterdir())
            leaves = records_of(path.read_bytes())
            leaves[offset] = b"changed"
            path.write_bytes(bundle_of(leaves))
            if how != "alone":
                tile = self.folder / str(path.relative_to(self.folder)).replace("entries", "0")
                hashes = tile.read_bytes()
                hashes = hashes[: offset * 32] + leaf_hash(b"changed") + hashes[offset * 32 + 32 :]
                tile.write_bytes(hashes)
                if how == "all" and _width(path) == 256:
                    (above,) = (self.folder / "tile/1/000.p").iterdir()
                    roots = above.read_bytes()
                    root = root_of(hashes[at : at + 32] for at in range(0, len(hashes), 32))
                    above.write_bytes(roots[: index * 32] + root + roots[index * 32 + 32 :])


def records_of(bundle: bytes) -> list[bytes]:
    found = []
    while bundle:
        end = 2 + int.from_bytes(bundle[:2])
        found.append(bundle[2:end])
        bundle = bundle[end:]
    return found


def _width(path: Path) -> int:
    return int(path.name) if path.parent.name.endswith(".p") else 256


@pytest.mark.parametrize(
    ("changes", "heads", "first", "last"),
    [
        ({0: "alone"}, (), 0, 0),
        ({300: "alone"}, (), 300, 300),
        ({599: "alone"}, (), 599, 599),
        ({300: "hash"}, (), 256, 511),  # a full tile: what stands above it is still right
        ({300: "hash"}, (290, 310), 290, 309),
        ({300: "hash"}, (300, 301), 300, 300),
        ({0: "all"}, (1, 100), 0, 0),
        ({300: "all"}, (), 0, 599),
        ({300: "all"}, (100, 299, 400), 299, 399),
        ({520: "hash"}, (), 0, 599),  # the last tile, which nothing stands above
        ({520: "hash"}, (513, 540, 580), 513, 539),
        ({599: "hash"}, (513, 599), 599, 599),
        ({520: "hash", 590: "alone"}, (513, 540), 513, 539),
        ({520: "alone", 590: "hash"}, (513, 540), 520, 520),
        ({300: "hash", 520: "hash"}, (290, 310, 513), 290, 309),
        ({7: "alone", 520: "hash"}, (100,), 7, 7),
    ],
)
def test_the_first_bad_record_is_named_or_between_which_two_it_is(
    *, tmp_path: Path, changes: dict[int, str], heads: tuple[int, ...], first: int, last: int
) -> None:
    written = Written(tmp_path, [b"%d" % n for n in range(600)], heads)
    assert written.check().problems == []
    written.plant(changes)
    found = written.check()
    assert (found.exit_code, found.first_bad, found.first_bad_latest) == (1, first, last)
    assert len(found.problems) == 1
    place = f"record {first}: " if first == last else f"one of the records {first} to {last}, "
    assert found.problems[0].startswith(place)


def test_in_a_log_of_three_levels_a_changed_tile_in_the_middle_is_told_from_a_changed_record(
    tmp_path: Path,
) -> None:
    heads = (5_000, 60_000)
    written = Written(tmp_path, [b"%d" % n for n in range(65_600)], heads)
    middle = tmp_path / "tile/1/000"
    honest = middle.read_bytes()
    middle.write_bytes(bytes(32) + honest[32:])
    found = written.check()
    assert (found.exit_code, found.first_bad) == (1, None)
    assert "the records are the log's, but the tiles above them" in found.problems[0]
    middle.write_bytes(honest)
    written.plant({300: "hash"})
    lowest = (tmp_path / "tile/0/001").read_bytes()
    root = root_of(lowest[at : at + 32] for at in range(0, len(lowest), 32))
    middle.write_bytes(honest[:32] + root + honest[64:])
    found = written.check()
    assert (found.first_bad, found.first_bad_latest) == (0, 4_999)
    assert "tile 1/0 is not the log's" in found.problems[0]


def test_what_was_pruned_while_the_files_were_read_is_no_tampering(tmp_path: Path) -> None:
    """An older checkpoint was read; before its records are, the first of them are gone."""
    old = Written(tmp_path / "old", [b"record %d" % n for n in range(800)])
    new = log_of(tmp_path / "new", pruned(512), *([b"more"] * 300)).without(0, 1)
    (tmp_path / "new" / "pruned").write_bytes(b"%d\n%b" % (800, pruned(512)))
    names = {False: "old", True: "new"}

    def reading(published: bool) -> Verdict:
        turned: list[str] = []

        def read(name: str) -> bytes | None:
            if name == tile_path("entries", 0):
                turned.append(name)
            folder = names[bool(turned) and (published or name != "checkpoint")]
            kept = [folder] if name.startswith("tile/entries/") else [folder, "old"]
            found = (tmp_path / one / name for one in kept)
            return next((path.read_bytes() for path in found if path.is_file()), None)

        return verify_tiles(read, "there", Keys(), lambda *_: None)

    found = reading(True)
    assert (found.problems, found.size, found.records) == ([], 1101, 1101 - 512)
    with pytest.raises(Malformed, match="there is being pruned while it is checked"):
        reading(False)
    assert old.check().problems == new.check().problems == []


def log_of(folder: Path, *notices: bytes) -> Written:
    return Written(folder, [*(b"record %d" % n for n in range(800)), *notices])


def test_what_the_log_says_was_pruned_may_be_missing(tmp_path: Path) -> None:
    found = log_of(tmp_path, pruned(300), pruned(512)).without(0, 1).check()
    assert (found.problems, found.exit_code) == ([], 0)
    assert (found.hashes, found.records) == (802, 802 - 512)
    assert (
        "before 512, pruned as the log itself says, 512 are here by their hashes" in found.notes[0]
    )


@pytest.mark.parametrize(
    "notices",
    [
        (),
        (pruned(256),),
        (pruned(512, "chenu/threads"),),
        (b'"type":"chenu.audit.entries.pruned"',),
    ],
)
def test_what_no_record_says_was_pruned_must_be_there(
    tmp_path: Path, notices: tuple[bytes, ...]
) -> None:
    found = log_of(tmp_path, *notices).without(0, 1).check()
    assert (found.exit_code, found.first_bad) == (1, 0)
    assert "no record in the log says that it was pruned" in found.problems[0]


def test_the_record_of_the_pruning_may_be_in_a_bundle_that_is_gone_too(tmp_path: Path) -> None:
    index, leaf = 800, pruned(770)
    written = log_of(tmp_path, leaf).without(0, 1, 2)
    (tmp_path / tile_path("entries", 3, 33)).unlink()
    assert written.check().problems
    written.write("pruned", b"%d\n%b" % (index, leaf))
    assert (written.check().problems, written.check().records) == ([], 0)
    for forged in (b"%d\n%b" % (index - 1, leaf), b"%d\n%b" % (index, pruned(800))):
        written.write("pruned", forged)
        assert "is not the log's" in written.check().problems[0]


def test_nothing_may_be_missing_behind_what_is_there(tmp_path: Path) -> None:
    found = log_of(tmp_path, pruned(256)).without(1).check()
    assert (found.exit_code, found.first_bad) == (1, 256)
    assert "is missing" in found.problems[0]


def test_a_log_of_any_size_is_verified_and_each_of_its_records_counts(tmp_path: Path) -> None:
    for size in (0, 1, 255, 256, 257, 512, 700, 1024, 1101):
        written = Written(tmp_path / str(size), [b"%d" % n for n in range(size)])
        found = written.check()
        assert (found.problems, found.exit_code, found.records) == ([], 0, size)


def test_a_long_check_tells_how_far_it_has_come(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    folder = Written(tmp_path, [b"%d" % n for n in range(700)]).folder
    verify_folder(folder, Keys(), lambda *one: told.append(one))
    assert told == [("records", count, 700) for count in (256, 512, 700)]


def test_a_log_that_was_never_told_of_a_version_is_verified_and_said_to_be_incomplete(
    tmp_path: Path,
) -> None:
    leaves = [version("thread/1", n) for n in (1, 2, 4)]
    found = Written(tmp_path / "gap", leaves).check()
    assert (found.problems, found.exit_code, found.trust) == ([], 5, Trust.PINNED)
    assert found.warnings == [
        "VERSION_GAP: record 2: thread/1 is at version 4, and version 3 is nowhere"
    ]
    told = found.document()
    assert (told["verified"], told["warnings"]) == (True, found.warnings)
    assert "INCOMPLETE" in headline(found)
    pruned_log = [*leaves[1:2], *[b"{}"] * 300, pruned(256), version("thread/1", 3)]
    found = Written(tmp_path / "pruned", pruned_log).without(0).check()
    assert (found.problems, found.warnings, found.exit_code) == ([], [], 0)


def headline(verdict: Verdict) -> str:
    view: Any = verification_view(verdict)
    return str(view.renderables[0])


def test_who_pinned_an_earlier_key_follows_by_the_notes_in_the_folder(tmp_path: Path) -> None:
    private, public = tmp_path / "own" / "log.pem", tmp_path / "own" / "vkey"
    (first,) = open_log_keys(private, public, "log.test")
    succeed(private, public, "log.test")
    succeed(private, public, "log.test")
    retire(private)
    written = log_of(tmp_path)
    assert written.key != first.verifier_key
    written.key = first.verifier_key
    assert written.check().exit_code == 1
    written.write(SUCCESSIONS, join_notes(successions(public)).encode())
    assert (written.check().problems, written.check().exit_code) == ([], 0)
