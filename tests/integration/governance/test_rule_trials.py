"""Rules are put in, tried out, compared with the past, and judged in the shadow."""

import json
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest

from chenu.governance.v1 import rule_service_pb2
from chenu.governance.v1.authorization_service_pb2 import VerdictState
from chenu.governance.v1.checkpoint_pb2 import CheckpointType
from chenu.governance.v1.decision_pb2 import Effect
from chenu.governance.v1.rule_pb2 import Rule, RuleCase, RuleDocument
from chenu.governance.v1.rule_service_pb2 import (
    CreateRuleRevisionRequest,
    EvaluateActionRequest,
    GetConstitutionRequest,
    GetRuleRevisionRequest,
    ListRuleLabelsRequest,
    ListRuleRevisionsRequest,
    ListShadowVerdictsRequest,
    ReplayDecisionsRequest,
    SetRuleLabelRequest,
)
from chenu_gate.action import ActionKind, Target
from kernel.errors import detail
from tests.support.governance_client import GovernanceClient, allowed, gated
from tests.support.identity import Person
from tests.support.refusals import refused
from tests.support.rules import a_counter, a_document, a_rule, put_in

NO_SEARCH = a_rule("no_search", "deny", kinds=["ACTION_KIND_SEARCH"])
FREE_EXPORT = a_rule(
    "free_export", "allow", kinds=["ACTION_KIND_EXPORT"], overrides=["data_export"]
)
SAME = CheckpointType.CHECKPOINT_TYPE_IDENTITY_BOUNDARY


def me(client: GovernanceClient, person: Person) -> Any:
    return client.identity.as_human(person)


async def violations(client: GovernanceClient, person: Person, *parts: Any) -> dict[str, str]:
    """What is told of a document that is wrong, by field."""
    request = CreateRuleRevisionRequest(document=a_document(*parts))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.rules.CreateRuleRevision(request, metadata=me(client, person))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    told = detail(caught.value, BadRequest)
    assert told is not None
    return {one.field: one.description for one in told.field_violations}


async def test_all_that_is_wrong_is_told_at_once_and_points_at_the_character(
    client: GovernanceClient, person: Person
) -> None:
    told = await violations(
        client,
        person,
        a_rule("typo", "deny", 'action.kind == "send" &&\n  action.knd == "x"'),
        a_rule("type", "deny", "action.amount > 'x'"),
        a_rule("law", "allow", overrides=["identity_boundary"]),
        a_rule("payment", "allow"),
        a_rule("limit", "deny", "counters.spnt > 1"),
        a_counter("spent"),
    )
    assert told["rules[typo].condition"] == (
        "2:9: undeclared reference to 'action.knd'\n |   action.knd == \"x\"\n | ........^"
    )
    assert told["rules[type].condition"].startswith("1:15: found no matching overload")
    assert (
        "cannot loosen" in told["rules[law].overrides"]
        or "no tenant" in told["rules[law].overrides"]
    )
    assert "built-in" in told["rules[payment].code"]
    assert "counters.spnt" in told["rules[limit].condition"]


@pytest.mark.parametrize(
    "rule",
    [
        Rule(code="Bad Code", effect=Effect.EFFECT_DENY),
        Rule(code="none"),
        Rule(code="long", effect=Effect.EFFECT_DENY, condition="x" * 4001),
        Rule(code="kind", effect=Effect.EFFECT_DENY, kinds=[99]),  # type: ignore[list-item]
    ],
)
async def test_a_rule_that_no_rule_can_be_is_refused(
    client: GovernanceClient, person: Person, rule: Rule
) -> None:
    request = CreateRuleRevisionRequest(document=RuleDocument(rules=[rule]))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.rules.CreateRuleRevision(request, metadata=me(client, person))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_too_many_rules_are_refused(client: GovernanceClient, person: Person) -> None:
    rules = [a_rule(f"r{n}", "deny") for n in range(2001)]
    request = CreateRuleRevisionRequest(document=RuleDocument(rules=rules))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.rules.CreateRuleRevision(request, metadata=me(client, person))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_the_same_rules_are_the_same_revision_in_whatever_order(
    client: GovernanceClient, person: Person
) -> None:
    one = await put_in(client, person, NO_SEARCH, FREE_EXPORT)
    two = await put_in(client, person, FREE_EXPORT, NO_SEARCH)
    assert one.revision == two.revision
    other = await put_in(client, person, NO_SEARCH)
    listed = await client.rules.ListRuleRevisions(
        ListRuleRevisionsRequest(page_size=1), metadata=me(client, person)
    )
    assert [found.revision for found in listed.revisions] == [other.revision]
    rest = await client.rules.ListRuleRevisions(
        ListRuleRevisionsRequest(page_size=1, page_token=listed.next_page_token),
        metadata=me(client, person),
    )
    assert [found.revision for found in rest.revisions] == [one.revision]
    assert rest.revisions[0].rule_count == 2
    assert not rest.next_page_token


async def test_what_is_only_validated_is_not_kept(client: GovernanceClient, person: Person) -> None:
    request = CreateRuleRevisionRequest(document=a_document(NO_SEARCH), validate_only=True)
    answer = await client.rules.CreateRuleRevision(request, metadata=me(client, person))
    await refused(
        client.rules.GetRuleRevision(
            GetRuleRevisionRequest(revision=answer.revision.revision), metadata=me(client, person)
        ),
        grpc.StatusCode.PERMISSION_DENIED,
        "FORBIDDEN",
    )


async def test_a_label_points_to_a_revision_and_can_point_elsewhere(
    client: GovernanceClient, person: Person
) -> None:
    revision = (await put_in(client, person, NO_SEARCH)).revision
    for target in (revision, ""):
        await client.rules.SetRuleLabel(
            SetRuleLabelRequest(label="next", revision=target), metadata=me(client, person)
        )
        listed = await client.rules.ListRuleLabels(
            ListRuleLabelsRequest(), metadata=me(client, person)
        )
        assert [(one.label, one.revision) for one in listed.labels] == [("next", target)]
    await refused(
        client.rules.GetRuleRevision(
            GetRuleRevisionRequest(revision="unheard-of"), metadata=me(client, person)
        ),
        grpc.StatusCode.PERMISSION_DENIED,
        "FORBIDDEN",
    )
    await refused(
        client.rules.SetRuleLabel(
            SetRuleLabelRequest(label="next", revision="sha256:" + "0" * 64),
            metadata=me(client, person),
        ),
        grpc.StatusCode.PERMISSION_DENIED,
        "FORBIDDEN",
    )


async def test_who_does_not_keep_the_rules_changes_nothing(
    client: GovernanceClient, person: Person
) -> None:
    member = Person(tenant=person.tenant, roles=())
    calls = (
        client.rules.CreateRuleRevision(
            CreateRuleRevisionRequest(document=a_document(NO_SEARCH)), metadata=me(client, member)
        ),
        client.rules.SetRuleLabel(SetRuleLabelRequest(label="shadow"), metadata=me(client, member)),
        client.rules.ReplayDecisions(ReplayDecisionsRequest(), metadata=me(client, member)),
        client.rules.ListShadowVerdicts(ListShadowVerdictsRequest(), metadata=me(client, member)),
    )
    for call in calls:
        await refused(call, grpc.StatusCode.PERMISSION_DENIED, "NOT_A_RULE_KEEPER")


async def test_cases_say_what_must_come_out(client: GovernanceClient, person: Person) -> None:
    own = str(uuid4())
    boundary = {"kind": "update", "targets": [{"type": "identity", "id": own}]}
    cases = [
        RuleCase(name="search", action='{"kind": "search"}', expected_effect="EFFECT_DENY"),
        RuleCase(name="wrong", action='{"kind": "query"}', expected_effect="EFFECT_DENY"),
        RuleCase(name="nonsense", action='{"kind": "sing"}'),
        RuleCase(name="no json", action="{x"),
        RuleCase(
            name="limit", action='{"kind": "update", "arguments": {"amount": 5}}',
            counters={"spent": 96_000_000}, expected_rule="limit",
        ),
        RuleCase(name="too deep", action="[" * 32_000),
        RuleCase(name="unknown counter", action='{"kind": "query"}', counters={"x": 1}),
        RuleCase(name="own", action=json.dumps(boundary), own_identity_ids=[own],
                 expected_rule="identity_crossing"),
        RuleCase(name="other", action=json.dumps(boundary), expected_rule="identity_boundary"),
    ]  # fmt: skip
    document = a_document(
        NO_SEARCH,
        a_counter("spent", "amount"),
        a_rule("limit", "deny", "counters.spent + action.amount > 100000000"),
    )
    answer = await client.rules.TestRules(
        rule_service_pb2.TestRulesRequest(document=document, cases=cases),
        metadata=me(client, person),
    )
    passed = {result.name: result.passed for result in answer.results}
    assert passed == {
        "search": True, "wrong": False, "nonsense": False, "no json": False, "limit": True,
        "too deep": False, "unknown counter": False, "own": True, "other": True,
    }  # fmt: skip
    assert answer.failed == 5
    told = {result.name: result.message for result in answer.results}
    assert told["wrong"] == "expected DENY, found ALLOW"
    assert all("not JSON" in told[name] for name in ("no json", "too deep"))


async def test_a_dry_run_says_which_rules_matched_and_from_what(
    client: GovernanceClient, person: Person
) -> None:
    await client.ask(person, allowed(person))
    request = EvaluateActionRequest(action=gated(person).canonical(), requires_checkpoint=True)
    answer = await client.rules.EvaluateAction(request, metadata=me(client, person))
    evaluation = answer.evaluation
    assert evaluation.effect == Effect.EFFECT_CHECKPOINT
    assert evaluation.rule == "destructive_action"
    assert [match.rule for match in evaluation.matches] == [
        "destructive_action", "requested_checkpoint",
    ]  # fmt: skip
    assert json.loads(evaluation.facts)["person"] == person.person
    assert evaluation.approval.stages[0].approvers.owner


async def test_a_loosenable_rule_is_set_aside_and_the_constitution_is_not(
    client: GovernanceClient, person: Person
) -> None:
    revision = (await put_in(client, person, FREE_EXPORT)).revision
    for kind, effect in (
        (ActionKind.EXPORT, Effect.EFFECT_ALLOW),
        (ActionKind.DELETE, Effect.EFFECT_CHECKPOINT),
    ):
        action = gated(person, kind=kind)
        answer = await client.rules.EvaluateAction(
            EvaluateActionRequest(action=action.canonical(), revision=revision),
            metadata=me(client, person),
        )
        assert answer.evaluation.effect == effect


async def test_between_two_identities_of_one_person_that_person_decides(
    client: GovernanceClient, person: Person
) -> None:
    mine, theirs = str(uuid4()), client.identity.somebody_elses()
    client.identity.owners[mine] = person.person
    own = allowed(person, targets=(Target("identity", mine),))
    foreign = allowed(person, targets=(Target("identity", theirs),))
    both = allowed(person, targets=(Target("identity", mine), Target("identity", theirs)))
    verdicts = await client.ask(person, own, foreign, both)
    assert [verdict.state for verdict in verdicts] == [
        VerdictState.VERDICT_STATE_BLOCKED,
        VerdictState.VERDICT_STATE_DENIED,
        VerdictState.VERDICT_STATE_DENIED,
    ]
    checkpoint = await client.get(person, verdicts[0].checkpoint.checkpoint_id)
    assert checkpoint.type == SAME


async def test_the_constitution_is_readable_by_everybody(
    client: GovernanceClient, person: Person
) -> None:
    for metadata in (
        client.identity.as_human(Person(roles=())),
        client.identity.as_agent(person, str(uuid4())),
        client.identity.as_nova(person),
    ):
        told = await client.rules.GetConstitution(GetConstitutionRequest(), metadata=metadata)
        assert len(told.laws) == 8
        assert {rule.code for rule in told.rules} >= {"identity_boundary", "payment"}
        assert "Human sovereignty" in told.text
        assert all(rule.name in told.text for rule in told.rules)
