"""Checking evidence of an action with nothing but the file and a key: docs/evidence.md.

First the log's own export in it, then that the log names the document, then what the document
says: of each decision every step again, from the records and the signatures.
"""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from chenu_gate.canonical_json import digest, read, write
from chenu_gate.refusal import ActionRefused
from cli.verification.evidence_decision import check_decision
from cli.verification.evidence_records import Record, Records
from cli.verification.evidence_rules import Rules
from cli.verification.evidence_texts import Texts
from cli.verification.export import check_export
from cli.verification.keys import Keys
from cli.verification.signatures import Signatures
from cli.verification.verdict import Malformed, Progress, Tampered, Verdict

VERSION: Final = "chenu.evidence.v1"
_HEAD: Final = b'{"evidence":'
_TEXTS: Final = b'{"texts":'
_LARGEST: Final = 256 << 20
_NOT_PROVED: Final = (
    "not proved: that a voter held a role and was still entitled; it is identity's word of then",
    "not proved: that the effect is as its executor recorded it",
    "not proved: times of rows, and warnings; they are governance's word when it exported this",
)


def verify_evidence(
    path: Path, keys: Keys, pinned: Sequence[dict[str, Any]], tell: Progress
) -> Verdict:
    """Check a file; Malformed where it is none. `pinned` are JWKs of permits and vote tokens.

    The verdict names the first thing that is wrong.
    """
    verdict = Verdict("evidence")
    parts = _split(path)
    try:
        _check(parts, keys, Signatures(pinned, verdict.notes), verdict, tell)
    except Tampered as problem:
        verdict.add(problem)
    return verdict


def _check(
    parts: tuple[bytes, bytes, bytes],
    keys: Keys,
    signatures: Signatures,
    verdict: Verdict,
    tell: Progress,
) -> None:
    (document, texts, records), seen = parts, Records()
    check_export(BytesIO(records), keys, verdict, tell, seen.add)
    said = _canonical(document, "the document")
    if said.get("version") != VERSION:
        raise Malformed("evidence of another version than this command knows")
    try:
        exported = seen.one("evidence.exported", f"evidence/{said['evidence_id']}")
        if exported.details.get("document") != digest(document):
            raise exported.wrong("the log names another document than this one")
        _check_asked(said, exported)
        opened = Texts(_canonical(texts, "the texts") if texts else None, verdict.notes)
        rules = Rules(opened)
        for decision in said["decisions"]:
            check_decision(decision, seen, signatures, opened, rules, verdict.notes)
        opened.end()
        verdict.notes += (signatures.told(), *_NOT_PROVED)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        words = f"{type(error).__name__}: {error}"
        raise Tampered(None, f"it is not as evidence is written ({words})") from None
    if not texts:
        verdict.notes.append("redacted: of what people wrote there are digests alone")


def _check_asked(said: dict[str, Any], exported: Record) -> None:
    """Who asked for it, and of what."""
    requester = said["requester"]
    asker = {
        "tenant": exported.event["tenant"],
        "identity_id": exported.event["identity"],
        "person_id": exported.actor["person"],
    }
    if requester != asker:
        raise exported.wrong("somebody else asked for this evidence")
    subjects = set()
    for one in said["decisions"]:
        subjects |= {f"decision/{one['decision_id']}", f"run/{one['run_id']}"}
        if one["checkpoint"] is not None:
            subjects.add(f"checkpoint/{one['checkpoint']['checkpoint_id']}")
    if said["subject"] not in subjects:
        raise Tampered(None, f"nothing in it is about {said['subject']}")


def _split(path: Path) -> tuple[bytes, bytes, bytes]:
    """The document, the texts (empty where they were left out) and the log's export."""
    with path.open("rb") as file:
        data = file.read(_LARGEST + 1)
    first, _, rest = data.partition(b"\n")
    if not (first.startswith(_HEAD) and first.endswith(b"}")) or len(data) > _LARGEST:
        raise Malformed("this is no evidence: its first line is none")
    texts = b""
    if rest.startswith(_TEXTS):
        line, _, rest = rest.partition(b"\n")
        texts = line[len(_TEXTS) : -1] if line.endswith(b"}") else b"cut"
    return first[len(_HEAD) : -1], texts, rest


def _canonical(data: bytes, what: str) -> Any:
    """What the bytes say, which is written in one way only."""
    try:
        said = read(data, _LARGEST)
        same = write(said) == data
    except ActionRefused as refused:
        raise Tampered(None, f"{what} cannot be read: {refused}") from None
    if not same:
        raise Tampered(None, f"{what} is not written as evidence is")
    return said
