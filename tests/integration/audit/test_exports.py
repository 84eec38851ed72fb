"""What leaves the log can be checked without it: to the byte, and the first bad record is named."""

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from chenu.audit.v1 import entry_service_pb2 as entry_pb
from chenu.audit.v1 import export_service_pb2 as pb
from chenu.audit.v1 import log_service_pb2 as log_pb
from chenu.audit.v1.export_pb2 import ExportFormat
from chenu.audit.v1.export_service_pb2_grpc import ExportServiceStub
from cli.verification.export import verify_export
from cli.verification.keys import Keys
from cli.verification.verdict import Malformed, Trust, Verdict
from kernel.errors import reason_of
from kernel.receipts import VerifierKey
from services.audit.exports.manifest import canonical, signed
from services.audit.note import NoteSigner
from tests.integration.audit.test_log import listed
from tests.support.identity import Person
from tests.support.source import an_event
from tests.support.waiting import soon

VERIFIABLE = ("jsonl", "cloudevents")
KINDS = [(form, whole) for form in VERIFIABLE for whole in (True, False)]
MINE = 300


async def exported(
    exports: ExportServiceStub, metadata: Any, form: str, **filters: Any
) -> tuple[bytes, pb.ExportEntriesResponse]:
    """The file, and the last piece that was streamed."""
    wanted = ExportFormat.Value(f"EXPORT_FORMAT_{form.upper()}")
    data, last = b"", pb.ExportEntriesResponse()
    request = pb.ExportEntriesRequest(format=wanted, **filters)
    async for last in exports.ExportEntries(request, metadata=metadata):
        data += last.data
    return data, last


@pytest.fixture(scope="module")
def owner() -> Person:
    return Person(roles=("owner",))


@pytest.fixture(scope="module")
async def log_key(log) -> VerifierKey:
    answer = await log.GetLogKey(log_pb.GetLogKeyRequest())
    return VerifierKey.parse(answer.verifier_key)


@pytest.fixture(scope="module")
async def files(
    exports, entries, identity, owner, source, service
) -> dict[tuple[str, bool], bytes]:
    """Each verifiable form, whole and filtered, of one log among whose records are 300 of ours."""
    others = [an_event(Person(), sphere="business") for _ in range(40)]
    mine = [an_event(owner, sphere="personal" if n % 3 else "social") for n in range(MINE)]
    mixed = mine + others
    random.Random(6962).shuffle(mixed)
    for start in range(0, len(mixed), 100):
        bundle = source.bundle(mixed[start : start + 100])
        await service.messaging.publish_bundle(source.service, 10**15 + start, 1, bundle)
    await listed(entries, identity, owner, MINE)
    me = identity.as_human(owner)
    found = {}
    for form, whole in KINDS:
        filters = {} if whole else {"sphere": "social"}
        found[form, whole] = (await exported(exports, me, form, **filters))[0]
    return found


Check = Callable[..., Verdict]


@pytest.fixture(scope="module")
def check(tmp_path_factory: pytest.TempPathFactory, log_key: VerifierKey) -> Check:
    folder = tmp_path_factory.mktemp("exports")

    def check(data: bytes, *keys: VerifierKey, pinned: bool = True) -> Verdict:
        path: Path = folder / "export"
        path.write_bytes(data)
        return verify_export(path, Keys(keys or ([log_key] if pinned else [])), lambda *_: None)

    return check


def lines_of(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True)


def places(data: bytes, form: str, whole: bool) -> list[tuple[int, int]]:
    """(line, index) of each record."""
    manifest = json.loads(lines_of(data)[0])
    manifest = (manifest if form == "jsonl" else manifest["data"])["manifest"]
    at = [n for n, line in enumerate(lines_of(data)) if b'"chenu/threads"' in line
          or b'"chenu/audit","specversion"' in line]  # fmt: skip
    indexes = []
    for line in lines_of(data):
        document = json.loads(line)
        document = document.get("data", document)
        if "indexes" in document and "manifest" not in document:
            for part in document["indexes"].split(","):
                first, _, last = part.partition("-")
                indexes += range(int(first), int(last or first) + 1)
    assert len(at) == len(indexes) == manifest["records"]
    return list(zip(at, indexes, strict=True))


@pytest.mark.parametrize(("form", "whole"), KINDS)
def test_an_export_is_verified_by_the_pinned_key_and_only_then(
    files, check: Check, log_key: VerifierKey, form: str, whole: bool
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
def test_an_export_that_nobody_signed_is_only_consistent(files, check: Check, whole: bool) -> None:
    first, *rest = lines_of(files["jsonl", whole])
    unsigned = json.loads(first) | {"signatures": ""}
    data = f"{canonical(unsigned)}\n".encode() + b"".join(rest)
    found = check(data, pinned=False)
    assert (found.problems, found.trust, found.exit_code) == ([], Trust.NONE, 4)
    assert check(data).exit_code == 1


@pytest.mark.parametrize(("form", "whole"), KINDS)
@settings(max_examples=60)
@given(place=st.integers(0, 10**9), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found(
    files, check: Check, form: str, whole: bool, place: int, bit: int
) -> None:
    honest = files[form, whole]
    at = place % len(honest)  # how long a file is differs from run to run
    changed = bytearray(honest)
    changed[at] ^= 1 << bit
    try:
        assert check(bytes(changed)).problems
    except Malformed:
        assert at < len(lines_of(honest)[0])  # the manifest itself is no JSON any more


@pytest.mark.parametrize(("form", "whole"), KINDS)
def test_a_flipped_bit_where_a_line_begins_or_ends_is_found(
    files, check: Check, form: str, whole: bool
) -> None:
    honest, begin = files[form, whole], 0
    for number, line in enumerate(lines_of(honest)[:8]):
        for at in (*range(begin, begin + 3), *range(begin + len(line) - 5, begin + len(line))):
            changed = bytearray(honest)
            changed[at] ^= 1 << at % 7
            try:
                assert check(bytes(changed)).problems, f"byte {at} of line {number}"
            except Malformed:
                assert number == 0
        begin += len(line)


@pytest.mark.parametrize(("form", "whole"), KINDS)
@settings(max_examples=40)
@given(data=st.data())
def test_a_record_that_was_changed_removed_or_moved_is_named(
    files, check: Check, form: str, whole: bool, data
) -> None:
    honest = files[form, whole]
    known = places(honest, form, whole)
    lines = lines_of(honest)
    nth = data.draw(st.integers(0, len(known) - 2))
    line, index = known[nth]
    changed = [*lines]
    kind = data.draw(st.sampled_from(["edit", "remove", "twice", "swap", "cut"]))
    match kind:
        case "edit":
            changed[line] = lines[line].replace(b'"outcome":"OK"', b'"outcome":"NO"')
        case "remove":
            del changed[line]
        case "twice":
            changed.insert(line, lines[line])
        case "swap":
            other = known[nth + 1][0]
            changed[line], changed[other] = lines[other], lines[line]
        case "cut":
            del changed[line:]
    found = check(b"".join(changed))
    if kind == "twice":  # where the next record belongs, or the tile before it
        assert found.first_bad in {known[nth + 1][1], (index // 256 + 1) * 256}
    else:
        assert found.first_bad == index
    assert len(found.problems) == 1


def test_what_is_appended_is_found(files, check: Check) -> None:
    for (form, whole), honest in files.items():
        line, index = places(honest, form, whole)[-1]
        found = check(honest + lines_of(honest)[line])
        assert "goes on where the export ends" in found.problems[0]
        assert found.first_bad == index


def test_a_record_that_is_exchanged_with_its_hash_is_found_by_the_root(files, check: Check) -> None:
    first, *_ = lines_of(files["jsonl", True])
    manifest = json.loads(first)["manifest"]
    signer = NoteSigner("audit.chenu.local/log", Ed25519PrivateKey.generate())
    # Whoever signs anew is found by the pinned key, and without one by nothing: hence exit code 3.
    forged = manifest | {"key": str(signer.verifier_key)}
    data = f"{signed(forged, [signer])}\n".encode() + b"".join(lines_of(files["jsonl", True])[1:])
    assert check(data).exit_code == 1
    assert "the tree head is not signed" in check(data, pinned=False).problems[0]


async def test_an_auditor_exports_the_tenant_and_a_member_the_identity(
    exports, entries, identity, source, service
) -> None:
    auditor = Person()
    member = Person(tenant=auditor.tenant, roles=())
    bundle = source.bundle([an_event(auditor), an_event(member)])
    await service.messaging.publish_bundle(source.service, 2 * 10**15, 1, bundle)
    await listed(entries, identity, auditor, 2)
    counts = []
    for person in (auditor, member, Person()):
        _, last = await exported(exports, identity.as_human(person), "jsonl", sphere="personal")
        counts.append(last.total_size)
    assert counts == [2, 1, 0]


async def test_an_export_without_any_record_is_verified_too(
    exports, identity, check: Check
) -> None:
    for form in VERIFIABLE:
        for filters in ({}, {"resource": "thread/none"}):
            stranger = identity.as_human(Person(roles=()))
            data, last = await exported(exports, stranger, form, **filters)
            assert (last.total_size, check(data).exit_code) == (0, 0)


async def test_a_filter_chooses_as_it_does_in_a_list(
    files, exports, identity, owner, check: Check
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


async def test_an_export_is_itself_on_record(exports, entries, identity, source, service) -> None:
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


def test_the_same_leaves_come_out_of_both_forms(files) -> None:
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
    *, exports, entries, identity, source, service, log_key: VerifierKey, tmp_path: Path
) -> None:
    person, stream = Person(), f"thread/{uuid4()}"
    events = [an_event(person, stream=stream, version=str(n)) for n in (1, 3)]
    await service.messaging.publish_bundle(source.service, uuid4().int, 1, source.bundle(events))
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
