"""Why it was stopped: the facts that the rule looked at, made visible."""

from datetime import UTC, datetime
from typing import Any

import pytest

from chenu_gate.action import ActionKind
from services.governance.policy.built_in_rules import BUILT_IN
from services.governance.policy.counters import Counter, Measure, Per
from services.governance.policy.rule import Effect, Facts, Rule
from services.governance.policy.rules import RuleSet
from services.governance.policy.stopping import cumulative_use, matched_facts
from tests.support.actions import an_action

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def told(condition: str, **changes: Any) -> dict[str, str]:
    kinds = changes.pop("kinds", ())
    rule = Rule(
        code="r", name="R", description="R.", effect=Effect.DENY, condition=condition, kinds=kinds
    )
    action = an_action(**changes)
    who = action.principal
    facts = Facts(
        tenant=who.tenant, person=who.person, identity=who.identity, agent=who.agent,
        actor="agent", requires_checkpoint=True, time=NOW,
    )  # fmt: skip
    rules = RuleSet([*BUILT_IN, rule])
    return {one["fact"]: one["value"] for one in matched_facts(rule, rules.known(action, facts))}


def test_each_fact_that_the_condition_names_is_told_with_what_it_was() -> None:
    assert told(
        'action.tool.startsWith("pay") || action.arguments.amount > 5 && requires_checkpoint',
        arguments={"amount": 7},
    ) == {
        "action.tool": "thread.delete",
        "action.arguments.amount": "7",
        "requires_checkpoint": "true",
    }


def test_what_stands_in_a_text_is_no_fact_and_kinds_are_always_told() -> None:
    assert told('"action.person" == "x"', kinds=(ActionKind.DELETE,)) == {"action.kind": "delete"}


def test_values_are_made_visible_and_say_where_they_go_on() -> None:
    (value,) = told('action.arguments.to == "x"', arguments={"to": "a\u202e" + "b" * 300}).values()
    assert "⟦U+202E⟧" in value
    assert "more characters" in value


def test_without_a_rule_the_kind_is_what_nobody_knew() -> None:
    assert matched_facts(None, {"action.kind": "execute"}) == [
        {"fact": "action.kind", "value": "execute"}
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"amount": "0.5"}, ["Within 90 s per run: 1.25 before this, 1.75 with it (spent)."]),
        (
            {"amount": "a lot"},
            ["Within 90 s per run: 1.25 before this, an untold amount with it (spent)."],
        ),
        ({"note": "nothing is moved"}, []),
    ],
    ids=["an amount", "one that cannot be told", "none"],
)
def test_what_came_before_is_told_with_every_amount(
    arguments: dict[str, Any], told: list[str]
) -> None:
    spent = Counter(name="spent", measure=Measure.AMOUNT, per=Per.RUN, window_seconds=90)
    unread = Counter(name="unread", measure=Measure.COUNT, per=Per.RUN, window_seconds=60)
    action = an_action(arguments=arguments)
    facts = Facts(
        tenant="t", person="p", identity="i", agent="", actor="human", requires_checkpoint=False,
        time=NOW, counters={spent.key: 1_250_000},
    )  # fmt: skip
    assert cumulative_use(RuleSet(BUILT_IN, [spent, unread]), action, facts) == told
