"""What the rules say of an action. Pure: the same facts always get the same answer.

    rules = RuleSet(BUILT_IN)
    judgement = rules.judge(action, facts)

Conditions are CEL over a typed environment (`rule_language`). The most restrictive rule that
matches wins, then the one of the highest priority; the order of the rules says nothing. A rule
that cannot be evaluated, or could take more steps than are its share (`rule_cost`), counts as
matching, unless it would allow something. A tenant's rule may set a built-in one aside
(`overrides`), if that is loosenable; the laws are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from chenu_gate.action import READING_KINDS, Action
from chenu_gate.canonical_json import digest, write
from services.governance.policy.counters import MOST, Counter
from services.governance.policy.rule import (
    UNMATCHED,
    CheckpointType,
    Effect,
    Facts,
    Judgement,
    Match,
    Problem,
    Rule,
    RuleInvalid,
)
from services.governance.policy.rule_case import Case, Compiled, Group, value_of
from services.governance.policy.rule_cost import STEPS, Extent, cost_of, extent_of, together
from services.governance.policy.rule_language import (
    ConditionInvalid,
    Language,
    bindings,
    counters_in,
)
from services.governance.policy.rule_tree import root

__all__ = [
    "UNMATCHED", "CheckpointType", "Effect", "Facts", "Judgement", "Match", "Problem", "Rule",
    "RuleInvalid", "RuleSet", "revision_of", "words_of",
]  # fmt: skip
_REMEMBERED_SCOPES: Final = 4_096
_GROUP: Final = 50
_NEVER_EVALUABLE: Final = "1 / 0 == 1"


class RuleSet:
    """An immutable revision of rules, compiled once; scopes are looked at once per kind of action.

    `revision` is the hash of what the rules and counters say, unless another name is given.
    Where they were `accepted` once, a condition that is not acceptable any more counts as one that
    cannot be evaluated: whoever goes by these rules is judged, whichever version wrote them.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        counters: Iterable[Counter] = (),
        *,
        revision: str = "",
        accepted: bool = False,
    ) -> None:
        self.rules: Final[Sequence[Rule]] = tuple(
            sorted(rules, key=lambda rule: (-rule.priority, rule.code))
        )
        self.counters: Final = tuple(sorted(counters, key=lambda counter: counter.name))
        self.revision: Final = revision or revision_of(self.rules, self.counters)
        self.built_in_revision: Final = revision_of(rule for rule in self.rules if rule.built_in)
        self._named = {rule.code: rule for rule in self.rules}
        self._language = Language(counter.name for counter in self.counters)
        self._overriding = any(rule.overrides for rule in self.rules)
        self._never = self._language.compile(_NEVER_EVALUABLE) if accepted else None
        compiled = self._compiled()
        self._costs = [one.cost for one in compiled if one.cost is not None]
        self._cost = together(self._costs)
        self._groups = self._grouped(compiled)
        self._scopes: dict[tuple[str, ...], tuple[Group, ...]] = {}

    def judge(self, action: Action, facts: Facts) -> Judgement:
        """The most restrictive of what matches; what matches nothing is gated unless it reads."""
        case = self._case(action, facts)
        covering = self._covering(action)
        aside = self._set_aside(action, covering, case)
        decisive: Rule | None = None
        warnings: list[Rule] = []
        allowed = False
        for group in covering:
            effect = group.first.effect
            # Once something severer has matched, only warnings are still of interest; where they
            # are all, so is whether anything allows it.
            found = decisive.effect if decisive else effect
            if found is not effect and Effect.WARN not in {found, effect}:
                continue
            if case.excludes(group):
                continue
            holding = [
                one.rule for one in group.members if one.rule.code not in aside and case.holds(one)
            ]
            if effect is Effect.WARN:
                warnings += holding
            allowed = allowed or bool(holding and effect is Effect.ALLOW)
            if holding and (decisive is None or decisive.effect is effect):
                decisive = min([*holding, decisive or holding[0]], key=_rank)
        # The built-in warnings tell; they free nothing that no rule knows.
        frees = allowed or any(not rule.built_in for rule in warnings)
        told = tuple(rule.description for rule in sorted(warnings, key=_rank))
        if decisive and (frees or decisive.effect is not Effect.WARN):
            return Judgement(decisive.effect, decisive.code, decisive.checkpoint_type, told)
        reads = action.kind in READING_KINDS
        return replace(_UNMATCHED_READING if reads else _UNMATCHED_OTHER, warnings=told)

    def explain(self, action: Action, facts: Facts) -> list[Match]:
        """Every rule that matches the action, the severest first, whether it decides or not."""
        case = self._case(action, facts)
        covering = self._covering(action)
        aside = self._set_aside(action, covering, case)
        found = [
            Match(one.rule, aside.get(one.rule.code, ""), case.value(one) is None)
            for group in covering
            for one in group.members
            if case.holds(one)
        ]
        return sorted(found, key=lambda match: (-match.rule.effect.severity, *_rank(match.rule)))

    def named(self, code: str) -> Rule | None:
        """The rule of that code; None for `unmatched` and for rules of other revisions."""
        return self._named.get(code)

    def asks_for(self, action: Action) -> tuple[Counter, ...]:
        """The counters without which the action cannot be judged."""
        if not self.counters:
            return ()
        names = frozenset[str]().union(*(one.counters for one in self._covering(action)))
        return tuple(counter for counter in self.counters if counter.name in names)

    def counted_in(self, action: Action) -> tuple[Counter, ...]:
        """The counters that the action adds to, should it be allowed."""
        return tuple(counter for counter in self.counters if counter.counts(action))

    def _set_aside(self, action: Action, covering: Iterable[Group], case: Case) -> dict[str, str]:
        """The rules that others override, with whose doing it is; only what is true for certain."""
        if not self._overriding:
            return {}
        members = [one for group in covering for one in group.members]
        loosenable = {one.rule.code for one in members if one.rule.built_in and one.rule.loosenable}
        return {
            code: one.rule.code
            for one in members
            if one.rule.overrides and one.rule.names_sphere(action) and case.value(one) is True
            for code in one.rule.overrides
            if code in loosenable
        }

    def _compiled(self) -> list[Compiled]:
        problems = [*_contradictions(self.rules, self.counters)]
        compiled = []
        for rule in self.rules:
            try:
                condition = self._language.compile(rule.condition)
                cost = None if rule.built_in else cost_of(root(condition))
                compiled.append(Compiled(rule, condition, cost))
            except ConditionInvalid as invalid:
                if self._never is not None:
                    compiled.append(Compiled(rule, self._never, None))
                    continue
                problems += [
                    Problem(rule.code, "condition", one.text, one.line, one.column)
                    for one in invalid.mistakes
                ]
        if problems:
            raise RuleInvalid(problems)
        return compiled

    def _grouped(self, compiled: Iterable[Compiled]) -> tuple[Group, ...]:
        """By effect, the severest first, and scope; not more in a group than is quick to search."""
        alike: dict[tuple[Any, ...], list[Compiled]] = {}
        for one in compiled:
            rule = one.rule
            alone = rule.code if one.condition is self._never else ""
            scope = (rule.effect, rule.kinds, rule.tools, rule.spheres, rule.agents, alone)
            alike.setdefault(scope, []).append(one)
        groups = [
            self._group(members[start : start + _GROUP])
            for members in alike.values()
            for start in range(0, len(members), _GROUP)
        ]
        return tuple(sorted(groups, key=lambda group: -group.first.effect.severity))

    def _group(self, members: Sequence[Compiled]) -> Group:
        counters = frozenset[str]().union(*(counters_in(one.rule.condition) for one in members))
        if len(members) == 1:
            return Group(tuple(members), members[0].condition, counters)
        # On lines of their own: a condition may end in a comment.
        text = " || ".join(f"(\n{one.rule.condition}\n)" for one in members)
        any_holds = self._language.compile(text)
        # The first evaluation plans it, which takes a hundred times as long.
        value_of(any_holds, self._language.activation({}))
        return Group(tuple(members), any_holds, counters)

    def _covering(self, action: Action) -> tuple[Group, ...]:
        scope = (
            action.kind, action.tool.name, action.principal.agent,
            action.source_sphere, action.target_sphere, action.executor,
        )  # fmt: skip
        covering = self._scopes.get(scope)
        if covering is None:
            covering = tuple(group for group in self._groups if group.first.covers(action))
            if len(self._scopes) >= _REMEMBERED_SCOPES:
                self._scopes.clear()
            self._scopes[scope] = covering
        return covering

    def known(self, action: Action, facts: Facts) -> dict[str, Any]:
        """The variables of conditions, as these rules see the action."""
        known = {
            "caller.tenant": facts.tenant,
            "caller.person": facts.person,
            "caller.identity": facts.identity,
            "caller.identities": [facts.identity, *facts.identities],
            "caller.agent": facts.agent,
            "caller.actor": facts.actor,
            "requires_checkpoint": facts.requires_checkpoint,
            "time": facts.time,
        }
        for counter in self.counters:
            if counter.key in facts.counters and counter.is_told(action):
                known[f"counters.{counter.name}"] = min(facts.counters[counter.key], MOST)
        return bindings(action, known)

    def _case(self, action: Action, facts: Facts) -> Case:
        known = self.known(action, facts)
        activation = self._language.activation(known)
        if not self._costs:
            return Case(activation, Extent(0, 0), None)
        extent = extent_of(known)
        within = self._cost.steps(extent) <= STEPS
        return Case(activation, extent, None if within else STEPS // len(self._costs))


_UNMATCHED_READING: Final = Judgement(Effect.ALLOW, UNMATCHED)
_UNMATCHED_OTHER: Final = Judgement(Effect.CHECKPOINT, UNMATCHED, CheckpointType.EXECUTION_APPROVAL)


def words_of(rules: Iterable[Rule], counters: Iterable[Counter] = ()) -> bytes:
    """What rules and counters say, whatever their order, in canonical JSON."""
    said: Any = [rule.document() for rule in sorted(rules, key=lambda rule: rule.code)]
    counted = [one.document() for one in sorted(counters, key=lambda counter: counter.name)]
    return write({"rules": said, "counters": counted})


def revision_of(rules: Iterable[Rule], counters: Iterable[Counter] = ()) -> str:
    """The hash of what rules and counters say."""
    return digest(words_of(rules, counters))


def _contradictions(rules: Sequence[Rule], counters: Sequence[Counter]) -> Iterator[Problem]:
    by_code: dict[str, Rule] = {}
    for rule in sorted(rules, key=lambda rule: not rule.built_in):
        if (rule.effect is Effect.CHECKPOINT) != (rule.checkpoint_type is not None):
            told = "a checkpoint type belongs to the effect CHECKPOINT, and to no other"
            yield Problem(rule.code, "checkpoint_type", told)
        if rule.code in by_code or rule.code == UNMATCHED:
            whose = "a built-in rule has" if by_code.get(rule.code, rule).built_in else "is taken:"
            yield Problem(rule.code, "code", f"{whose} this code; choose another")
        by_code.setdefault(rule.code, rule)
        for code in rule.overrides:
            aside = by_code.get(code)
            # The constitution: what is not loosenable stays, whatever a tenant writes. Judging
            # looks once more (`_set_aside`), so a set that came another way cannot loosen it.
            if aside is None or not aside.built_in:
                yield Problem(rule.code, "overrides", f"{code} is not a built-in rule")
            elif not aside.loosenable:
                told = f"{code} is part of the constitution, which no tenant can loosen"
                yield Problem(rule.code, "overrides", told)
    names = [counter.name for counter in counters]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Problem(name, "counters", "two counters have this name; choose another")


def _rank(rule: Rule) -> tuple[int, str]:
    """The one of the highest priority comes first."""
    return -rule.priority, rule.code
