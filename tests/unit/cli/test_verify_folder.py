"""Records that were pruned may be missing from a folder of tiles: if the log itself says so."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli.audit_verify import verification_view
from cli.verification.folder import verify_folder
from cli.verification.keys import Keys
from cli.verification.verdict import Trust, Verdict
from kernel.receipts import TreeHead, VerifierKey, leaf_hash
from services.audit.folder import SUCCESSIONS, bundle_of, grown_tiles, tile_path
from services.audit.keys import join_successions, open_log_keys, retire, succeed, successions
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

    def __init__(self, folder: Path, leaves: list[bytes]) -> None:
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


def log_of(folder: Path, *notices: bytes) -> Written:
    return Written(folder, [*(b"record %d" % n for n in range(800)), *notices])


def test_what_the_log_says_was_pruned_may_be_missing(tmp_path: Path) -> None:
    found = log_of(tmp_path, pruned(300), pruned(512)).without(0, 1).check()
    assert (found.problems, found.exit_code) == ([], 0)
    assert (found.hashes, found.records) == (802, 802 - 512)
    assert "the first 512 records are here by their hashes alone" in found.notes[0]


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
    found = log_of(tmp_path, pruned(512)).without(1).check()
    assert (found.exit_code, found.first_bad) == (1, 256)
    assert "is missing" in found.problems[0]


def test_a_log_of_any_size_is_verified_and_each_of_its_records_counts(tmp_path: Path) -> None:
    for size in (0, 1, 255, 256, 257, 512, 700):
        written = Written(tmp_path / str(size), [b"%d" % n for n in range(size)])
        found = written.check()
        assert (found.problems, found.exit_code, found.records) == ([], 0, size)


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
    written.write(SUCCESSIONS, join_successions(successions(public)).encode())
    assert (written.check().problems, written.check().exit_code) == ([], 0)
