"""A tenant's rules beside the built-in ones: what they may do, whatever they say."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chenu_gate.action import Action, ActionKind
from services.governance.policy.built_in_rules import BUILT_IN
from services.governance.policy.counters import MICROS, Counter, Measure, Per, amount_of
from services.governance.policy.history import HISTORY_TOO_LONG, History
from services.governance.policy.replay import (
    ACTION_ERASED,
    Change,
    Verdict,
    Version,
    changed,
    gated,
    judged_again,
    may_loosen,
    verdict_of,
)
from services.governance.policy.rule import Facts, Rule, RuleInvalid
from services.governance.policy.rules import CheckpointType, Effect, RuleSet
from tests.support.actions import actions, an_action
from tests.unit.governance.test_rules import NOW, a_rule, facts_of, judged

CONSTITUTION = RuleSet(rule for rule in BUILT_IN if not rule.loosenable)
CONDITIONS = (
    "true", "false", "action.amount > 5", "requires_checkpoint", "action.arguments.x == 1",
    'action.agent != ""', 'action.source_sphere == "business"', "counters.seen > 1",
)  # fmt: skip
SEEN = Counter(name="seen", measure=Measure.COUNT, per=Per.IDENTITY, window_seconds=60)
rules = st.lists(
    st.builds(
        lambda number, effect, condition, priority, kinds, overrides: replace(
            a_rule(f"r{number}", effect, condition),
            priority=priority, kinds=tuple(sorted(kinds)), overrides=overrides,
        ),
        st.integers(0, 10**6),
        st.sampled_from(Effect),
        st.sampled_from(CONDITIONS),
        st.integers(0, 3),
        st.sets(st.sampled_from(ActionKind), max_size=3),
        st.sampled_from([(), ("data_export",)]),
    ),
    max_size=8,
    unique_by=lambda rule: rule.code,
)  # fmt: skip


def a_set(own: list[Rule]) -> RuleSet:
    return RuleSet([*BUILT_IN, *own], [SEEN])


def seen(action: Action, count: int) -> Facts:
    return replace(facts_of(action), counters={SEEN.key: count})


@settings(max_examples=25)
@given(action=actions, own=rules, count=st.integers(0, 3))
def test_no_rule_of_a_tenant_loosens_the_constitution(
    action: Action, own: list[Rule], count: int
) -> None:
    before = CONSTITUTION.judge(action, facts_of(action))
    after = a_set(own).judge(action, seen(action, count))
    if before.rule != "unmatched":
        gates = [e for e in (before.effect,) if e in (Effect.CHECKPOINT, Effect.DENY)]
        assert all(after.effect.severity >= effect.severity for effect in gates)


@settings(max_examples=25)
@given(action=actions, own=rules, count=st.integers(0, 3), seed=st.randoms())
def test_the_order_of_the_rules_says_nothing(
    action: Action, own: list[Rule], count: int, seed: object
) -> None:
    shuffled = [*own]
    seed.shuffle(shuffled)  # type: ignore[attr-defined]
    facts = seen(action, count)
    assert a_set(own).judge(action, facts) == a_set(shuffled).judge(action, facts)
    assert a_set(own).revision == a_set(shuffled).revision


@settings(max_examples=25)
@given(action=actions, own=rules, count=st.integers(0, 3))
def test_a_rule_more_that_restricts_never_frees(
    action: Action, own: list[Rule], count: int
) -> None:
    facts = seen(action, count)
    before = a_set(own).judge(action, facts)
    for effect in (Effect.CHECKPOINT, Effect.DENY):
        after = a_set([*own, a_rule("one_more", effect)]).judge(action, facts)
        assert after.effect.severity >= max(before.effect.severity, effect.severity)


@settings(max_examples=25)
@given(action=actions, own=rules, count=st.integers(0, 3))
def test_many_rules_together_are_judged_like_each_by_itself(
    action: Action, own: list[Rule], count: int
) -> None:
    """What looks at many conditions at once must find what one at a time would find."""
    facts, together = seen(action, count), a_set(own)
    matching = [match for match in together.explain(action, facts) if not match.overridden_by]
    judgement = together.judge(action, facts)
    if matching:
        assert (judgement.rule, judgement.effect) == (
            matching[0].rule.code,
            matching[0].rule.effect,
        )
    else:
        assert judgement.rule == "unmatched"


@settings(max_examples=25)
@given(action=actions, own=rules, count=st.integers(0, 3))
def test_a_replay_of_the_same_rules_reproduces_the_verdict(
    action: Action, own: list[Rule], count: int
) -> None:
    together = a_set(own)
    facts = Facts.read(seen(action, count).stored())
    verdict = verdict_of(together.judge(action, facts), together)
    version = Version(Action.parse(action.canonical()), facts, facts.time)
    assert judged_again(a_set(own), "d", [version], History(())) == verdict
    assert changed(verdict, verdict) is None


def test_a_sum_that_nobody_can_know_is_told_by_its_cause() -> None:
    together = a_set([a_rule("often", Effect.DENY, "counters.seen > 1")])
    version = Version(action := an_action(), facts_of(action), NOW)
    assert judged_again(together, "d", [version], History((), since=NOW)) == HISTORY_TOO_LONG


def test_an_edit_is_judged_after_what_it_edits_and_frees_nothing() -> None:
    asked, edited = an_action(), an_action(kind=ActionKind.SEARCH)
    versions = [Version(one, facts_of(one), NOW) for one in (asked, edited)]

    def again(*own: Rule) -> Verdict | str:
        return judged_again(a_set([*own]), "d", versions, History(()))

    gate = gated("destructive_action", CheckpointType.DESTRUCTIVE_ACTION, None)
    assert again() == gate
    assert again(a_rule("no_search", Effect.DENY, kinds=(ActionKind.SEARCH,))) == Verdict(
        Effect.DENY, "no_search"
    )
    look = a_rule("look", Effect.CHECKPOINT, kinds=(ActionKind.SEARCH,))
    assert again(look) == gated("look", CheckpointType.EXECUTION_APPROVAL, None)
    # Where nobody would have been asked, nobody would have edited anything either.
    free = [Version(one, facts_of(one), NOW) for one in (edited, asked)]
    assert judged_again(a_set([]), "d", free, History(())) == Verdict(Effect.ALLOW, "reading")
    erased = versions[1]._replace(action=None)
    assert judged_again(a_set([]), "d", [versions[0], erased], History(())) == ACTION_ERASED


@pytest.mark.parametrize("code", sorted(rule.code for rule in BUILT_IN if not rule.loosenable))
def test_the_constitution_cannot_be_overridden(code: str) -> None:
    with pytest.raises(RuleInvalid, match="no tenant can loosen"):
        a_set([replace(a_rule("mine", Effect.ALLOW), overrides=(code,))])


def test_a_rule_that_came_by_another_way_loosens_nothing_either() -> None:
    """Judging looks once more, whatever was compiled."""
    together = a_set([replace(a_rule("mine", Effect.ALLOW), overrides=("data_export",))])
    aside = next(rule for rule in together.rules if rule.code == "mine")
    object.__setattr__(aside, "overrides", ("destructive_action", "data_export"))
    assert judged(an_action(kind=ActionKind.DELETE), together).effect is Effect.CHECKPOINT
    assert judged(an_action(kind=ActionKind.EXPORT), together).effect is Effect.ALLOW


def test_what_cannot_be_evaluated_sets_nothing_aside() -> None:
    broken = replace(
        a_rule("mine", Effect.WARN, "action.arguments.x > 1"), overrides=("data_export",)
    )
    assert judged(an_action(kind=ActionKind.EXPORT), a_set([broken])).effect is Effect.CHECKPOINT


def test_scopes_of_tools_spheres_and_agents() -> None:
    agent = an_action()
    person = an_action(principal=replace(agent.principal, agent=""))
    mail = an_action(tool=replace(agent.tool, name="mail.send"))
    personal = an_action(source_sphere="personal", target_sphere="personal")
    for rule, matching, other in (
        (a_rule("t", Effect.DENY, tools=("thread.*",)), agent, mail),
        (a_rule("s", Effect.DENY, spheres=("business",)), agent, personal),
        (a_rule("a", Effect.DENY, agents=("*",)), agent, person),
        (a_rule("i", Effect.DENY, agents=(agent.principal.agent,)), agent, an_action()),
    ):  # fmt: skip
        together = a_set([rule])
        assert judged(matching, together).rule == rule.code
        assert judged(other, together).rule != rule.code


@pytest.mark.parametrize(
    ("kind", "source", "target", "covered"),
    [
        (ActionKind.UPDATE, "", "", True),
        (ActionKind.UPDATE, "personal", "personal", False),
        (ActionKind.SEND, "personal", "", False),  # out of CHE·NU, and out of personal
        (ActionKind.SEARCH, "", "", True),
        (ActionKind.SEARCH, "personal", "", True),  # it looks everywhere
        (ActionKind.SEARCH, "personal", "personal", False),
        (ActionKind.SEARCH, "personal", "business", True),
    ],
)
def test_leaving_out_the_sphere_is_no_way_round_a_rule_for_one(
    kind: ActionKind, source: str, target: str, covered: bool
) -> None:
    action = an_action(kind=kind, source_sphere=source, target_sphere=target)
    stops = a_rule("stops", Effect.DENY, spheres=("business",))
    assert (judged(action, a_set([stops])).rule == "stops") is covered
    allows = a_rule("allows", Effect.ALLOW, spheres=("business",), priority=99)
    assert not allows.covers(action) or "business" in (source, target)


def test_an_action_that_may_be_anywhere_gets_no_exception_that_is_for_one_sphere() -> None:
    rule = a_rule("mine", Effect.WARN, spheres=("business",), overrides=("data_export",))
    export = partial(an_action, kind=ActionKind.EXPORT, target_sphere="")
    aside = a_set([rule])
    assert judged(export(source_sphere="business"), aside).rule == "mine"
    assert judged(export(source_sphere=""), aside).rule == "data_export"


def test_no_rule_for_a_sphere_stops_what_governs_the_rules() -> None:
    stops = a_set([a_rule("stops", Effect.DENY, spheres=("business",))])
    action = an_action(kind=ActionKind.CONFIGURE, source_sphere="", target_sphere="")
    assert judged(action, stops).rule == "stops"
    assert judged(replace(action, executor="governance"), stops).rule == "scope_elevation"


@pytest.mark.parametrize(
    ("arguments", "amount"),
    [
        ({}, 0), ({"amount": 3}, 3 * MICROS), ({"amount": "3.25"}, 3_250_000),
        ({"amount_micros": 7}, 7), ({"amount": -1}, None), ({"amount": "3.1234567"}, None),
        ({"amount": "1e9"}, None), ({"amount": None}, None), ({"amount": True}, None),
        ({"amount_micros": "7"}, None), ({"amount": "9" * 15}, None),
        # Whichever the tool goes by: a small one beside it hides nothing.
        ({"amount": 5000, "amount_micros": 1}, None), ({"amount": "x", "amount_micros": 1}, None),
        ({"amount": "0.5", "amount_micros": 500_000}, 500_000),
    ],
)  # fmt: skip
def test_amounts_are_read_exactly_or_not_at_all(
    arguments: dict[str, object], amount: int | None
) -> None:
    assert amount_of(an_action(arguments=arguments)) == amount


def test_a_payment_without_an_amount_has_an_unknown_one() -> None:
    assert amount_of(an_action(kind=ActionKind.PAYMENT, arguments={})) is None


def test_how_two_verdicts_differ() -> None:
    allow, deny = Verdict(Effect.ALLOW, "a"), Verdict(Effect.DENY, "d")
    one = gated("c", CheckpointType.DATA_ACCESS, None)
    two = gated("c", CheckpointType.DATA_ACCESS, {"stages": [{"required": 2}]})
    assert changed(allow, Verdict(Effect.WARN, "w")) is None
    assert changed(deny, one) is Change.WIDENED
    assert changed(one, allow) is Change.WIDENED
    assert changed(allow, one) is Change.TIGHTENED
    assert changed(one, two) is Change.APPROVERS
    assert changed(one, gated("other", CheckpointType.DATA_ACCESS, {})) is None
    assert changed(one, gated("c", CheckpointType.CROSS_SPHERE, None)) is Change.APPROVERS


@pytest.mark.parametrize(
    ("before", "after", "loosens"),
    [
        ([], [a_rule("d", Effect.DENY)], False),
        ([], [a_rule("a", Effect.ALLOW)], True),
        ([], [a_rule("w", Effect.WARN)], True),
        ([a_rule("d", Effect.DENY)], [], True),
        ([a_rule("d", Effect.DENY)], [a_rule("d", Effect.DENY, "false")], True),
        ([a_rule("a", Effect.ALLOW)], [], False),
    ],
)
def test_what_may_loosen_is_known_from_the_texts(
    before: list[Rule], after: list[Rule], loosens: bool
) -> None:
    assert may_loosen(a_set(before), a_set(after)) is loosens
    assert may_loosen(a_set([]), RuleSet(BUILT_IN)) is True  # a counter is gone
