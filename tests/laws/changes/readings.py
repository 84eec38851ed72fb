"""Readings of what is sensitive: they leave a record as changes do."""

from typing import Any

from chenu.audit.v1.retention_service_pb2 import ListErasuresRequest, ListHoldsRequest
from chenu.audit.v1.retention_service_pb2_grpc import RetentionServiceStub
from chenu.governance.v1.reviewer_service_pb2 import ListReviewersRequest
from chenu.governance.v1.reviewer_service_pb2_grpc import ReviewerServiceStub
from chenu.governance.v1.rule_pb2 import RuleDocument
from chenu.governance.v1.rule_service_pb2 import ListShadowVerdictsRequest, ReplayDecisionsRequest
from chenu.governance.v1.rule_service_pb2_grpc import RuleServiceStub
from chenu.identity.v1.people_service_pb2 import ListPeopleRequest
from chenu.identity.v1.people_service_pb2_grpc import PeopleServiceStub
from chenu.identity.v1.subject_key_service_pb2 import GetSubjectKeyRequest
from chenu.identity.v1.subject_key_service_pb2_grpc import SubjectKeyServiceStub
from tests.laws.changes.scene import Call, Prepare, Scene
from tests.laws.hands import person_of
from tests.support.identity import bearer


def reading(service: str, stub: Any, rpc: str, request: Any) -> Prepare:
    """A person reads."""

    async def prepare(s: Scene) -> Call:
        call = getattr(s.stub(stub, service), rpc)
        return lambda: call(request, metadata=s.me.me)

    return prepare


async def subject_key(s: Scene) -> Call:
    person = person_of(s.me)
    request = GetSubjectKeyRequest(tenant_id=person.tenant, person_id=person.person)
    call = s.stub(SubjectKeyServiceStub, "identity").GetSubjectKey
    metadata = bearer("", await s.hands.service("audit"))
    return lambda: call(request, metadata=metadata)


READINGS: dict[tuple[str, str], Prepare] = {
    ("identity", "SubjectKeyService.GetSubjectKey"): subject_key,
    ("identity", "PeopleService.ListPeople"): reading(
        "identity", PeopleServiceStub, "ListPeople", ListPeopleRequest()
    ),
    ("governance", "ReviewerService.ListReviewers"): reading(
        "governance", ReviewerServiceStub, "ListReviewers", ListReviewersRequest()
    ),
    ("governance", "RuleService.ReplayDecisions"): reading(
        "governance",
        RuleServiceStub,
        "ReplayDecisions",
        ReplayDecisionsRequest(document=RuleDocument()),
    ),
    ("governance", "RuleService.ListShadowVerdicts"): reading(
        "governance", RuleServiceStub, "ListShadowVerdicts", ListShadowVerdictsRequest()
    ),
    ("audit", "RetentionService.ListErasures"): reading(
        "audit", RetentionServiceStub, "ListErasures", ListErasuresRequest()
    ),
    ("audit", "RetentionService.ListHolds"): reading(
        "audit", RetentionServiceStub, "ListHolds", ListHoldsRequest()
    ),
}
