"""What another revision makes of a decision: judged again from what it keeps. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

from chenu_gate.action import Action
from services.governance.policy.rule import Effect, Facts, Judgement
from services.governance.policy.rules import RuleSet

COUNTER_NOT_RECORDED: Final = "COUNTER_NOT_RECORDED"
ACTION_ERASED: Final = "ACTION_ERASED"
_WHO: Final = ("stages", "veto", "four_eyes")
_OWNER: Final[dict[str, Any]] = {"stages": [{"required": 1, "approvers": {"owner": True}}]}
_LEVELS: Final = {Effect.ALLOW: 0, Effect.WARN: 0, Effect.CHECKPOINT: 1, Effect.DENY: 2}


class Change(StrEnum):
    """How two verdicts on the same action differ; the order is how much it matters."""

    WIDENED = "widened"
    TIGHTENED = "tightened"
    APPROVERS = "approvers"
    NOT_REPLAYABLE = "not_replayable"


class Verdict(NamedTuple):
    """What counts of a judgement; `who` may approve, where somebody must, as canonical text."""

    effect: Effect
    rule: str
    checkpoint_type: str = ""
    who: str = ""


def verdict_of(judgement: Judgement, rules: RuleSet) -> Verdict:
    """The verdict that a set of rules has just given."""
    if judgement.effect is not Effect.CHECKPOINT:
        return Verdict(judgement.effect, judgement.rule)
    rule = rules.named(judgement.rule)
    approval = json.loads(rule.approval) if rule and rule.approval else {}
    return gated(judgement.rule, judgement.checkpoint_type or "", approval)


def gated(rule: str, checkpoint_type: str, approval: Mapping[str, Any] | None) -> Verdict:
    """The verdict that people must decide, with the requirement as JSON."""
    said = {name: approval[name] for name in _WHO if approval and approval.get(name)}
    who = json.dumps(said if said.get("stages") else {**said, **_OWNER}, sort_keys=True)
    return Verdict(Effect.CHECKPOINT, rule, str(checkpoint_type), who)


def changed(before: Verdict, after: Verdict) -> Change | None:
    """How the later verdict differs; None where nobody would notice."""
    difference = _LEVELS[after.effect] - _LEVELS[before.effect]
    if difference:
        return Change.WIDENED if difference < 0 else Change.TIGHTENED
    same = (before.checkpoint_type, before.who) == (after.checkpoint_type, after.who)
    return None if same else Change.APPROVERS


def judged_again(rules: RuleSet, action: Action, facts: Facts) -> Verdict | str:
    """The verdict of these rules; text says why there can be none."""
    if any(counter.key not in facts.counters for counter in rules.asks_for(action)):
        return COUNTER_NOT_RECORDED
    return verdict_of(rules.judge(action, facts), rules)


def may_loosen(before: RuleSet, after: RuleSet) -> bool:
    """Whether the later rules could stop anything less, as far as their texts tell.

    What replays nothing shows nothing; then this must do.
    """
    texts = [
        {rule.code: rule.document() for rule in rules.rules if not rule.built_in}
        for rules in (before, after)
    ]
    gone = [text for code, text in texts[0].items() if texts[1].get(code) != text]
    new = [text for code, text in texts[1].items() if texts[0].get(code) != text]
    return (
        any(text["effect"] in (Effect.CHECKPOINT, Effect.DENY) for text in gone)
        or any(text["effect"] in (Effect.ALLOW, Effect.WARN) or text["overrides"] for text in new)
        or any(counter not in after.counters for counter in before.counters)
    )
