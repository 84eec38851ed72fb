"""The log's key can be changed, and whoever pinned any of them can follow to the newest."""

from pathlib import Path

import pytest

from kernel.receipts import (
    ReceiptInvalid,
    TreeHead,
    VerifierKey,
    open_tree_head,
    succession,
    successors,
)
from services.audit.keys import open_log_keys, retire, succeed, successions
from services.audit.note import sign_note, sign_tree_head

ORIGIN = "log.example/chenu"
HEAD = TreeHead(ORIGIN, 3, bytes(32))


@pytest.fixture
def private(tmp_path: Path) -> Path:
    return tmp_path / "own" / "log.pem"


@pytest.fixture
def public(tmp_path: Path) -> Path:
    (tmp_path / "public").mkdir()
    return tmp_path / "public" / "log.vkey"


def pinned(public: Path) -> list[VerifierKey]:
    return [VerifierKey.parse(line) for line in public.read_text().splitlines()]


def test_after_a_change_both_keys_sign_until_the_old_one_is_retired(
    private: Path, public: Path
) -> None:
    (first,) = open_log_keys(private, public, ORIGIN)
    second = succeed(private, public, ORIGIN)
    signers = open_log_keys(private, public, ORIGIN)
    assert [s.verifier_key for s in signers] == [second.verifier_key, first.verifier_key]
    note = sign_tree_head(HEAD, signers)
    for key in (first, second):
        assert open_tree_head(note, [key.verifier_key]) == HEAD
    assert pinned(public) == [first.verifier_key, second.verifier_key]
    assert len(retire(private)) == 1
    assert retire(private) == []
    (only,) = open_log_keys(private, public, ORIGIN)
    assert only.verifier_key == second.verifier_key


def test_who_pinned_any_key_follows_to_the_newest_and_nobody_follows_a_stranger(
    private: Path, public: Path, tmp_path: Path
) -> None:
    keys = [open_log_keys(private, public, ORIGIN)[0].verifier_key]
    for _ in range(3):
        keys.append(succeed(private, public, ORIGIN).verifier_key)
        retire(private)
    notes = successions(public)
    assert len(notes) == 3
    note = sign_tree_head(HEAD, open_log_keys(private, public, ORIGIN))
    for key in keys:
        assert open_tree_head(note, successors([key], notes)) == HEAD
    with pytest.raises(ReceiptInvalid):
        open_tree_head(note, [keys[0]])
    (tmp_path / "elsewhere").mkdir()
    (stranger,) = open_log_keys(tmp_path / "log.pem", tmp_path / "elsewhere" / "vkey", ORIGIN)
    forged = sign_note(succession(stranger.verifier_key), [stranger])
    assert successors([keys[0]], [forged]) == [keys[0]]
    assert successors([stranger.verifier_key], notes) == [stranger.verifier_key]
    # A tree head is no naming of a key, whoever signed it.
    assert successors([keys[-1]], [note]) == [keys[-1]]


def test_a_change_that_was_interrupted_goes_on_with_the_key_that_it_had_made(
    private: Path, public: Path
) -> None:
    open_log_keys(private, public, ORIGIN)
    names = ["log.successions", "log.vkey"]
    before = private.read_bytes()
    made = succeed(private, public, ORIGIN)
    # As if the power had gone before the last step: the old key is in place, the next one beside.
    private.rename(private.with_name("log.next.pem"))
    private.write_bytes(before)
    for path in private.parent.glob("*.retiring.*"):
        path.unlink()
    again = succeed(private, public, ORIGIN)
    assert again.verifier_key == made.verifier_key
    assert len(successions(public)) == 1
    assert pinned(public)[-1] == made.verifier_key
    assert all(public.with_name(name).exists() for name in names)
