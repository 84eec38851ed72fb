"""Rules of a tenant, put in and made to hold."""

from typing import Any
from uuid import uuid4

from chenu.governance.v1.checkpoint_pb2 import CheckpointState
from chenu.governance.v1.decision_pb2 import ExecutionState
from chenu.governance.v1.rule_pb2 import Counter, Rule, RuleDocument, RuleRevision
from chenu.governance.v1.rule_service_pb2 import (
    CreateRuleRevisionRequest,
    PromoteRulesRequest,
    PromoteRulesResponse,
    SetRuleLabelRequest,
)
from tests.support.governance_client import GovernanceClient
from tests.support.identity import Person
from tests.support.waiting import soon

_DONE = (ExecutionState.EXECUTION_STATE_SUCCEEDED, ExecutionState.EXECUTION_STATE_FAILED)


def a_rule(code: str, effect: str, condition: str = "true", **changes: Any) -> Rule:
    """A rule; the effect is a word: "deny"."""
    given: dict[str, Any] = {"code": code, "effect": f"EFFECT_{effect.upper()}", **changes}
    if effect == "checkpoint":
        given.setdefault("checkpoint_type", "CHECKPOINT_TYPE_EXECUTION_APPROVAL")
    return Rule(name=code, description=f"{code}!", condition=condition, **given)


def a_counter(name: str, measure: str = "count", per: str = "identity", **changes: Any) -> Counter:
    """A counter over a day."""
    return Counter(
        name=name,
        measure=f"COUNTER_MEASURE_{measure.upper()}",
        per=f"COUNTER_PER_{per.upper()}",
        **{"window_seconds": 86_400, **changes},
    )


def a_document(*parts: Rule | Counter) -> RuleDocument:
    """Rules and counters together."""
    return RuleDocument(
        rules=[part for part in parts if isinstance(part, Rule)],
        counters=[part for part in parts if isinstance(part, Counter)],
    )


async def put_in(client: GovernanceClient, person: Person, *parts: Rule | Counter) -> RuleRevision:
    """The revision of these rules."""
    answer = await client.rules.CreateRuleRevision(
        CreateRuleRevisionRequest(document=a_document(*parts)),
        metadata=client.identity.as_human(person),
    )
    return answer.revision


def keepers(client: GovernanceClient, *people: Person) -> None:
    """These people keep the rules of their tenant."""
    for person in people:
        client.identity.roles[person.person] = person.roles
        client.identity.tenants[person.person] = person.tenant


async def ask_for(
    client: GovernanceClient, person: Person, revision: str, request_id: str = ""
) -> PromoteRulesResponse:
    """Ask for a revision to hold."""
    keepers(client, person)
    answer: PromoteRulesResponse = await client.rules.PromoteRules(
        PromoteRulesRequest(revision=revision, request_id=request_id or str(uuid4())),
        metadata=client.identity.as_human(person),
    )
    return answer


async def applied(client: GovernanceClient, person: Person, asked: PromoteRulesResponse) -> bool:
    """Whether what was approved came to hold; waits until governance has tried."""

    async def tried() -> int:
        checkpoint = await client.get(person, asked.verdict.checkpoint.checkpoint_id)
        assert checkpoint.state == CheckpointState.CHECKPOINT_STATE_APPROVED
        return checkpoint.execution_state if checkpoint.execution_state in _DONE else 0

    return await soon(tried, "governance has tried what was approved") == _DONE[0]


async def make_live(client: GovernanceClient, person: Person, *parts: Rule | Counter) -> str:
    """Have these rules hold for the person's tenant; the revision that they are."""
    revision = (await put_in(client, person, *parts)).revision
    asked = await ask_for(client, person, revision)
    assert not asked.HasField("not_before"), "these rules are held back"
    await client.approve(person, asked.verdict.checkpoint)
    assert await applied(client, person, asked)
    return revision


async def put_in_shadow(client: GovernanceClient, person: Person, *parts: Rule | Counter) -> str:
    """Have these rules judged beside those that hold."""
    revision = (await put_in(client, person, *parts)).revision
    await client.rules.SetRuleLabel(
        SetRuleLabelRequest(label="shadow", revision=revision),
        metadata=client.identity.as_human(person),
    )
    return revision
