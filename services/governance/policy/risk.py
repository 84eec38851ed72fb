"""How much harm an action can do: a class that ranks the queue. Pure and deterministic.

Points are added up; 0 and 1 are LOW, 2 is MEDIUM, 3 is HIGH, 4 and more are CRITICAL.

| points | for |
|---|---|
| 0 | query, search, summarize, analyze |
| 1 | create, update |
| 2 | transfer, export, execute, configure |
| 3 | delete, send, publish: it cannot be brought back, or it leaves the house |
| 4 | payment |
| +1 | the action leaves its sphere |
| +1 | more than one target; +2 more than ten |
| +1 | an amount of 1,000 or more: a whole number, or a decimal as text, under `amount`, `total`, |
|    | `price` or `sum`, at any depth of the arguments, whatever its unit |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from chenu.governance.v1.approval_pb2 import RiskClass
from chenu_gate.action import READING_KINDS, Action, ActionKind

_POINTS: Final = {
    **dict.fromkeys(READING_KINDS, 0),
    ActionKind.CREATE: 1,
    ActionKind.UPDATE: 1,
    ActionKind.TRANSFER: 2,
    ActionKind.EXPORT: 2,
    ActionKind.EXECUTE: 2,
    ActionKind.CONFIGURE: 2,
    ActionKind.DELETE: 3,
    ActionKind.SEND: 3,
    ActionKind.PUBLISH: 3,
    ActionKind.PAYMENT: 4,
}
_AMOUNTS: Final = frozenset({"amount", "total", "price", "sum"})
_LARGE_AMOUNT: Final = 1_000
_MANY_TARGETS: Final = 10
_CLASSES: Final = (
    RiskClass.RISK_CLASS_LOW,
    RiskClass.RISK_CLASS_LOW,
    RiskClass.RISK_CLASS_MEDIUM,
    RiskClass.RISK_CLASS_HIGH,
    RiskClass.RISK_CLASS_CRITICAL,
)


def risk(action: Action) -> RiskClass:
    """The class of an action; the same action always has the same one."""
    points = _POINTS[action.kind]
    if action.target_sphere not in ("", action.source_sphere):
        points += 1
    points += (len(action.targets) > 1) + (len(action.targets) > _MANY_TARGETS)
    if any(amount >= _LARGE_AMOUNT for amount in amounts(action.arguments)):
        points += 1
    return _CLASSES[min(points, len(_CLASSES) - 1)]


def amounts(value: Any, name: str = "") -> Iterator[Decimal]:
    """Every amount in the arguments, as it stands there."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from amounts(item, key)
    elif isinstance(value, tuple):
        for item in value:
            yield from amounts(item, name)
    elif name.lower() in _AMOUNTS and isinstance(value, int | str) and not isinstance(value, bool):
        try:
            amount = Decimal(value)
        except InvalidOperation:
            return
        if amount.is_finite():
            # Unlike abs() without a context, in which an exponent can be too large.
            yield amount.copy_abs()


def risk_word(action: Action) -> str:
    """The risk class as rows keep it."""
    return RiskClass.Name(risk(action)).removeprefix("RISK_CLASS_").lower()
