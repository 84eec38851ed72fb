"""What the rules say of an action. Pure: the same facts always get the same answer.

    rules = RuleSet(BUILT_IN)
    judgement = rules.judge(action, facts)

Conditions are CEL over a typed environment (`VARIABLES`). The most restrictive rule that
matches wins, then the one of the highest priority. A rule that cannot be evaluated counts
as matching, unless it would allow something.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Self

from cel_expr_python.cel import Activation, Expression, NewEnv, Type

from chenu_gate.action import READING_KINDS, Action, ActionKind
from chenu_gate.canonical_json import digest, write

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


class RuleInvalid(ValueError):
    """A rule that does not compile, or does not say what must follow from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A condition over an action and what follows from it; no kinds means all of them."""

    code: str
    name: str
    description: str
    effect: Effect
    condition: str = "true"
    checkpoint_type: CheckpointType | None = None
    priority: int = 0
    kinds: tuple[ActionKind, ...] = ()
    approval: str = ""
    """JSON text of an ApprovalRequirement (see `requirements.py`); empty means the default."""

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
            "approval": self.approval,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a decision is made from, besides the action; stored with it, without content."""

    tenant: str
    person: str
    identity: str
    agent: str
    actor: str
    requires_checkpoint: bool
    time: datetime

    def stored(self) -> dict[str, str | bool]:
        """As the decision keeps them."""
        return {
            "tenant": self.tenant,
            "person": self.person,
            "identity": self.identity,
            "agent": self.agent,
            "actor": self.actor,
            "requires_checkpoint": self.requires_checkpoint,
            "time": self.time.isoformat(),
        }

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Self:
        """The facts again, to replay a decision."""
        return cls(**{**stored, "time": datetime.fromisoformat(stored["time"])})


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the rules say of one action, and which of them said it."""

    effect: Effect
    rule: str
    checkpoint_type: CheckpointType | None = None
    warnings: tuple[str, ...] = ()


VARIABLES: Final[Mapping[str, Type]] = {
    "action.kind": Type.STRING,
    "action.tool": Type.STRING,
    "action.executor": Type.STRING,
    "action.tenant": Type.STRING,
    "action.person": Type.STRING,
    "action.identity": Type.STRING,
    "action.agent": Type.STRING,
    "action.source_sphere": Type.STRING,
    "action.target_sphere": Type.STRING,
    "action.targets": Type.List(Type.Map(Type.STRING, Type.STRING)),
    "action.arguments": Type.Map(Type.STRING, Type.DYN),
    "action.thread": Type.STRING,
    "action.run": Type.STRING,
    "caller.tenant": Type.STRING,
    "caller.person": Type.STRING,
    "caller.identity": Type.STRING,
    "caller.agent": Type.STRING,
    "caller.actor": Type.STRING,
    "requires_checkpoint": Type.BOOL,
    "time": Type.TIMESTAMP,
}


class RuleSet:
    """An immutable revision of rules, compiled once and indexed by kind."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules: Final[Sequence[Rule]] = tuple(
            sorted(rules, key=lambda rule: (-rule.priority, rule.code))
        )
        documents = [rule.document() for rule in sorted(self.rules, key=lambda rule: rule.code)]
        self.revision: Final = digest(write(documents))
        self._environment = NewEnv(variables=dict(VARIABLES))
        compiled = [(rule, self._compile(rule)) for rule in self.rules]
        # Severest first, and within an effect by priority, since sorting is stable.
        compiled.sort(key=lambda item: -item[0].effect.severity)
        self._by_kind = {
            kind: [item for item in compiled if not item[0].kinds or kind in item[0].kinds]
            for kind in ActionKind
        }

    def judge(self, action: Action, facts: Facts) -> Judgement:
        """The most restrictive of what matches; what matches nothing is gated unless it reads."""
        activation = self._environment.Activation(_bindings(action, facts))
        decisive: Rule | None = None
        warnings: list[str] = []
        for rule, condition in self._by_kind[action.kind]:
            # Once the decisive rule is found, only warnings are still of interest.
            if decisive is not None and rule.effect is not Effect.WARN:
                continue
            if _holds(rule, condition, activation):
                decisive = decisive or rule
                if rule.effect is Effect.WARN:
                    warnings.append(rule.description)
        if decisive is None:
            return _UNMATCHED_READING if action.kind in READING_KINDS else _UNMATCHED_OTHER
        return Judgement(decisive.effect, decisive.code, decisive.checkpoint_type, tuple(warnings))

    def named(self, code: str) -> Rule | None:
        """The rule of that code; None for `unmatched` and for rules of other revisions."""
        return next((rule for rule in self.rules if rule.code == code), None)

    def _compile(self, rule: Rule) -> Expression:
        if (rule.effect is Effect.CHECKPOINT) != (rule.checkpoint_type is not None):
            raise RuleInvalid(f"{rule.code}: a checkpoint type belongs to the effect CHECKPOINT")
        try:
            condition = self._environment.compile(rule.condition)
        except RuntimeError as error:
            raise RuleInvalid(f"{rule.code}: {error}") from None
        if condition.return_type() != Type.BOOL:
            raise RuleInvalid(f"{rule.code}: the condition must be true or false")
        return condition


_UNMATCHED_READING: Final = Judgement(Effect.ALLOW, UNMATCHED)
_UNMATCHED_OTHER: Final = Judgement(Effect.CHECKPOINT, UNMATCHED, CheckpointType.EXECUTION_APPROVAL)


def _holds(rule: Rule, condition: Expression, activation: Activation) -> bool:
    value = condition.eval(activation)
    if value.type() != Type.BOOL:
        return rule.effect is not Effect.ALLOW
    return bool(value.value())


def _bindings(action: Action, facts: Facts) -> dict[str, Any]:
    document = action.document()
    return {
        "action.kind": action.kind.value,
        "action.tool": action.tool.name,
        "action.executor": action.executor,
        "action.tenant": action.principal.tenant,
        "action.person": action.principal.person,
        "action.identity": action.principal.identity,
        "action.agent": action.principal.agent,
        "action.source_sphere": action.source_sphere,
        "action.target_sphere": action.target_sphere,
        "action.targets": document["targets"],
        "action.arguments": document["arguments"],
        "action.thread": action.thread,
        "action.run": action.run,
        "caller.tenant": facts.tenant,
        "caller.person": facts.person,
        "caller.identity": facts.identity,
        "caller.agent": facts.agent,
        "caller.actor": facts.actor,
        "requires_checkpoint": facts.requires_checkpoint,
        "time": facts.time,
    }
