"""Whatever somebody writes into a file that is to be checked, the answer is a verdict."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cli.verification.evidence import verify_evidence
from cli.verification.export import verify_export
from cli.verification.folder import verify_folder
from cli.verification.keys import Keys
from cli.verification.verdict import Verdict
from kernel.receipts import TreeHead, leaf_hash, root_of
from services.audit.exports.lines import Jsonl, hashes_text
from services.audit.exports.manifest import canonical
from services.audit.folder import bundle_of
from services.audit.note import NoteSigner, sign_tree_head
from tests.unit.cli.evidence_log import export

SIGNER = NoteSigner("audit.test/log", Ed25519PrivateKey.generate())
AT = "2026-11-22T00:00:00Z"


def event(**changes: Any) -> dict[str, Any]:
    data = {"phase": "PHASE_INTENT", "stream": "s", "x": {"version": "1"}}
    named = {"source": "chenu/audit", "type": "chenu.audit.entries.pruned", "subject": "s"}
    return {**named, "time": AT, "data": data} | changes


HOSTILE: list[dict[str, Any]] = [
    event(time="2026-11-22T00:00+01"),
    event(data={"phase": "PHASE_INTENT", "stream": "s", "x": {"version": "1"}, "version": 1e999}),
    event(data={"details": {"minimum_index": 1e999}}),
]


def unsigned(data: bytes, changes: Mapping[str, Any], *without: str) -> bytes:
    """The export with another manifest that nobody has signed."""
    first, _, rest = data.partition(b"\n")
    manifest = json.loads(first)["manifest"] | changes
    for name in without:
        del manifest[name]
    return canonical({"manifest": manifest, "signatures": ""}).encode() + b"\n" + rest


def verified(path: Path, data: bytes) -> Verdict:
    path.write_bytes(data)
    return verify_export(path, Keys(), lambda *_: None)


@pytest.mark.parametrize(
    ("changes", "without"), [({"records": 1e999}, ()), ({"records": -1e999}, ()), ({}, ["filters"])]
)
def test_a_manifest_that_no_export_has_is_said_to_be_none(
    tmp_path: Path, changes: dict[str, Any], without: list[str]
) -> None:
    data = export(SIGNER, [event()])
    assert verified(tmp_path / "export", unsigned(data, {})).exit_code == 4
    (problem,) = verified(tmp_path / "export", unsigned(data, changes, *without)).problems
    assert "the manifest is not as an export writes it" in problem


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_record_of_values_that_none_has_ends_no_check(
    tmp_path: Path, hostile: dict[str, Any]
) -> None:
    events = [event(), hostile, event()]
    manifest = {"requester": {"sees": "tenant"}, "minimum_index": 0}
    data = unsigned(export(SIGNER, events), manifest)
    assert verified(tmp_path / "export", data).exit_code == 4
    leaves = [canonical(one).encode() for one in events]
    hashes = [leaf_hash(leaf) for leaf in leaves]
    head = TreeHead(SIGNER.name, 3, root_of(hashes))
    for name, content in {
        "checkpoint": sign_tree_head(head, [SIGNER]).encode(),
        "tile/0/000.p/3": b"".join(hashes),
        "tile/entries/000.p/3": bundle_of(leaves),
    }.items():
        path = tmp_path / "log" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    found = verify_folder(tmp_path / "log", Keys(), lambda *_: None)
    assert (found.problems, found.records) == ([], 3)


@pytest.mark.parametrize("leaf", [b"", b"\xff", b"[" * 60_000])
def test_evidence_with_a_record_that_is_no_event_is_wrong(tmp_path: Path, leaf: bytes) -> None:
    path, honest = tmp_path / "evidence", export(SIGNER, [event()])
    head = TreeHead(SIGNER.name, 1, leaf_hash(leaf))
    first, indexes, *_ = unsigned(honest, {"tree_head": sign_tree_head(head, [SIGNER])}).split(
        b"\n"
    )
    tile = canonical({"hashes": hashes_text(leaf_hash(leaf)), "tile": "0/0"}).encode()
    record = Jsonl().record(0, leaf, None)
    document = b'{"evidence":{"evidence_id":"x","version":"chenu.evidence.v1"}}'
    path.write_bytes(b"\n".join([document, first, indexes, tile, record]))
    (problem,) = verify_evidence(path, Keys(), (), lambda *_: None).problems
    assert "it is not written as an event is" in problem
