"""What leaves the log can be checked without it, by whoever has the key, and only by that key."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chenu.audit.v1 import entry_service_pb2 as entry_pb
from chenu.audit.v1.entry_service_pb2_grpc import EntryServiceStub
from chenu.audit.v1.export_service_pb2_grpc import ExportServiceStub
from cli.verification.export import verify_export
from cli.verification.keys import Keys
from cli.verification.verdict import Trust
from kernel.errors import reason_of
from kernel.receipts import VerifierKey
from kernel.service import Service
from services.audit.exports.manifest import canonical
from services.audit.note import NoteSigner
from services.audit.settings import AuditSettings
from tests.integration.audit.exports import KINDS, MINE, VERIFIABLE, Check, exported, lines_of
from tests.integration.audit.listing import Publish, listed
from tests.support.identity import Person, StandInIdentity
from tests.support.source import StandInSource, an_event
from tests.support.waiting import soon


@pytest.mark.parametrize(("form", "whole"), KINDS)
def test_an_export_is_verified_by_the_pinned_key_and_only_then(
    files: dict[tuple[str, bool], bytes], check: Check, log_key: VerifierKey, form: str, whole: bool
) -> None:
    data = files[form, whole]
    found = check(data)
    assert found.problems == []
    assert (found.trust, found.exit_code, found.key) == (Trust.PINNED, 0, str(log_key))
    assert found.records >= MINE if whole else found.records == MINE // 3
    assert found.hashes == (found.size if whole else 0)
    embedded = check(data, pinned=False)
    assert (embedded.problems, embedded.trust, embedded.exit_code) == ([], Trust.EMBEDDED, 3)
    stranger = NoteSigner(log_key.name, Ed25519PrivateKey.generate()).verifier_key
    assert "the manifest is not signed by the pinned key" in check(data, stranger).problems[0]


@pytest.mark.parametrize("whole", [True, False])
def test_an_export_that_nobody_signed_is_only_consistent(
    files: dict[tuple[str, bool], bytes], check: Check, whole: bool
) -> None:
    first, *rest = lines_of(files["jsonl", whole])
    unsigned = json.loads(first) | {"signatures": ""}
    data = f"{canonical(unsigned)}\n".encode() + b"".join(rest)
    found = check(data, pinned=False)
    assert (found.problems, found.trust, found.exit_code) == ([], Trust.NONE, 4)
    assert check(data).exit_code == 1


async def test_an_auditor_exports_the_tenant_and_a_member_the_identity(
    exports: ExportServiceStub,
    entries: EntryServiceStub,
    identity: StandInIdentity,
    source: StandInSource,
    publish: Publish,
) -> None:
    auditor = Person()
    member = Person(tenant=auditor.tenant, roles=())
    bundle = source.bundle([an_event(auditor), an_event(member)])
    await publish(bundle)
    await listed(entries, identity, auditor, 2)
    counts = []
    for person in (auditor, member, Person()):
        _, last = await exported(exports, identity.as_human(person), "jsonl", sphere="personal")
        counts.append(last.total_size)
    assert counts == [2, 1, 0]


async def test_an_export_without_any_record_is_verified_too(
    exports: ExportServiceStub, identity: StandInIdentity, check: Check
) -> None:
    for form in VERIFIABLE:
        for filters in ({}, {"resource": "thread/none"}):
            stranger = identity.as_human(Person(roles=()))
            data, last = await exported(exports, stranger, form, **filters)
            assert (last.total_size, check(data).exit_code) == (0, 0)


async def test_a_filter_chooses_as_it_does_in_a_list(
    files: dict[tuple[str, bool], bytes],
    exports: ExportServiceStub,
    identity: StandInIdentity,
    owner: Person,
    check: Check,
) -> None:
    me = identity.as_human(owner)
    wanted = "sphere = social AND source = chenu/threads"
    data, last = await exported(exports, me, "jsonl", filter=wanted)
    assert last.total_size == MINE // 3
    found = check(data)
    assert (found.problems, found.records) == ([], MINE // 3)
    assert f"filters: {canonical({'filter': wanted})}" in found.notes
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await exported(exports, me, "jsonl", filter="sphere ==")
    assert reason_of(refused.value) == "INVALID_FILTER"


async def test_an_export_is_itself_on_record(
    exports: ExportServiceStub,
    entries: EntryServiceStub,
    identity: StandInIdentity,
    source: StandInSource,
    service: Service[AuditSettings],
) -> None:
    person = Person()
    me = identity.as_human(person)
    data, _ = await exported(exports, me, "jsonl", sphere="social")
    manifest = json.loads(lines_of(data)[0])["manifest"]
    about = entry_pb.ListEntriesRequest(resource=f"export/{manifest['export']}")

    async def recorded() -> Any:
        return (await entries.ListEntries(about, metadata=me)).entries

    (entry,) = await soon(recorded, "the export is on record")
    assert entry.event.type == "chenu.audit.entries.exported"
    assert entry.event.data.details["indexes"] == manifest["indexes"]


def test_the_same_leaves_come_out_of_both_forms(files: dict[tuple[str, bool], bytes]) -> None:
    def leaves(form: str, whole: bool) -> Sequence[Any]:
        found = []
        for line in lines_of(files[form, whole]):
            document = json.loads(line)
            record = document.get("record", document)
            if record.get("source") == "chenu/threads":
                found.append(record)
        return found

    for whole in (True, False):
        assert leaves("jsonl", whole) == leaves("cloudevents", whole) != []


async def test_a_whole_export_says_which_versions_its_tenant_never_told(
    *,
    exports: ExportServiceStub,
    entries: EntryServiceStub,
    identity: StandInIdentity,
    source: StandInSource,
    publish: Publish,
    log_key: VerifierKey,
    tmp_path: Path,
) -> None:
    person, stream = Person(), f"thread/{uuid4()}"
    events = [an_event(person, stream=stream, version=str(n)) for n in (1, 3)]
    await publish(source.bundle(events))
    await listed(entries, identity, person, 2)
    member = Person(person.person, person.tenant, person.identity, roles=())
    file = tmp_path / "export"
    for who, filters, code in ((person, {}, 5), (member, {}, 0), (person, {"stream": stream}, 0)):
        data, _ = await exported(exports, identity.as_human(who), "jsonl", **filters)
        file.write_bytes(data)
        found = verify_export(file, Keys([log_key]), lambda *_: None)
        assert (found.problems, found.exit_code) == ([], code)
        assert len(found.warnings) == (code == 5)
        assert any("not looked for: missing versions" in note for note in found.notes) == (not code)
