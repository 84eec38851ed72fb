"""Exports for other programs and people say that they are no proof, and are safe to open."""

import csv
import io
import json
from pathlib import Path

import pytest

from chenu.audit.v1.entry_service_pb2_grpc import EntryServiceStub
from chenu.audit.v1.export_service_pb2_grpc import ExportServiceStub
from cli.verification.export import verify_export
from cli.verification.keys import Keys
from cli.verification.verdict import Malformed
from tests.integration.audit.exports import exported
from tests.integration.audit.listing import Publish, listed
from tests.support.identity import Person, StandInIdentity
from tests.support.source import StandInSource, an_event


@pytest.fixture
async def written(
    entries: EntryServiceStub,
    identity: StandInIdentity,
    source: StandInSource,
    publish: Publish,
) -> Person:
    """Somebody with one record that went well, and one that a spreadsheet might calculate."""
    person = Person(roles=())
    events = [
        an_event(person, subject="thread/1"),
        an_event(person, subject="=1+1", outcome="NOT_FOUND", reason="@SUM(A1)"),
    ]
    await publish(source.bundle(events))
    await listed(entries, identity, person, 2)
    return person


async def test_csv_begins_with_the_manifest_and_holds_no_formula(
    written: Person, exports: ExportServiceStub, identity: StandInIdentity
) -> None:
    me = identity.as_human(written)
    data, last = await exported(exports, me, "csv", sphere="personal")
    first, head, *rows = csv.reader(io.StringIO(data.decode()))
    manifest = json.loads(first[1])["manifest"]
    assert (manifest["records"], manifest["format"]) == (2, "csv")
    assert last.total_size == len(rows) == 2
    assert [row[head.index("subject")] for row in rows] == ["thread/1", "'=1+1"]
    assert rows[1][head.index("reason")] == "'@SUM(A1)"


async def test_ocsf_begins_with_the_manifest_and_tells_what_went_wrong(
    written: Person, exports: ExportServiceStub, identity: StandInIdentity
) -> None:
    data, _ = await exported(exports, identity.as_human(written), "ocsf", sphere="personal")
    manifest, good, bad = map(json.loads, data.splitlines())
    assert manifest["manifest"]["format"] == "ocsf"
    assert (good["class_uid"], good["type_uid"], good["status"]) == (6003, 600301, "Success")
    assert (bad["status"], bad["status_code"]) == ("Failure", "NOT_FOUND")
    assert good["unmapped"]["event"]["subject"] == "thread/1"


async def test_neither_is_taken_for_proof(
    written: Person, exports: ExportServiceStub, identity: StandInIdentity, tmp_path: Path
) -> None:
    for form in ("csv", "ocsf"):
        data, _ = await exported(exports, identity.as_human(written), form)
        (tmp_path / form).write_bytes(data)
        with pytest.raises(Malformed, match="not made to be verified"):
            verify_export(tmp_path / form, Keys(), lambda *_: None)


@pytest.mark.parametrize("data", [b"", b"\n", b"{}\n", b"[]\n", b"\xff\n", b'{"manifest":1}\n'])
def test_what_is_no_export_is_said_to_be_none(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(Malformed, match="no export"):
        verify_export(tmp_path / "file", Keys(), lambda *_: None)
