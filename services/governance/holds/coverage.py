"""Whether a standing grant covers an action. Pure; what is not named is not covered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from chenu.governance.v1.approval_pb2 import RiskClass
from chenu_gate.action import Action, ActionKind
from chenu_gate.canonical_json import write
from chenu_gate.sentences import KINDS
from services.governance.holds.standing import Standing
from services.governance.policy.risk import risk


class Use(NamedTuple):
    """The grant that an action falls under, and what it takes of the grant's total."""

    grant_id: str
    amount: int


def may_be_granted(kind: ActionKind) -> bool:
    """Whether a kind may be granted in advance: what can be brought back."""
    return KINDS[kind].reversible


def use(action: Action, standing: Standing) -> Use | None:
    """The first grant that covers the action; None where a person must be asked."""
    if not may_be_granted(action.kind) or risk(action) == RiskClass.RISK_CLASS_CRITICAL:
        return None
    for grant in (standing or {}).get("grants", ()):
        terms = grant["terms"]
        amount = _amount(action, terms)
        if amount is not None and _targets(action, terms) and _arguments(action, terms):
            return Use(grant["grant_id"], amount)
    return None


def _amount(action: Action, terms: Mapping[str, Any]) -> int | None:
    name = terms["amount_argument"]
    if not name:
        return 0
    value = action.arguments.get(name)
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return int(str(value)) if whole else None


def _targets(action: Action, terms: Mapping[str, Any]) -> bool:
    named = set(terms["target_ids"])
    return bool(terms["any_target"]) or all(target.id in named for target in action.targets)


def _arguments(action: Action, terms: Mapping[str, Any]) -> bool:
    constraints: Mapping[str, Mapping[str, Any]] = {
        one["argument"]: one for one in terms["constraints"]
    }
    arguments = action.document()["arguments"]
    return all(
        name in constraints and _fits(value, constraints[name]) for name, value in arguments.items()
    )


def _fits(value: Any, constraint: Mapping[str, Any]) -> bool:
    if constraint["anything"]:
        return True
    # The database leaves out what is null.
    limit: int | None = constraint.get("at_most")
    if limit is not None and isinstance(value, int) and not isinstance(value, bool):
        return 0 <= value <= limit
    values: Sequence[str] = constraint["values"]
    return (value if isinstance(value, str) else write(value).decode()) in values
