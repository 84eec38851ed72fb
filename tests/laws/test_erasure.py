"""A person is erased from the log: nothing of them can be read anywhere, and every proof holds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest

from chenu.audit.v1 import entry_service_pb2 as entry_pb
from chenu.audit.v1 import retention_service_pb2 as messages
from chenu.audit.v1.entry_pb2 import PersonalState
from chenu.audit.v1.entry_service_pb2_grpc import EntryServiceStub
from chenu.audit.v1.export_pb2 import ExportFormat
from chenu.audit.v1.export_service_pb2 import ExportEntriesRequest
from chenu.audit.v1.export_service_pb2_grpc import ExportServiceStub
from chenu.audit.v1.retention_service_pb2_grpc import RetentionServiceStub
from chenu.identity.v1.auth_service_pb2 import LoginRequest
from chenu.identity.v1.auth_service_pb2_grpc import AuthServiceStub
from deploy.postgres.roles import SERVICES
from tests.laws import log
from tests.laws.hands import Hands
from tests.laws.stories import reason, soon
from tests.support.fleet import PASSWORD, Client, Fleet

READABLE = PersonalState.PERSONAL_STATE_READABLE
ERASED = PersonalState.PERSONAL_STATE_ERASED
# The account itself is identity's, and goes by other ways than the log.
ACCOUNTS = {"identity.user_profiles"}


async def personal(me: Client, type_: str) -> Any:
    """The entry of a kind that says something personal, opened."""
    stub = EntryServiceStub(me.fleet.channel("audit"))
    wanted = entry_pb.ListEntriesRequest(filter=f"type = {type_}")

    async def found() -> Any:
        return (await stub.ListEntries(wanted, metadata=me.me)).entries

    listed = await soon(found, f"{type_} is in the log")
    request = entry_pb.GetEntryRequest(index=listed[0].index)
    return (await stub.GetEntry(request, metadata=me.me)).entry


async def tables_that_hold(superuser: Any, text: str) -> set[str]:
    """Every table of every service in which the text can be found, also inside of bytes."""
    found = set()
    pattern = f"{text}|{text.encode().hex()}"
    for service in SERVICES:
        for row in await superuser.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = $1", service
        ):
            name = f"{service}.{row['tablename']}"
            sql = f"SELECT EXISTS (SELECT FROM {name} t WHERE t::text ~ $1)"
            if await superuser.fetchval(sql, pattern):
                found.add(name)
    return found


async def export(me: Client) -> bytes:
    stub = ExportServiceStub(me.fleet.channel("audit"))
    request = ExportEntriesRequest(format=ExportFormat.EXPORT_FORMAT_JSONL)
    return b"".join([p.data async for p in stub.ExportEntries(request, metadata=me.me)])


async def test_an_erased_person_can_be_read_nowhere_and_every_proof_holds(
    fleet: Fleet, fleet_environment: Mapping[str, str], hands: Hands, superuser: Any
) -> None:
    me = await fleet.register()
    user = me.session.session.user
    marker = user.email
    came = await personal(me, "chenu.identity.session.started")
    assert came.personal_state == READABLE
    assert came.personal["address"] == "127.0.0.1"
    registered = await personal(me, "chenu.identity.user.registered")
    assert registered.personal["email"] == marker
    # Sealed, it is nowhere to be read; the account alone knows the e-mail.
    assert await tables_that_hold(superuser, marker) <= ACCOUNTS
    retention = RetentionServiceStub(fleet.channel("audit"))
    erase = messages.EraseSubjectRequest(person_id=user.user_id, rule="gdpr-17")
    done = await retention.EraseSubject(erase, metadata=me.me)
    assert done.erased
    assert done.records >= 2
    assert not (await retention.EraseSubject(erase, metadata=me.me)).erased
    for type_ in ("chenu.identity.session.started", "chenu.identity.user.registered"):
        entry = await personal(me, type_)
        assert (entry.personal_state, dict(entry.personal)) == (ERASED, {})
        assert entry.event.data.personal.commitment.startswith("hmac-sha256:")
    assert await tables_that_hold(superuser, marker) <= ACCOUNTS
    assert marker.encode() not in await export(me)
    kept = "SELECT count(*) FROM identity.subject_keys WHERE person_id = $1 AND wrapped_key IS NULL"
    assert await superuser.fetchval(kept, user.user_id) == 1
    folder = Path(fleet_environment["CHENU_KEYS_DIR"]).parent
    stores = [f for f in (folder / "nats").rglob("*") if f.is_file()]
    assert not [file for file in stores if marker.encode() in file.read_bytes()]
    await log.all_logged(superuser)
    await log.verify(fleet.channel("audit"), me.me, hands.keys)
    # That it was done, when and under which rule, is in the log: before, and after.
    outcome = await personal(me, "chenu.audit.subject.erased")
    assert outcome.event.data.details["rule"] == "gdpr-17"
    assert (await personal(me, "chenu.audit.subject.erasure_started")).event.subject == (
        f"user/{user.user_id}"
    )
    # And who comes in after that leaves nothing personal, but still leaves a record.
    again = await AuthServiceStub(fleet.channel("identity")).Login(
        LoginRequest(email=marker, password=PASSWORD)
    )
    assert again.session.access_token


async def test_nobody_erases_a_person_of_another_tenant(fleet: Fleet) -> None:
    me, other = await fleet.register(), await fleet.register()
    retention = RetentionServiceStub(fleet.channel("audit"))
    answers = []
    for person in (other.session.session.user.user_id, str(uuid4())):
        erase = messages.EraseSubjectRequest(person_id=person, rule="gdpr-17")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await retention.EraseSubject(erase, metadata=me.me)
        answers.append((refused.value.code(), refused.value.details()))
    assert answers[0] == answers[1]
    assert answers[0][0] is grpc.StatusCode.PERMISSION_DENIED
    assert (await personal(other, "chenu.identity.session.started")).personal_state == READABLE


async def test_only_its_person_and_auditors_read_what_a_record_says_of_a_person(
    fleet: Fleet, hands: Hands
) -> None:
    me = await fleet.register()
    entry = await personal(me, "chenu.identity.session.started")
    stranger = await fleet.register()
    stub = EntryServiceStub(fleet.channel("audit"))
    request = entry_pb.GetEntryRequest(index=entry.index)
    assert (await reason(stub.GetEntry(request, metadata=stranger.me)))[1] == "FORBIDDEN"
