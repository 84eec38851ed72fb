"""What the rules say of an action. Pure: the same facts always get the same answer.

    rules = RuleSet(BUILT_IN)
    judgement = rules.judge(action, facts)

Conditions are CEL over a typed environment (`rule_language`). The most restrictive rule that
matches wins, then the one of the highest priority; the order of the rules says nothing. A rule
that cannot be evaluated counts as matching, unless it would allow something. A tenant's rule
may set a built-in one aside (`overrides`), if that is loosenable; the laws are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from cel_expr_python.cel import Activation, Expression

from chenu_gate.action import READING_KINDS, Action
from chenu_gate.canonical_json import digest, write
from services.governance.counters import Counter
from services.governance.rule import (
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
from services.governance.rule_language import (
    ConditionInvalid,
    Language,
    bindings,
    counters_in,
)

__all__ = [
    "UNMATCHED", "CheckpointType", "Effect", "Facts", "Judgement", "Match", "Problem", "Rule",
    "RuleInvalid", "RuleSet", "revision_of",
]  # fmt: skip
_REMEMBERED_SCOPES: Final = 4_096


class _Compiled(NamedTuple):
    rule: Rule
    condition: Expression
    counters: frozenset[str]


class RuleSet:
    """An immutable revision of rules, compiled once; scopes are looked at once per kind of action.

    `revision` is the hash of what the rules and counters say, unless another name is given.
    """

    def __init__(
        self, rules: Iterable[Rule], counters: Iterable[Counter] = (), *, revision: str = ""
    ) -> None:
        self.rules: Final[Sequence[Rule]] = tuple(
            sorted(rules, key=lambda rule: (-rule.priority, rule.code))
        )
        self.counters: Final = tuple(sorted(counters, key=lambda counter: counter.name))
        self.revision: Final = revision or revision_of(self.rules, self.counters)
        self._named = {rule.code: rule for rule in self.rules}
        self._language = Language(counter.name for counter in self.counters)
        compiled = self._compiled()
        # Severest first, and within an effect by priority, since sorting is stable.
        compiled.sort(key=lambda one: -one.rule.effect.severity)
        self._compiled_rules = tuple(compiled)
        self._scopes: dict[tuple[str, ...], tuple[_Compiled, ...]] = {}

    def judge(self, action: Action, facts: Facts) -> Judgement:
        """The most restrictive of what matches; what matches nothing is gated unless it reads."""
        activation = self._activation(action, facts)
        covering = self._covering(action)
        aside = _set_aside(covering, activation)
        decisive: Rule | None = None
        warnings: list[str] = []
        for rule, condition, _ in covering:
            # Once the decisive rule is found, only warnings are still of interest.
            if decisive is not None and rule.effect is not Effect.WARN:
                continue
            if rule.code not in aside and _holds(rule, condition, activation):
                decisive = decisive or rule
                if rule.effect is Effect.WARN:
                    warnings.append(rule.description)
        if decisive is None:
            return _UNMATCHED_READING if action.kind in READING_KINDS else _UNMATCHED_OTHER
        return Judgement(decisive.effect, decisive.code, decisive.checkpoint_type, tuple(warnings))

    def explain(self, action: Action, facts: Facts) -> list[Match]:
        """Every rule that matches the action, the severest first, whether it decides or not."""
        activation = self._activation(action, facts)
        covering = self._covering(action)
        aside = _set_aside(covering, activation)
        return [
            Match(rule, aside.get(rule.code, ""), _value(condition, activation) is None)
            for rule, condition, _ in covering
            if _holds(rule, condition, activation)
        ]

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

    def _compiled(self) -> list[_Compiled]:
        problems = [*_contradictions(self.rules, self.counters)]
        compiled = []
        for rule in self.rules:
            try:
                condition = self._language.compile(rule.condition)
                compiled.append(_Compiled(rule, condition, counters_in(rule.condition)))
            except ConditionInvalid as invalid:
                problems += [
                    Problem(rule.code, "condition", one.text, one.line, one.column)
                    for one in invalid.mistakes
                ]
        if problems:
            raise RuleInvalid(problems)
        return compiled

    def _covering(self, action: Action) -> tuple[_Compiled, ...]:
        scope = (
            action.kind, action.tool.name, action.principal.agent,
            action.source_sphere, action.target_sphere,
        )  # fmt: skip
        covering = self._scopes.get(scope)
        if covering is None:
            covering = tuple(one for one in self._compiled_rules if one.rule.covers(action))
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
            if counter.key in facts.counters:
                known[f"counters.{counter.name}"] = facts.counters[counter.key]
        return bindings(action, known)

    def _activation(self, action: Action, facts: Facts) -> Activation:
        return self._language.activation(self.known(action, facts))


_UNMATCHED_READING: Final = Judgement(Effect.ALLOW, UNMATCHED)
_UNMATCHED_OTHER: Final = Judgement(Effect.CHECKPOINT, UNMATCHED, CheckpointType.EXECUTION_APPROVAL)


def revision_of(rules: Iterable[Rule], counters: Iterable[Counter] = ()) -> str:
    """The hash of what rules and counters say, whatever their order."""
    said: Any = [rule.document() for rule in sorted(rules, key=lambda rule: rule.code)]
    counted = [one.document() for one in sorted(counters, key=lambda counter: counter.name)]
    return digest(write({"rules": said, "counters": counted}))


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


def _set_aside(covering: Iterable[_Compiled], activation: Activation) -> dict[str, str]:
    """The rules that others override, with whose doing it is; only what is true for certain."""
    loosenable = {one.rule.code for one in covering if one.rule.built_in and one.rule.loosenable}
    return {
        code: one.rule.code
        for one in covering
        if one.rule.overrides and _value(one.condition, activation) is True
        for code in one.rule.overrides
        if code in loosenable
    }


def _holds(rule: Rule, condition: Expression, activation: Activation) -> bool:
    value = _value(condition, activation)
    return rule.effect is not Effect.ALLOW if value is None else value


def _value(condition: Expression, activation: Activation) -> bool | None:
    """True or false; None where it cannot be evaluated."""
    value = condition.eval(activation).value()
    return value if isinstance(value, bool) else None
