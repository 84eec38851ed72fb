"""Amounts that cannot be told, and the limits over them."""

from dataclasses import replace
from typing import Any

import pytest

from chenu_gate.action import ActionKind
from services.governance.policy.built_in_rules import BUILT_IN
from services.governance.policy.counters import Counter, Measure, Per
from services.governance.policy.rules import Effect, RuleSet
from tests.support.actions import an_action
from tests.unit.governance.test_rules import a_rule, facts_of


@pytest.mark.parametrize("effect", [Effect.DENY, Effect.CHECKPOINT, Effect.ALLOW])
@pytest.mark.parametrize("amount", ["1e9", -1, None])
def test_an_amount_that_cannot_be_told_meets_every_limit_over_the_sum_and_gets_no_exception(
    amount: object, effect: Effect
) -> None:
    spent = Counter(name="spent", measure=Measure.AMOUNT, per=Per.IDENTITY, window_seconds=60)
    holds = "counters.spent < 1000" if effect is Effect.ALLOW else "counters.spent > 1000"
    limit = RuleSet([*BUILT_IN, a_rule("limit", effect, holds)], [spent])

    def by(**arguments: Any) -> str:
        action = an_action(kind=ActionKind.EXECUTE, arguments=arguments)
        return limit.judge(action, replace(facts_of(action), counters={spent.key: 0})).rule

    assert (by(amount=amount) == "limit") is (effect is not Effect.ALLOW)
    # Neither is one with an amount stopped by it, nor one that moves nothing.
    assert by(amount=1) == by() == ("limit" if effect is Effect.ALLOW else "unmatched")


@pytest.mark.parametrize("amount", [101, "1e9", 1])
def test_no_amount_frees_what_no_rule_knows(amount: object) -> None:
    action = an_action(kind=ActionKind.EXECUTE, arguments={"amount": amount})
    found = RuleSet(BUILT_IN).judge(action, facts_of(action))
    assert (found.effect, found.rule) == (Effect.CHECKPOINT, "unmatched")
    assert len(found.warnings) == (amount != 1)
    tenants = RuleSet([*BUILT_IN, a_rule("mine", Effect.WARN)])
    assert tenants.judge(action, facts_of(action)).effect is Effect.WARN
