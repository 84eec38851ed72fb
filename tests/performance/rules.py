"""What rules cost: allowed actions, authorized one after another, with so many rules in force."""

import asyncio
import time
from typing import Any, ClassVar, Final
from uuid import uuid4

import jwt

from chenu.governance.v1.authorization_service_pb2 import (
    ActionRequest,
    AuthorizeActionsRequest,
    VerdictState,
)
from chenu.governance.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from chenu.governance.v1.rule_pb2 import Rule, RuleDocument
from chenu.governance.v1.rule_service_pb2 import (
    CreateRuleRevisionRequest,
    ListRulesRequest,
    PromoteRulesRequest,
)
from chenu.governance.v1.rule_service_pb2_grpc import RuleServiceStub
from chenu_gate.action import Action, ActionKind, Principal, Tool
from tests.performance.people import Person
from tests.performance.work import NotDone, Parts, Work, approve

_TIMEOUT: Final = 60.0
_PATIENCE: Final = 20.0
_DEFINITION: Final = "sha256:" + "0" * 64


class Rules(Work):
    """A search, authorized with no rules but the built-in ones."""

    rules: ClassVar[int] = 0

    def __init__(self, person: Person) -> None:
        super().__init__(person)
        claims = jwt.decode(person.session.access_token, options={"verify_signature": False})
        self._principal = Principal(claims["tenant"], claims["sub"], claims["identity"])

    async def prepare(self, pieces: int) -> None:
        if not self.rules:
            return
        stub = self.person.stub(RuleServiceStub, "governance")
        made = await stub.CreateRuleRevision(
            CreateRuleRevisionRequest(document=document(self.rules)),
            metadata=self.person.me,
            timeout=_TIMEOUT,
        )
        asked = await stub.PromoteRules(
            PromoteRulesRequest(revision=made.revision.revision, request_id=str(uuid4())),
            metadata=self.person.me,
            timeout=_TIMEOUT,
        )
        await approve(self.person, asked.verdict.checkpoint)
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            told = await stub.ListRules(ListRulesRequest(), metadata=self.person.me)
            if told.revision == made.revision.revision:
                return
            await asyncio.sleep(0.1)
        raise NotDone("the rules did not come into force")

    async def do(self) -> Parts:
        action = search(self._principal).canonical()
        request = ActionRequest(action=action, request_id=str(uuid4()))
        answer: Any = await self.person.stub(
            AuthorizationServiceStub, "governance"
        ).AuthorizeActions(
            AuthorizeActionsRequest(actions=[request]), metadata=self.person.me, timeout=_TIMEOUT
        )
        if answer.verdicts[0].state != VerdictState.VERDICT_STATE_PERMITTED:
            raise NotDone(VerdictState.Name(answer.verdicts[0].state))
        return {}


class TenRules(Rules):
    """With ten."""

    rules = 10


class HundredRules(Rules):
    """With a hundred."""

    rules = 100


class ThousandRules(Rules):
    """With a thousand."""

    rules = 1000


def search(principal: Principal) -> Action:
    """What is authorized."""
    return Action(
        kind=ActionKind.SEARCH,
        tool=Tool("thread.search", _DEFINITION),
        executor="threads",
        principal=principal,
        source_sphere="personal",
        arguments={"query": "the papers of last year"},
    )


def document(count: int) -> RuleDocument:
    """So many rules that look at every search, and match none of those that are measured."""
    return RuleDocument(
        rules=[
            Rule(
                code=f"rule_{number}",
                effect="EFFECT_DENY",
                kinds=["ACTION_KIND_SEARCH"],
                condition=f'action.arguments.query == "secret {number}" && time.getHours() < 25',
            )
            for number in range(count)
        ]
    )
