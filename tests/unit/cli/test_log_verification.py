"""Checking the log: by the pinned key, leaf by leaf, and saying what is wrong where it is."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import Result

from chenu.audit.v1.entry_service_pb2 import (
    GetEntryResponse,
)
from chenu.audit.v1.log_service_pb2 import (
    GetInclusionProofResponse,
    GetLogKeyResponse,
    GetTreeHeadResponse,
    ListTreeHeadsResponse,
)
from chenu.audit.v1.retention_service_pb2 import GetRetentionResponse
from chenu_witness.witness import Cosigner
from kernel.receipts import leaf_hash, split_note, succession
from services.audit.note import NoteSigner, sign_note
from tests.unit.cli.conftest import Recording
from tests.unit.cli.played_log import ORIGIN, PlayedLog
from tests.unit.cli.test_completeness import version

Chenu = Callable[..., Result]


@pytest.fixture
def log() -> PlayedLog:
    return PlayedLog()


def pin(state: Path, log: PlayedLog) -> None:
    (state / "log.vkey").write_text(f"{log.key}\n")


def verified(chenu: Chenu, code: int) -> dict[str, Any]:
    result = chenu("audit", "verify", "-o", "json")
    assert result.exit_code == code, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_a_true_log_is_verified_by_the_pinned_key(
    chenu: Chenu, recording: Recording, state: Path, log: PlayedLog
) -> None:
    pin(state, log)
    log.play(recording)
    found = verified(chenu, 0)
    assert (found["verified"], found["leaf_hashes_checked"], found["entries_checked"]) == (
        True, "10", "4",
    )  # fmt: skip
    told = chenu("audit", "verify")
    assert "VERIFIED by the key that was pinned" in told.stdout
    assert recording.calls("GetLogKey") == []  # what the log says of itself is not asked for


def test_an_empty_log_is_verified(chenu: Chenu, recording: Recording, state: Path) -> None:
    log = PlayedLog(0)
    pin(state, log)
    log.play(recording)
    assert verified(chenu, 0)["size"] == "0"


def test_without_a_pinned_key_the_log_only_vouches_for_itself(
    chenu: Chenu, recording: Recording, log: PlayedLog
) -> None:
    log.play(recording)
    assert verified(chenu, 3)["verified"] is False
    assert "no key was pinned" in chenu("audit", "verify").stdout


def test_a_log_signed_by_another_key_is_not_believed(
    chenu: Chenu, recording: Recording, state: Path, log: PlayedLog
) -> None:
    pin(state, PlayedLog())
    log.play(recording)
    assert "not signed by the pinned key" in verified(chenu, 1)["problems"][0]


def test_a_pinned_key_that_cannot_be_read_is_told(
    chenu: Chenu, recording: Recording, state: Path, log: PlayedLog
) -> None:
    (state / "log.vkey").write_text("nonsense\n")
    log.play(recording)
    result = chenu("audit", "verify")
    assert result.exit_code == 2
    assert "cannot be read" in result.stderr


def test_who_pinned_an_earlier_key_follows_to_the_one_that_it_named(
    chenu: Chenu, recording: Recording, state: Path, log: PlayedLog
) -> None:
    old, stranger = PlayedLog(0), PlayedLog(0)
    pin(state, old)
    log.play(recording)
    for named_by, code in ((old, 0), (stranger, 1)):
        signer = NoteSigner(ORIGIN, named_by.private)
        note = sign_note(succession(log.key), [signer, NoteSigner(ORIGIN, log.private)])
        answer = GetLogKeyResponse(verifier_key=str(log.key), successions=[note])
        recording.answer("GetLogKey", answer)
        assert verified(chenu, code)["trust"] == "pinned"
    assert "not signed by the pinned key" in verified(chenu, 1)["problems"][0]


def test_what_a_pinned_witness_has_cosigned_must_be_the_beginning_of_the_log(
    chenu: Chenu, recording: Recording, state: Path, log: PlayedLog
) -> None:
    witness = Cosigner("witness.test/w1", Ed25519PrivateKey.generate())
    (state / "log.vkey").write_text(f"{log.key}\n{witness.verifier_key}\n")
    other = PlayedLog(12)
    other.private, other.key = log.private, log.key
    other.leaves[2] = b"another"
    for told, size, code in ((log, 6, 0), (log, 10, 0), (other, 6, 1), (other, 12, 1)):
        log.play(recording)
        head = told.head(size)
        line = witness.signature_line(split_note(head)[0], 1_800_000_000)
        answer = GetTreeHeadResponse(tree_head=log.head(), witnessed_tree_head=head + line)
        recording.answer("GetTreeHead", answer)
        found = verified(chenu, code)
        assert found["witnesses"] == [f"witness.test/w1, 2027-01-15 08:00:00 UTC, {size} records"]
        assert any("it forked" in problem for problem in found["problems"]) == (code == 1)
    log.play(recording)
    assert "no witness has cosigned the log yet" in verified(chenu, 0)["notes"]


def test_a_changed_leaf_hash_is_found(
    chenu: Chenu, recording: Recording, state: Path, log: PlayedLog
) -> None:
    pin(state, log)
    log.hashes[4] = leaf_hash(b"another record")
    log.play(recording)
    found = verified(chenu, 1)
    assert found["problems"] == [
        "record 4: its bytes do not hash to the leaf hash that the log holds"
    ]
    assert (found["first_bad_index"], found["first_bad_index_latest"]) == ("4", "4")
    assert "TAMPERED" in chenu("audit", "verify").stdout


@pytest.mark.parametrize(
    ("signed", "first", "last"), [((), "0", "9"), ((2, 3, 7), "3", "6"), ((4, 5, 6), "4", "4")]
)
def test_a_record_changed_with_its_hash_lies_between_the_heads_that_fit_and_do_not(
    *, chenu: Chenu, recording: Recording, state: Path, log: PlayedLog,
    signed: tuple[int, ...], first: str, last: str,
) -> None:  # fmt: skip
    pin(state, log)
    honest = {size: log.head(size) for size in (*signed, 10)}
    log.signed, log.entries = set(signed), []
    log.leaves[4], log.hashes[4] = b"another", leaf_hash(b"another")
    log.head = lambda size=None: honest[size or 10]  # type: ignore[method-assign]
    log.play(recording)
    found = verified(chenu, 1)
    assert "the root recomputed from 10 leaf hashes is not the signed one" in found["problems"][0]
    assert (found["first_bad_index"], found["first_bad_index_latest"]) == (first, last)


def test_a_log_whose_key_signed_another_beginning_before_is_found_out(
    chenu: Chenu, recording: Recording, state: Path, log: PlayedLog
) -> None:
    pin(state, log)
    log.play(recording)
    other = PlayedLog(6)
    other.private, other.key, other.leaves[4] = log.private, log.key, b"another"
    notes = [log.head(3), other.head(), PlayedLog(4).head()]  # the last is nobody's word
    recording.answer("ListTreeHeads", ListTreeHeadsResponse(tree_heads=notes))
    found = verified(chenu, 1)
    assert "the log was written anew" in found["problems"][0]
    assert (found["first_bad_index"], found["first_bad_index_latest"]) == ("3", "5")


def test_a_missing_leaf_hash_is_found(
    chenu: Chenu, recording: Recording, state: Path, log: PlayedLog
) -> None:
    pin(state, log)
    head = log.head()
    del log.hashes[-1], log.entries[-1]
    log.play(recording, head)
    assert (
        "gives 9 leaf hashes where its tree head stands for 10" in verified(chenu, 1)["problems"][0]
    )


def test_the_first_own_record_with_other_bytes_is_named(
    chenu: Chenu, recording: Recording, state: Path, log: PlayedLog
) -> None:
    pin(state, log)
    for entry in log.entries[1:3]:
        entry.leaf += b" "
    log.play(recording)
    (problem,) = verified(chenu, 1)["problems"]
    assert problem == (
        "record 3: its bytes do not hash to the leaf hash that it is shown with (2 such records)"
    )


def test_an_own_record_that_is_not_the_one_in_the_log_is_named(
    chenu: Chenu, recording: Recording, state: Path, log: PlayedLog
) -> None:
    pin(state, log)
    log.entries[2].leaf = b"forged"
    log.entries[2].leaf_hash = leaf_hash(b"forged")
    log.play(recording)
    (problem,) = verified(chenu, 1)["problems"]
    assert problem == "record 6: its bytes are not those that the log holds at this place"


def test_records_newer_than_the_tree_head_are_left_for_the_next_time(
    chenu: Chenu, recording: Recording, state: Path, log: PlayedLog
) -> None:
    pin(state, log)
    log.play(recording, log.head(8))
    assert verified(chenu, 0)["entries_checked"] == "3"


@pytest.mark.parametrize(("auditor", "code"), [(True, 5), (False, 0)])
def test_what_was_never_told_is_looked_for_by_who_sees_all_of_the_tenant(
    chenu: Chenu, recording: Recording, state: Path, auditor: bool, code: int
) -> None:
    log = PlayedLog(0)
    log.leaves = [version("thread/1", one) for one in (1, 3)]
    log.hashes = [leaf_hash(leaf) for leaf in log.leaves]
    log.entries, log.of_tenant = [log.entry(0), log.entry(1)], auditor
    pin(state, log)
    log.play(recording)
    found = verified(chenu, code)
    assert len(found["warnings"]) == auditor
    assert any("not looked for: missing versions" in note for note in found["notes"]) != auditor
    # Of a log that was pruned the first versions may be gone.
    recording.answer("GetRetention", GetRetentionResponse(minimum_index=1))
    del log.entries[0]
    assert verified(chenu, 0)["entries_checked"] == "1"


def test_a_log_that_was_pruned_while_it_was_checked_is_to_be_checked_once_more(
    chenu: Chenu, recording: Recording, state: Path, log: PlayedLog
) -> None:
    pin(state, log)
    log.play(recording)
    begins = iter((0, 5))
    recording.answer("GetRetention", lambda _: GetRetentionResponse(minimum_index=next(begins)))
    result = chenu("audit", "verify")
    assert result.exit_code == 2
    assert "was pruned while it was checked: check once more" in result.stderr


def test_a_log_that_forgot_or_rewrote_what_was_verified_before_is_found_out(
    chenu: Chenu, recording: Recording, state: Path, log: PlayedLog
) -> None:
    pin(state, log)
    log.play(recording)
    verified(chenu, 0)
    log.play(recording, log.head(4))
    log.entries = log.entries[:1]
    assert "10 were verified here before" in verified(chenu, 1)["problems"][0]
    rewritten = PlayedLog(12)
    rewritten.private, rewritten.key = log.private, log.key
    rewritten.leaves[0] = b"rewritten"
    rewritten.hashes[0] = leaf_hash(b"rewritten")
    rewritten.entries = []
    rewritten.play(recording)
    (problem,) = verified(chenu, 1)["problems"]
    assert "the first 10 records are not those that were verified here before" in problem


def test_a_proof_is_checked_against_the_signed_log(
    chenu: Chenu, recording: Recording, state: Path
) -> None:
    log = PlayedLog(2)
    pin(state, log)
    log.play(recording)
    recording.answer("GetEntry", GetEntryResponse(entry=log.entry(0)))
    path = [log.hashes[1]]
    recording.answer("GetInclusionProof", GetInclusionProofResponse(path=path, tree_size=2))
    right = chenu("audit", "proof", "0")
    assert right.exit_code == 0
    assert "it is in the signed log of 2 records" in right.stdout
    path = [leaf_hash(b"another")]
    recording.answer("GetInclusionProof", GetInclusionProofResponse(path=path, tree_size=2))
    wrong = chenu("audit", "proof", "0")
    assert wrong.exit_code == 1
    assert "does not lead to the root" in wrong.stdout
