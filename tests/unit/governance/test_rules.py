from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chenu_gate.action import READING_KINDS, Action, ActionKind, Target
from services.governance.policy.built_in_rules import BUILT_IN
from services.governance.policy.rules import (
    UNMATCHED,
    CheckpointType,
    Effect,
    Facts,
    Judgement,
    Rule,
    RuleInvalid,
    RuleSet,
)
from tests.support.actions import actions, an_action

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
RULES = RuleSet(BUILT_IN)


def facts_of(action: Action, **changes: Any) -> Facts:
    principal = action.principal
    facts = Facts(
        tenant=principal.tenant,
        person=principal.person,
        identity=principal.identity,
        agent=principal.agent,
        actor="agent" if principal.agent else "human",
        requires_checkpoint=False,
        time=NOW,
    )
    return replace(facts, **changes)


def judged(action: Action, rules: RuleSet = RULES, **changes: Any) -> Judgement:
    return rules.judge(action, facts_of(action, **changes))


def a_rule(code: str, effect: Effect, condition: str = "true", **changes: Any) -> Rule:
    gated = CheckpointType.EXECUTION_APPROVAL if effect is Effect.CHECKPOINT else None
    fields: dict[str, Any] = {"checkpoint_type": gated, "name": code, "description": f"{code}!"}
    return Rule(code=code, effect=effect, condition=condition, **fields | changes)


@pytest.mark.parametrize(
    ("kind", "rule", "checkpoint_type"),
    [
        (ActionKind.DELETE, "destructive_action", CheckpointType.DESTRUCTIVE_ACTION),
        (ActionKind.SEND, "external_communication", CheckpointType.EXECUTION_APPROVAL),
        (ActionKind.PUBLISH, "external_communication", CheckpointType.EXECUTION_APPROVAL),
        (ActionKind.TRANSFER, "sphere_isolation", CheckpointType.CROSS_SPHERE),
        (ActionKind.PAYMENT, "payment", CheckpointType.BUDGET_APPROVAL),
        (ActionKind.EXPORT, "data_export", CheckpointType.DATA_ACCESS),
        (ActionKind.CONFIGURE, "scope_elevation", CheckpointType.SCOPE_ELEVATION),
        (ActionKind.EXECUTE, UNMATCHED, CheckpointType.EXECUTION_APPROVAL),
    ],
)
def test_what_could_hurt_waits_for_a_person(
    kind: ActionKind, rule: str, checkpoint_type: CheckpointType
) -> None:
    found = judged(an_action(kind=kind))

    assert (found.effect, found.rule) == (Effect.CHECKPOINT, rule)
    assert found.checkpoint_type is checkpoint_type


@pytest.mark.parametrize("kind", sorted(READING_KINDS))
def test_reading_is_allowed(kind: ActionKind) -> None:
    assert judged(an_action(kind=kind)) == Judgement(Effect.ALLOW, "reading")


@pytest.mark.parametrize("kind", [ActionKind.CREATE, ActionKind.UPDATE])
@pytest.mark.parametrize(
    ("source", "target"), [("business", "business"), ("business", ""), ("", "")]
)
def test_creating_and_changing_in_the_own_sphere_is_allowed(
    kind: ActionKind, source: str, target: str
) -> None:
    action = an_action(kind=kind, source_sphere=source, target_sphere=target)

    assert judged(action) == Judgement(Effect.ALLOW, "own_sphere_changes")


@pytest.mark.parametrize("kind", sorted(set(ActionKind) - {ActionKind.TRANSFER}))
@pytest.mark.parametrize("source", ["personal", ""])
def test_whatever_crosses_into_another_sphere_waits_for_a_person(
    kind: ActionKind, source: str
) -> None:
    action = an_action(kind=kind, source_sphere=source, target_sphere="business")

    assert judged(action).effect is Effect.CHECKPOINT


@pytest.mark.parametrize("who", ["tenant", "person", "identity", "agent"])
@given(action=actions)
def test_acting_for_somebody_else_is_denied_whatever_the_action(who: str, action: Action) -> None:
    asker: dict[str, Any] = {who: "somebody-else"}
    found = judged(action, **asker)

    assert (found.effect, found.rule) == (Effect.DENY, "identity_boundary")


@pytest.mark.parametrize("kind", sorted(ActionKind))
@pytest.mark.parametrize("type_", ["identity", "tenant"])
def test_acting_on_another_identity_or_tenant_is_denied(kind: ActionKind, type_: str) -> None:
    action = an_action(kind=kind, targets=(Target(type_, "another"),))

    assert judged(action).effect is Effect.DENY


def test_acting_on_the_own_identity_is_judged_like_any_other_action() -> None:
    own = an_action()
    action = an_action(
        kind=ActionKind.UPDATE,
        principal=own.principal,
        targets=(
            Target("identity", own.principal.identity),
            Target("tenant", own.principal.tenant),
        ),
    )

    assert judged(action).effect is Effect.ALLOW


@given(action=actions)
def test_asking_for_a_checkpoint_gates_and_never_frees(action: Action) -> None:
    asked = judged(action, requires_checkpoint=True)

    assert asked.effect.severity >= Effect.CHECKPOINT.severity
    assert asked.effect.severity >= judged(action).effect.severity


@given(action=actions)
def test_what_is_not_known_to_be_harmless_is_gated(action: Action) -> None:
    harmless = action.kind in READING_KINDS | {ActionKind.CREATE, ActionKind.UPDATE}

    if judged(action).effect is Effect.ALLOW:
        assert harmless
        assert action.target_sphere in ("", action.source_sphere)


@given(action=actions)
def test_without_rules_only_reading_is_allowed(action: Action) -> None:
    judgement = judged(action, RuleSet([]))

    assert judgement.rule == UNMATCHED
    assert (judgement.effect is Effect.ALLOW) == (action.kind in READING_KINDS)


@given(
    effects=st.lists(st.sampled_from(Effect), min_size=1, max_size=5),
    priorities=st.lists(st.integers(0, 3), min_size=5, max_size=5),
)
def test_the_most_restrictive_wins_then_the_highest_priority(
    effects: list[Effect], priorities: list[int]
) -> None:
    rules = [a_rule(f"r{n}", e, priority=priorities[n]) for n, e in enumerate(effects)]

    judgement = judged(an_action(), RuleSet(rules))

    winner = min(rules, key=lambda rule: (-rule.effect.severity, -rule.priority, rule.code))
    assert (judgement.effect, judgement.rule) == (winner.effect, winner.code)


def test_every_warning_that_applies_is_told_even_beside_something_stricter() -> None:
    rules = [
        a_rule("w1", Effect.WARN),
        a_rule("w2", Effect.WARN, "action.kind == 'send'"),
        a_rule("w3", Effect.WARN, priority=5),
    ]

    warned = judged(an_action(), RuleSet([*rules, a_rule("a", Effect.ALLOW)]))
    gated = judged(an_action(), RuleSet([*rules, a_rule("c", Effect.CHECKPOINT)]))

    assert (warned.effect, warned.warnings) == (Effect.WARN, ("w3!", "w1!"))
    assert (gated.effect, gated.warnings) == (Effect.CHECKPOINT, ("w3!", "w1!"))


@pytest.mark.parametrize("effect", [Effect.WARN, Effect.CHECKPOINT, Effect.DENY])
def test_a_rule_that_cannot_be_evaluated_counts_as_matching(effect: Effect) -> None:
    rule = a_rule("broken", effect, "action.arguments.amount > 100")

    assert judged(an_action(arguments={}), RuleSet([rule])).rule == "broken"


@pytest.mark.parametrize("alone", [True, False])
def test_a_rule_that_takes_too_many_steps_counts_as_matching_and_allows_nothing(
    alone: bool,
) -> None:
    endless = "action.arguments.xs.all(a, action.arguments.xs.all(b, a >= b))"
    others = [] if alone else [a_rule(f"no{n}", Effect.DENY, "action.run == '?'") for n in range(3)]
    action = an_action(arguments={"xs": [1] * 200})

    denied = RuleSet([a_rule("endless", Effect.DENY, endless), *others])
    assert judged(action, denied) == Judgement(Effect.DENY, "endless")
    assert [one.failed for one in denied.explain(action, facts_of(action))] == [True]
    allowed = RuleSet([a_rule("endless", Effect.ALLOW, endless)])
    assert judged(action, allowed).rule == UNMATCHED


def test_a_rule_that_cannot_be_evaluated_allows_nothing() -> None:
    rule = a_rule("broken", Effect.ALLOW, "action.arguments.amount > 100")

    assert judged(an_action(arguments={"amount": 101}), RuleSet([rule])).effect is Effect.ALLOW
    assert judged(an_action(arguments={}), RuleSet([rule])).effect is Effect.CHECKPOINT
    assert judged(an_action(arguments={"amount": "101"}), RuleSet([rule])).rule == UNMATCHED


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("action.knd == 'delete'", "1:7: undeclared reference to 'action.knd'"),
        ("action.kind == 3", "1:13: found no matching overload"),
        ("action.kind ==", "1:15: Syntax error"),
        ("action.kind", "must be true or false"),
        ("action.arguments.x", "must be true or false"),
    ],
)
def test_a_condition_that_does_not_compile_is_refused_with_its_place(
    condition: str, told: str
) -> None:
    with pytest.raises(RuleInvalid, match=r"^r: ") as refused:
        RuleSet([a_rule("r", Effect.DENY, condition)])
    assert told in str(refused.value)


def test_a_checkpoint_says_its_type_and_nothing_else_has_one() -> None:
    with pytest.raises(RuleInvalid):
        RuleSet([a_rule("r", Effect.CHECKPOINT, checkpoint_type=None)])
    with pytest.raises(RuleInvalid):
        RuleSet([a_rule("r", Effect.DENY, checkpoint_type=CheckpointType.DATA_ACCESS)])


def test_rules_see_time_arguments_and_targets() -> None:
    rule = a_rule(
        "office_hours",
        Effect.DENY,
        'time.getHours("UTC") < 8 && action.arguments.to[0] == "a@b" && size(action.targets) == 1',
    )
    action = an_action(kind=ActionKind.QUERY, arguments={"to": ["a@b"]})
    rules = RuleSet([rule])

    assert judged(action, rules).effect is Effect.ALLOW
    assert judged(action, rules, time=NOW.replace(hour=3)).effect is Effect.DENY


def test_a_rule_looks_only_at_its_kinds() -> None:
    rules = RuleSet([a_rule("no_search", Effect.DENY, kinds=(ActionKind.SEARCH,))])

    assert judged(an_action(kind=ActionKind.SEARCH), rules).effect is Effect.DENY
    assert judged(an_action(kind=ActionKind.QUERY), rules).effect is Effect.ALLOW


def test_the_revision_names_what_the_rules_say_and_not_their_order() -> None:
    assert RuleSet(reversed(BUILT_IN)).revision == RULES.revision
    for rule in BUILT_IN:
        changed = [replace(rule, priority=rule.priority + 1) if r is rule else r for r in BUILT_IN]
        assert RuleSet(changed).revision != RULES.revision


@given(action=actions, requires_checkpoint=st.booleans())
def test_a_decision_can_be_replayed_from_the_facts_it_keeps(
    action: Action, requires_checkpoint: bool
) -> None:
    facts = facts_of(action, requires_checkpoint=requires_checkpoint)
    again = Action.parse(action.canonical())

    assert Facts.read(facts.stored()) == facts
    assert RULES.judge(again, Facts.read(facts.stored())) == RULES.judge(action, facts)


def test_rules_are_found_by_their_code() -> None:
    assert [RULES.named(rule.code) for rule in BUILT_IN] == list(BUILT_IN)
    assert RULES.named(UNMATCHED) is None
    assert len({rule.code for rule in BUILT_IN}) == len(BUILT_IN)
