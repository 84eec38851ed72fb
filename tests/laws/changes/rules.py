"""Changes of what governance goes by."""

from uuid import uuid4

from chenu.governance.v1.rule_pb2 import Rule, RuleDocument
from chenu.governance.v1.rule_service_pb2 import (
    CreateRuleRevisionRequest,
    PromoteRulesRequest,
    SetRuleLabelRequest,
)
from chenu.governance.v1.rule_service_pb2_grpc import RuleServiceStub
from tests.laws.changes.scene import Call, Scene


def _draft() -> CreateRuleRevisionRequest:
    rule = Rule(code=f"r{uuid4().hex}", effect="EFFECT_DENY", condition="false")
    return CreateRuleRevisionRequest(document=RuleDocument(rules=[rule]))


async def _revision(s: Scene) -> str:
    stub = s.stub(RuleServiceStub, "governance")
    answer = await stub.CreateRuleRevision(_draft(), metadata=s.me.me)
    return str(answer.revision.revision)


async def create_revision(s: Scene) -> Call:
    request, stub = _draft(), s.stub(RuleServiceStub, "governance")
    return lambda: stub.CreateRuleRevision(request, metadata=s.me.me)


async def set_label(s: Scene) -> Call:
    request = SetRuleLabelRequest(label="next", revision=await _revision(s))
    stub = s.stub(RuleServiceStub, "governance")
    return lambda: stub.SetRuleLabel(request, metadata=s.me.me)


async def promote(s: Scene) -> Call:
    request = PromoteRulesRequest(revision=await _revision(s), request_id=str(uuid4()))
    stub = s.stub(RuleServiceStub, "governance")
    return lambda: stub.PromoteRules(request, metadata=s.me.me)
