"""What the log is told to forget, and what it must not."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

from chenu.audit.v1 import retention_service_pb2 as retention
from chenu.audit.v1.alert_service_pb2 import CloseAlertRequest
from chenu.audit.v1.alert_service_pb2_grpc import AlertServiceStub
from chenu.audit.v1.entry_service_pb2 import ListSystemEntriesRequest
from chenu.audit.v1.entry_service_pb2_grpc import EntryServiceStub
from chenu.audit.v1.retention_service_pb2_grpc import RetentionServiceStub
from chenu.audit.v1.tile_service_pb2 import GetEntryBundleRequest
from chenu.audit.v1.tile_service_pb2_grpc import TileServiceStub
from chenu.courier.v1.endpoint_service_pb2 import CreateEndpointRequest
from chenu.courier.v1.endpoint_service_pb2_grpc import EndpointServiceStub
from chenu.events.v1 import subject_service_pb2 as subjects
from chenu.events.v1.subject_service_pb2_grpc import SubjectServiceStub
from chenu.identity.v1.subject_key_service_pb2 import DestroySubjectKeyRequest
from chenu.identity.v1.subject_key_service_pb2_grpc import SubjectKeyServiceStub
from tests.laws.changes.scene import Call, Prepare, Scene, whole
from tests.laws.hands import person_of
from tests.laws.stories import doomed
from tests.support.identity import SYSTEM_AUDITOR, TokenMint, bearer


def system_auditor(s: Scene) -> Any:
    """Metadata of the person whom the settings name; nobody can register as one."""
    claims = replace(person_of(s.me), person=SYSTEM_AUDITOR)
    return TokenMint(s.hands.token_key).as_human(claims)


async def list_system_entries(s: Scene) -> Call:
    stub = s.stub(EntryServiceStub, "audit")
    return lambda: stub.ListSystemEntries(ListSystemEntriesRequest(), metadata=system_auditor(s))


async def get_entry_bundle(s: Scene) -> Call:
    stub = s.stub(TileServiceStub, "audit")
    request = GetEntryBundleRequest(path="000.p/1")
    return lambda: whole(stub.GetEntryBundle(request, metadata=system_auditor(s)))


async def close_alert(s: Scene) -> Call:
    alert_id = str(uuid4())
    insert = "INSERT INTO audit.alerts VALUES ($1, 'POISON', 'chenu/threads', $2, '{}')"
    await s.superuser.execute(insert, alert_id, f"quarantine/{alert_id}")
    stub = s.stub(AlertServiceStub, "audit")
    request = CloseAlertRequest(alert_id=alert_id, comment="looked into")
    return lambda: stub.CloseAlert(request, metadata=system_auditor(s))


async def erase_subject(s: Scene) -> Call:
    request = retention.EraseSubjectRequest(person_id=person_of(s.me).person, rule="gdpr-17")
    stub = s.stub(RetentionServiceStub, "audit")
    return lambda: stub.EraseSubject(request, metadata=s.me.me)


async def place_hold(s: Scene) -> Call:
    request = retention.PlaceHoldRequest(hold_id=str(uuid4()), matter="case-7")
    stub = s.stub(RetentionServiceStub, "audit")
    return lambda: stub.PlaceHold(request, metadata=s.me.me)


async def release_hold(s: Scene) -> Call:
    request = retention.PlaceHoldRequest(hold_id=str(uuid4()), matter="case-7")
    stub = s.stub(RetentionServiceStub, "audit")
    placed = await stub.PlaceHold(request, metadata=s.me.me)
    release = retention.ReleaseHoldRequest(hold_id=placed.hold.hold_id)
    return lambda: stub.ReleaseHold(release, metadata=s.me.me)


async def destroy_subject_key(s: Scene) -> Call:
    person = person_of(s.me)
    request = DestroySubjectKeyRequest(tenant_id=person.tenant, person_id=person.person)
    stub = s.stub(SubjectKeyServiceStub, "identity")
    metadata = bearer("", await s.hands.service("audit"))
    return lambda: stub.DestroySubjectKey(request, metadata=metadata)


def erase_at(service: str) -> Prepare:
    """What audit asks of each service that keeps people's words."""

    async def prepare(s: Scene) -> Call:
        person = person_of(s.me)
        await doomed(s.me)
        endpoint = EndpointServiceStub(s.me.fleet.channel("courier")).CreateEndpoint
        await endpoint(
            CreateEndpointRequest(name="Mine", url=s.outside.url("/status/200")), metadata=s.me.me
        )
        request = subjects.EraseSubjectRequest(
            tenant_id=person.tenant, person_id=person.person, identity_ids=[person.identity]
        )
        stub = s.stub(SubjectServiceStub, service)
        metadata = bearer("", await s.hands.service("audit"))
        return lambda: stub.EraseSubject(request, metadata=metadata)

    return prepare
