"""Compiled rules, and what their conditions come to for one action. Pure."""

from __future__ import annotations

from typing import NamedTuple

from cel_expr_python.cel import Activation, Expression

from services.governance.policy.rule import Effect, Rule
from services.governance.policy.rule_cost import Cost, Extent


class Compiled(NamedTuple):
    """`cost` is None for a built-in rule: what we write ourselves is short."""

    rule: Rule
    condition: Expression
    cost: Cost | None


class Group(NamedTuple):
    """Rules of one effect and one scope; `any_holds` is all their conditions in one.

    As a rule none of many holds: one evaluation says so for all of them, and only where one
    holds, or cannot be evaluated, are they looked at one by one.
    """

    members: tuple[Compiled, ...]
    any_holds: Expression
    counters: frozenset[str]

    @property
    def first(self) -> Rule:
        """The one that comes first."""
        return self.members[0].rule


class Case(NamedTuple):
    """An action's variables; `share` is what a condition may take, None where all may."""

    activation: Activation
    extent: Extent
    share: int | None

    def value(self, one: Compiled) -> bool | None:
        """True or false; None where it cannot be evaluated, or not in its share of steps."""
        if not self.affords(one):
            return None
        return value_of(one.condition, self.activation)

    def affords(self, one: Compiled) -> bool:
        """Whether the condition takes no more than its share of steps."""
        return self.share is None or one.cost is None or one.cost.steps(self.extent) <= self.share

    def holds(self, one: Compiled) -> bool:
        """Whether it matches; what cannot be evaluated does, unless it would allow something."""
        value = self.value(one)
        return one.rule.effect is not Effect.ALLOW if value is None else value

    def excludes(self, group: Group) -> bool:
        """Whether it is known of all its rules at once that none matches."""
        if self.share is not None and not all(map(self.affords, group.members)):
            return False
        return value_of(group.any_holds, self.activation) is False


def value_of(condition: Expression, activation: Activation) -> bool | None:
    """True or false; None where it cannot be evaluated, or not in as many steps as one may take."""
    try:
        value = condition.eval(activation).value()
    except RuntimeError:
        return None
    return value if isinstance(value, bool) else None
