"""What the log is told to forget, and what it must not."""

from uuid import uuid4

from chenu.audit.v1 import retention_service_pb2 as retention
from chenu.audit.v1.retention_service_pb2_grpc import RetentionServiceStub
from chenu.identity.v1.subject_key_service_pb2 import DestroySubjectKeyRequest
from chenu.identity.v1.subject_key_service_pb2_grpc import SubjectKeyServiceStub
from tests.laws.changes.scene import Call, Scene
from tests.laws.hands import person_of
from tests.support.identity import bearer


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
