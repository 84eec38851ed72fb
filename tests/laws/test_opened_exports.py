"""An auditor's export with sealed content opened: it shows what records say, and proves it."""

from pathlib import Path
from typing import Any

import grpc
import pytest

from chenu.audit.v1.export_pb2 import ExportFormat
from chenu.audit.v1.export_service_pb2 import ExportEntriesRequest
from chenu.audit.v1.export_service_pb2_grpc import ExportServiceStub
from chenu.audit.v1.retention_service_pb2 import EraseSubjectRequest
from chenu.audit.v1.retention_service_pb2_grpc import RetentionServiceStub
from cli.problems import OK
from cli.verification.export import verify_export
from cli.verification.keys import Keys
from cli.verification.verdict import Verdict
from kernel.receipts import VerifierKey
from tests.laws import log
from tests.laws.hands import Hands
from tests.laws.reviewing import join
from tests.laws.stories import reason
from tests.support.fleet import Client, Fleet

FORMS = {
    "jsonl": ExportFormat.EXPORT_FORMAT_JSONL,
    "cloudevents": ExportFormat.EXPORT_FORMAT_CLOUDEVENTS,
}


async def export(me: Client, form: str, **fields: Any) -> bytes:
    stub = ExportServiceStub(me.fleet.channel("audit"))
    request = ExportEntriesRequest(format=FORMS[form], open_sealed=True, **fields)
    return b"".join([p.data async for p in stub.ExportEntries(request, metadata=me.me)])


def verified(data: bytes, folder: Path, hands: Hands) -> Verdict:
    file = folder / "export"
    file.write_bytes(data)
    pin = VerifierKey.parse((hands.keys / "log.vkey").read_text().split()[0])
    return verify_export(file, Keys([pin]), lambda *_: None)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("filters", [{}, {"filter": "type = chenu.identity.user.registered"}])
async def test_an_opened_export_shows_what_records_say_and_proves_that_they_say_it(
    fleet: Fleet, hands: Hands, superuser: Any, tmp_path: Path, form: str, filters: Any
) -> None:
    me = await fleet.register()
    email = me.session.session.user.email
    await log.all_logged(superuser)
    data = await export(me, form, **filters)
    assert data.count(email.encode()) == 1
    verdict = verified(data, tmp_path, hands)
    assert verdict.exit_code == OK, verdict.problems
    assert any(note.startswith("opened: ") for note in verdict.notes)
    # Another e-mail in its place, or the whole line gone, and the record is named.
    index = next(
        int(line.partition(b'"index":')[2].partition(b",")[0])
        for line in data.split(b"\n")
        if email.encode() in line
    )
    other = f"x{email[1:]}" if email[0] != "x" else f"y{email[1:]}"
    lines = data.splitlines(keepends=True)
    without = b"".join(line for line in lines if email.encode() not in line)
    for altered in (data.replace(email.encode(), other.encode()), without):
        found = verified(altered, tmp_path, hands)
        assert found.problems
        assert found.first_bad == index


async def test_what_was_erased_is_opened_no_more_and_the_rest_still_verifies(
    fleet: Fleet, hands: Hands, superuser: Any, tmp_path: Path
) -> None:
    me = await fleet.register()
    boss = await join(me, "owner", "auditor")
    user = me.session.session.user
    await log.all_logged(superuser)
    assert user.email.encode() in await export(boss, "jsonl")
    erase = EraseSubjectRequest(person_id=user.user_id, rule="gdpr-17")
    await RetentionServiceStub(fleet.channel("audit")).EraseSubject(erase, metadata=boss.me)
    data = await export(boss, "jsonl")
    assert user.email.encode() not in data
    assert b'"opened":null' in data
    assert boss.session.session.user.email.encode() in data
    assert verified(data, tmp_path, hands).exit_code == OK


async def test_only_auditors_export_opened_content_in_forms_that_verify(
    fleet: Fleet, superuser: Any
) -> None:
    me = await fleet.register()
    member = await join(me)
    stub = ExportServiceStub(fleet.channel("audit"))

    async def asked(who: Client, form: ExportFormat) -> None:
        request = ExportEntriesRequest(format=form, open_sealed=True)
        async for _ in stub.ExportEntries(request, metadata=who.me):
            pass

    refused = await reason(asked(member, ExportFormat.EXPORT_FORMAT_JSONL))
    assert refused == (grpc.StatusCode.PERMISSION_DENIED.name, "ROLE_REQUIRED")
    flat = await reason(asked(me, ExportFormat.EXPORT_FORMAT_CSV))
    assert flat[0] == grpc.StatusCode.INVALID_ARGUMENT.name
    assert await export(me, "jsonl")
    told = (
        "SELECT count(*) FROM audit.outbox WHERE convert_from(event, 'UTF8')"
        ' ~ (\'"opened":"true".*\' || $1)'
    )
    assert await superuser.fetchval(told, me.session.session.user.tenant_id) == 1
