"""Evidence: whatever was changed in it is found, and the first thing wrong is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.verification.evidence import verify_evidence
from cli.verification.keys import Keys
from cli.verification.verdict import Malformed, Verdict
from kernel.context import background
from kernel.tokens import SigningKey
from services.governance import audit_events
from tests.unit.cli.evidence_lies import LIES, Lie
from tests.unit.cli.evidence_samples import Story

Path_: TypeAlias = tuple[str | int, ...]
# What rests on the word of whoever exports it, though not of whoever has the file: see
# docs/evidence.md. Facts of decisions that no person was asked about; an empty comment.
ON_ITS_WORD = {
    *("warnings", "create_time", "resolve_time", "report_time", "valid_until", "execute_by"),
    *("expire_time", "type", "comment"),
    *("facts.tenant", "facts.actor", "facts.requires_checkpoint", "facts.time"),
    *("facts.identities", "facts.built_in"),
}


@pytest.fixture
def story() -> Story:
    return Story()


@pytest.fixture(scope="module")
def told() -> Story:
    """One for many examples, to be left as it is."""
    return Story()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("evidence")


def checked(folder: Path, data: bytes, story: Story, *pinned: Any) -> Verdict:
    path = folder / "evidence"
    path.write_bytes(data)
    return verify_evidence(path, Keys([story.log.verifier_key]), pinned, lambda *_: None)


def wrong(folder: Path, data: bytes, story: Story, *pinned: Any) -> str:
    """The first thing that is wrong; empty where nothing is."""
    try:
        return "".join(checked(folder, data, story, *pinned).problems)
    except Malformed as problem:
        return str(problem)


@pytest.mark.parametrize("whole", [True, False])
def test_what_happened_is_proved_with_or_without_its_texts(
    story: Story, tmp_path: Path, whole: bool
) -> None:
    keys = (story.permits.jwk, story.tokens.jwk)
    verdict = checked(tmp_path, story.file(whole=whole), story, *keys)

    assert (verdict.problems, verdict.exit_code) == ([], 0)
    assert [note.partition(": ")[2] for note in verdict.notes if note.startswith("decision/")] == [
        "thread.delete, approved, execution succeeded",
        "thread.delete, allow, execution succeeded",
        "thread.delete, rejected, not executed",
    ]
    assert any("redacted" in note for note in verdict.notes) is not whole
    told = (
        "checkpoint by the rule destructive_action, where true:"
        " What cannot be brought back is deleted only after a person has agreed."
    )
    assert any(note.endswith(told) for note in verdict.notes) is whole
    assert any("not proved: that a voter held a role" in note for note in verdict.notes)
    assert ("le projet est clos" in story.file(whole=whole).decode()) is whole


def test_a_whole_file_may_be_redacted_by_whoever_has_it(story: Story, tmp_path: Path) -> None:
    document, _, rest = story.file().partition(b"\n")
    _, _, records = rest.partition(b"\n")
    assert checked(tmp_path, b"%b\n%b" % (document, records), story).exit_code == 0


@settings(max_examples=50)
@given(at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_changed_byte_is_found(told: Story, folder: Path, at: float, bit: int) -> None:
    data = bytearray(told.file())
    data[int(at * len(data))] ^= 1 << bit
    assert wrong(folder, bytes(data), told)


@settings(max_examples=25)
@given(at=st.floats(0, 1, exclude_max=True))
def test_a_file_that_was_cut_is_found(told: Story, folder: Path, at: float) -> None:
    data = told.file()
    assert wrong(folder, data[: int(at * len(data))], told)


def test_a_document_that_the_log_does_not_name_is_found(story: Story, tmp_path: Path) -> None:
    story.file()
    story.said["decisions"][0]["warnings"] = ["x"]
    assert "the log names another document" in wrong(tmp_path, story.file(named=False), story)


def leaves(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """The places of all values that hold no other."""
    if isinstance(value, dict):
        for name in value:
            yield from leaves(value[name], (*path, name))
    elif isinstance(value, list) and value:
        for index, one in enumerate(value):
            yield from leaves(one, (*path, index))
    else:
        yield path


def changed(document: Any, path: Path_) -> Any:
    """The document with another value at one place."""
    whole = deepcopy(document)
    place = whole
    for step in path[:-1]:
        place = place[step]
    old = place[path[-1]]
    place[path[-1]] = _another(old)
    return whole


def _another(old: Any) -> Any:
    if isinstance(old, bool):
        return not old
    if isinstance(old, int):
        return old + 1
    return ["x"] if isinstance(old, list) else f"{old or ''}x"


def test_nearly_any_changed_field_is_found_even_where_the_log_names_the_changed_document(
    told: Story, folder: Path
) -> None:
    document, unnoticed = told.said, set()
    try:
        for path in leaves({**document, "decisions": document["decisions"][:2]}):
            told.said = changed(document, path)
            if not wrong(folder, told.file(), told):
                unnoticed.add(path)
    finally:
        told.said = document
        told.file()
    for path in unnoticed:
        assert {str(path[-1]), ".".join(map(str, path[-2:]))} & ON_ITS_WORD, path


@pytest.mark.parametrize(("lie", "named"), LIES)
def test_a_lie_that_the_log_was_made_to_sign_is_named(
    story: Story, tmp_path: Path, lie: Lie, named: str
) -> None:
    lie(story, story.said["decisions"][0])
    assert named in wrong(tmp_path, story.file(), story)


def test_an_end_that_nobody_knew_and_a_person_found_out_is_proved(
    story: Story, tmp_path: Path
) -> None:
    decision = story.said["decisions"][1]
    decision["execution"] |= {"state": "failed", "reason": "RECONCILED"}
    story.details("decision.executed", 1).update(state="UNKNOWN", cause="OVERDUE")
    with background("reconcile", story.ada):
        settled = audit_events.decision_reconciled(story.ada, decision, "failed")
    story.events.insert(-1, json.loads(settled.bytes))

    assert wrong(tmp_path, story.file(), story) == ""
    told = {**decision, "tenant": story.ada.tenant, "identity": story.ada.identity}
    with background("report", story.ada):
        other = audit_events.decision_contradicted(told, "succeeded")
    story.events.insert(-1, json.loads(other.bytes))
    notes = checked(tmp_path, story.file(), story).notes
    assert any(note.endswith("says succeeded, against a person's word") for note in notes)
    decision["execution"]["reason"] = "OK"
    assert "the log says cause 'RECONCILED'" in wrong(tmp_path, story.file(), story)


def test_keys_of_permits_and_tokens_may_be_pinned_too(story: Story, tmp_path: Path) -> None:
    other = SigningKey(Ed25519PrivateKey.generate())
    found = wrong(tmp_path, story.file(), story, story.permits.jwk, other.jwk)
    assert "signed by a key that is not pinned" in found


@pytest.mark.parametrize(
    "data", [b"", b"{}\n", b'{"manifest":{}}\n', b'{"evidence":{"version":"chenu.evidence.v2"}}\n']
)
def test_what_is_no_evidence_is_said_to_be_none(story: Story, tmp_path: Path, data: bytes) -> None:
    manifest = story.file(whole=False).partition(b"\n")[2]
    with pytest.raises(Malformed):
        checked(tmp_path, data + manifest if b"v2" in data else data, story)


def test_a_log_by_another_key_proves_nothing(story: Story, tmp_path: Path) -> None:
    assert "not signed by the pinned key" in wrong(tmp_path, story.file(), Story())
    path = tmp_path / "evidence"
    verdict = verify_evidence(path, Keys(), (), lambda *_: None)
    assert (verdict.exit_code, verdict.problems) == (3, [])
