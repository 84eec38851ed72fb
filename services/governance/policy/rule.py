"""A rule and what it is judged by: plain data, with the document that a revision is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple, Self

from chenu_gate.action import READING_KINDS, Action, ActionKind
from services.governance.policy.counters import is_tool

OWN_EXECUTOR: Final = "governance"
"""Whose tools are governance's own operations: see `operations`."""
UNMATCHED: Final = "unmatched"
"""The code that stands for a rule where no rule matched."""


class Effect(StrEnum):
    """What follows for the action, from the mildest to the most restrictive."""

    ALLOW = "allow"
    WARN = "warn"
    CHECKPOINT = "checkpoint"
    DENY = "deny"

    @property
    def severity(self) -> int:
        """Higher wins."""
        return list(Effect).index(self)


class CheckpointType(StrEnum):
    """Why a person is asked."""

    EXECUTION_APPROVAL = "execution_approval"
    DATA_ACCESS = "data_access"
    SCOPE_ELEVATION = "scope_elevation"
    BUDGET_APPROVAL = "budget_approval"
    CROSS_SPHERE = "cross_sphere"
    DESTRUCTIVE_ACTION = "destructive_action"
    IDENTITY_BOUNDARY = "identity_boundary"


class Problem(NamedTuple):
    """What is wrong with a rule; line and column are from 1, and 0 where there is no place."""

    rule: str
    field: str
    text: str
    line: int = 0
    column: int = 0


class RuleInvalid(ValueError):
    """Rules that do not compile, contradict themselves, or would loosen what may not be."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{one.rule}: {one.text}" for one in self.problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A condition over an action and what follows from it.

    Its scope are the kinds, tools, spheres and agents that it names; none means all of them.
    A tool may end in a star; the agent `*` is any agent, but not a person. An action is in the
    spheres that it comes from and goes to; one that only reads and goes to none, or is in none at
    all, may be anywhere.
    """

    code: str
    name: str
    description: str
    effect: Effect
    condition: str = "true"
    checkpoint_type: CheckpointType | None = None
    priority: int = 0
    kinds: tuple[ActionKind, ...] = ()
    tools: tuple[str, ...] = ()
    spheres: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    owner: str = ""
    overrides: tuple[str, ...] = ()
    """Built-in rules that it sets aside where its condition is true; only loosenable ones."""
    approval: str = ""
    """JSON text of an ApprovalRequirement (see `requirements.py`); empty means the default."""
    built_in: bool = False
    loosenable: bool = False

    def document(self) -> dict[str, Any]:
        """The rule as plain JSON: what a revision is the hash of."""
        return {
            "code": self.code,
            "name": self.name,
            "description": self.description,
            "effect": self.effect.value,
            "condition": self.condition,
            "checkpoint_type": self.checkpoint_type.value if self.checkpoint_type else "",
            "priority": self.priority,
            "kinds": [kind.value for kind in self.kinds],
            "tools": list(self.tools),
            "spheres": list(self.spheres),
            "agents": list(self.agents),
            "owner": self.owner,
            "overrides": list(self.overrides),
            "approval": self.approval,
        }

    def covers(self, action: Action) -> bool:
        """Whether the action is within its scope.

        What could be in any sphere is in that of every rule that would stop it, or leaving the
        sphere out would be a way round; governance's own operations are in none.
        """
        agent = action.principal.agent
        return (
            (not self.kinds or action.kind in self.kinds)
            and (not self.tools or any(is_tool(tool, action.tool.name) for tool in self.tools))
            and (self.names_sphere(action) or self._may_be_meant(action))
            and (not self.agents or agent in self.agents or (bool(agent) and "*" in self.agents))
        )

    def names_sphere(self, action: Action) -> bool:
        """Whether the action says itself that it is in a sphere of this rule."""
        named = {action.source_sphere, action.target_sphere}
        return not self.spheres or bool(named.intersection(self.spheres))

    def _may_be_meant(self, action: Action) -> bool:
        anywhere = not action.target_sphere and (
            not action.source_sphere or action.kind in READING_KINDS
        )
        own = action.executor == OWN_EXECUTOR
        return anywhere and not own and self.effect is not Effect.ALLOW


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a decision is made from, besides the action; stored with it, without content.

    `identities` are the person's own ones among those that the action names; `counters` are
    the values of those that the rules asked for, by what they count.
    """

    tenant: str
    person: str
    identity: str
    agent: str
    actor: str
    requires_checkpoint: bool
    time: datetime
    identities: tuple[str, ...] = ()
    counters: Mapping[str, int] = field(default_factory=dict)

    def stored(self) -> dict[str, Any]:
        """As the decision keeps them."""
        return {
            "tenant": self.tenant,
            "person": self.person,
            "identity": self.identity,
            "agent": self.agent,
            "actor": self.actor,
            "requires_checkpoint": self.requires_checkpoint,
            "time": self.time.isoformat(),
            "identities": list(self.identities),
            "counters": dict(self.counters),
        }

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Self:
        """The facts again, to replay a decision; the first decisions kept no more than this."""
        known = {name: stored[name] for name in cls.__slots__ if name in stored}
        known["time"] = datetime.fromisoformat(stored["time"])
        known["identities"] = tuple(stored.get("identities", ()))
        return cls(**known)


def as_told(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Stored facts as others are told of them: sums as text, since they may pass 2^53."""
    sums = stored.get("counters", {})
    return {**stored, "counters": {name: str(value) for name, value in sums.items()}}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the rules say of one action, and which of them said it."""

    effect: Effect
    rule: str
    checkpoint_type: CheckpointType | None = None
    warnings: tuple[str, ...] = ()


class Match(NamedTuple):
    """A rule that matched; it was set aside by another, or could not be evaluated."""

    rule: Rule
    overridden_by: str = ""
    failed: bool = False
