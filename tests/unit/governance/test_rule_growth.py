"""What goes through a list puts nothing together, however it is written."""

import pytest

from chenu_gate.action import ActionKind
from services.governance.policy.rule_language import ConditionInvalid, Language
from services.governance.policy.rules import Effect, RuleSet
from tests.support.actions import an_action
from tests.unit.governance.test_rules import a_rule, facts_of, judged

XS = "action.arguments.xs"


def doubled(times: int) -> str:
    """A text that is doubled so often."""
    condition = f"v{times}.size() > 0"
    for n in range(times, 0, -1):
        before = f"v{n - 1}" if n > 1 else "action.tool"
        condition = f"[{before}+{before}].exists(v{n}, {condition})"
    return condition


@pytest.mark.parametrize(
    "condition",
    [
        doubled(2),
        doubled(20),
        f"{XS}.all(a, a + a != a)",
        f"{XS}.all(a, (action.tool + action.tool).size() > 0)",
        f"{XS} . exists (a, [[a, a]].exists(b, b == b))",
        f"{XS}.exists(a, {{'k': [a]}} == {{}})",
        f"{XS}.exists(a, {{a: 1}} == {{}})",
        f"{XS}.map(a, [a, a]).size() > 0",
        f"{XS}.map(a, {XS}).size() > 0",
        f"{XS}.map(a, a > 1, {XS}).size() > 0",
        f"{XS}.filter(a, {XS}.filter(b, b + b > a).size() > 0).size() > 0",
        f"{XS}.exists_one(a, a + 1 > 2)",
        f"{XS}[0].exists(a, action.tool == 'x' ? true : [a].exists(b, true))",
    ],
)
def test_what_could_grow_without_end_is_refused(condition: str) -> None:
    with pytest.raises(ConditionInvalid, match="nothing is put together"):
        Language().compile(condition)


@pytest.mark.parametrize(
    ("effect", "decided"),
    [(Effect.DENY, "old"), (Effect.CHECKPOINT, "old"), (Effect.ALLOW, "unmatched")],
)
@pytest.mark.parametrize("condition", [doubled(30), "action.gone == 1"])
def test_where_it_was_accepted_once_it_is_never_evaluated_and_matches_unless_it_would_allow(
    condition: str, effect: Effect, decided: str
) -> None:
    own = [a_rule("old", effect, condition), a_rule("sound", effect, "false")]
    rules = RuleSet(own, accepted=True)
    action = an_action(kind=ActionKind.CREATE)
    assert judged(action, rules).rule == decided
    told = [match for match in rules.explain(action, facts_of(action)) if match.rule.code == "old"]
    assert [match.failed for match in told] == ([] if effect is Effect.ALLOW else [True])


@pytest.mark.parametrize(
    "condition",
    [
        'action.targets.exists(t, t.type == "identity" && !(t.id in caller.identities))',
        'action.targets.all(t, t.type in ["thread", action.tool] || t.name.startsWith("a"))',
        f"{XS}.filter(a, a > 1).size() + 1 > 2",
        f"{XS}.filter(a, a > 1).filter(b, b < 5).exists_one(c, c == 3)",
        f"{XS}.exists(a, {XS}.exists(b, a == b))",
        f"{XS}.map(a, a > 1, a).size() > 0",
        '("map(" + action.tool + ")").contains("all")',
        " + ".join(["action.amount"] * 30) + " > 5",
    ],
)
def test_what_compares_and_selects_is_not(condition: str) -> None:
    Language().compile(condition)
