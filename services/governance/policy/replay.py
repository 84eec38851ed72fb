"""What another revision makes of a decision: judged again from what it keeps. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from chenu_gate.action import Action
from services.governance.policy.counters import Counter
from services.governance.policy.history import History
from services.governance.policy.rule import Effect, Facts, Judgement
from services.governance.policy.rules import RuleSet

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


class Version(NamedTuple):
    """What was judged: an action as it was asked for, or a person's edit; None once erased."""

    action: Action | None
    facts: Facts
    time: datetime


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


def judged_again(
    rules: RuleSet, decision_id: str, versions: Sequence[Version], history: History
) -> Verdict | str:
    """The verdict of these rules on a decision and its edits; text says why there can be none."""
    standing: Verdict | None = None
    for version in versions:
        said = _judged(rules, decision_id, version, history)
        if isinstance(said, str) or said.effect is Effect.DENY:
            return said
        # An edit frees nothing: what stopped the action before still does.
        if standing is None or said.effect is Effect.CHECKPOINT:
            standing = said
        if standing.effect is not Effect.CHECKPOINT:
            break  # nobody would have been asked, so nobody would have edited it
    return standing or ACTION_ERASED


def unrecorded(rules: RuleSet, versions: Sequence[Version]) -> Iterator[Counter]:
    """The counters that the rules ask for and that nobody counted when this was decided."""
    for version in versions:
        if version.action is not None:
            for counter in rules.asks_for(version.action):
                if counter.key not in version.facts.counters:
                    yield counter


def _judged(rules: RuleSet, decision_id: str, version: Version, history: History) -> Verdict | str:
    if version.action is None:
        return ACTION_ERASED
    counters = dict(version.facts.counters)
    for counter in unrecorded(rules, [version]):
        value = history.before(counter, version.action, version.time, decision_id)
        if isinstance(value, str):
            return value
        counters[counter.key] = value
    judgement = rules.judge(version.action, replace(version.facts, counters=counters))
    return verdict_of(judgement, rules)


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
