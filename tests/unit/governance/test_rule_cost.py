"""What conditions may take is known beforehand, and counted in steps, never in seconds."""

import pytest

from chenu_gate.action import ActionKind
from services.governance.policy.rule_cost import STEPS, Cost, Extent, cost_of
from services.governance.policy.rule_language import Language
from services.governance.policy.rule_tree import root
from services.governance.policy.rules import Effect, RuleSet
from tests.support.actions import an_action
from tests.unit.governance.test_rules import a_rule, facts_of, judged

XS = "action.arguments.xs"
LARGE = Extent(32 * 1024, 14_000)
USUAL = Extent(2 * 1024, 20)
WORST = (
    f"{XS}.all(x, {XS} == {XS})",
    f"{XS}.all(x, action.arguments == action.arguments)",
    f"{XS}.all(x, x in {XS})",
    f"{XS}.all(x, !action.tool.contains(action.thread))",
    f"{XS}.all(x, !action.tool.matches('(a|aa)*b'))",
    f"{XS}.filter(x, x != 1).size() > 0",
    f"{XS}.all(x, {XS}.exists(y, {XS} == y))",
    "action.tool.matches('" + "([ab]*[ab]{500})" * 40 + "x$')",
    "action.tool.matches(action.thread)",
    r"action.tool.matches(r'(\pL\pN){50}')",
    "action.tool.matches('[^ab]{50}')" + " || action.tool.matches('[^ab]{50}')" * 9,
    "[" + ",".join("1" * 500) + "].all(x, [1].all(y, action.arguments == action.arguments))",
)


def a_cost(condition: str) -> Cost:
    return cost_of(root(Language().compile(condition)))


@pytest.mark.parametrize("condition", WORST)
def test_what_looks_at_a_whole_action_again_and_again_is_beyond_what_rules_may_take(
    condition: str,
) -> None:
    assert a_cost(condition).steps(LARGE) > STEPS


@pytest.mark.parametrize(
    "condition",
    [
        'action.targets.exists(t, t.type == "identity" && !(t.id in caller.identities))',
        f"{XS}.all(x, {XS}.exists(y, x == y))",
        f"{XS}.filter(x, x > 1).size() > 3",
        'action.tool.matches("^[A-Z]{2}[0-9]{20}$")',
        'action.tool.contains("x") || action.amount > 5',
    ],
)
def test_what_rules_usually_say_is_far_within_it(condition: str) -> None:
    assert a_cost(condition).steps(USUAL) < STEPS


def test_a_pattern_that_repeats_a_little_is_searched_for_in_the_largest_action() -> None:
    assert a_cost('action.tool.matches("^[A-Z]{2}[0-9]{20}$")').steps(LARGE) < STEPS


@pytest.mark.parametrize("condition", WORST)
def test_a_larger_action_never_takes_fewer_steps(condition: str) -> None:
    cost, sizes = a_cost(condition), (0, 1, 10, 1_000, 10_000, 30_000)
    taken = [cost.steps(Extent(2 * size, size)) for size in sizes]
    assert taken == sorted(taken)


def test_a_condition_beyond_its_share_counts_as_one_that_cannot_be_evaluated() -> None:
    action = an_action(kind=ActionKind.QUERY, arguments={"xs": [1] * 14_000})
    never, whole = f"!({WORST[0]})", WORST[0]
    gates = RuleSet([a_rule("gates", Effect.CHECKPOINT, never)])
    assert judged(action, gates).effect is Effect.CHECKPOINT
    assert [match.failed for match in gates.explain(action, facts_of(action))] == [True]
    allows = RuleSet([a_rule("allows", Effect.ALLOW, whole)])
    assert not allows.explain(action, facts_of(action))
    small = an_action(kind=ActionKind.QUERY, arguments={"xs": [1] * 14})
    assert not gates.explain(small, facts_of(small))
    assert allows.explain(small, facts_of(small))


def test_many_rules_together_take_no_more_than_one_and_the_cheap_ones_are_evaluated() -> None:
    action = an_action(kind=ActionKind.QUERY, arguments={"xs": [1] * 600})
    condition = f"!({WORST[0]})"
    (alone,) = [RuleSet([a_rule("a0", Effect.CHECKPOINT, condition)])]
    assert not alone.explain(action, facts_of(action))
    rules = [a_rule(f"a{n}", Effect.CHECKPOINT, condition) for n in range(100)]
    cheap = a_rule("cheap", Effect.CHECKPOINT, 'action.tool == "no such tool"')
    found = RuleSet([*rules, cheap]).explain(action, facts_of(action))
    assert all(match.failed for match in found)
    assert {match.rule.code for match in found} == {rule.code for rule in rules}
