"""What of its like was permitted today, as it is told with every question. Pure.

The day is that of UTC: nobody keeps a calendar for a tenant or an identity. (Working hours are a
rule's, and move nothing but the clocks of its checkpoints.)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from chenu_gate.action import Action, ActionKind
from services.governance.policy.counters import amount_of, in_units

Used: TypeAlias = Mapping[str, Any]
"""Since when, how often (`of_tool`, `of_kind`), and `amounts` of the kind in micro-units, by unit
(`micros`, and how many `untold`). All numbers are text: sums may pass 2^53."""
Likes: TypeAlias = Mapping[tuple[ActionKind, str], Used]
"""What was used, by kind and tool."""

_UNITS: Final = ("currency", "unit")
_UNIT: Final = re.compile(r"[A-Za-z]{1,8}")


def start_of_day(moment: datetime) -> datetime:
    """When the day began that this moment is in."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def moved(action: Action) -> dict[str, str] | None:
    """The amount that the action moves, as its decision keeps it; None where it moves nothing.

    Without `micros` where it cannot be told; the unit is empty where none is named by letters.
    """
    micros = amount_of(action)
    if micros == 0:
        return None
    named = next((action.arguments[name] for name in _UNITS if name in action.arguments), "")
    amount = {"unit": ""}
    if isinstance(named, str) and _UNIT.fullmatch(named):
        amount["unit"] = named.upper()
    return amount if micros is None else amount | {"micros": str(micros)}


def used_today(action: Action, used: Used) -> list[str]:
    """What came before the action on its day, and what its amount would make of it, in lines."""
    day = datetime.fromisoformat(used["since"]).date()
    often = (
        f"Permitted for this identity today ({day}, UTC), before this:"
        f" {used['of_tool']} × {action.tool.name}, {used['of_kind']} × {action.kind.value} in all."
    )
    own = moved(action)
    if own is None:
        return [often]
    amounts = {
        unit: (int(said["micros"]), int(said["untold"])) for unit, said in used["amounts"].items()
    }
    micros, untold = amounts.pop(own["unit"], (0, 0))
    after = (micros + int(own.get("micros", 0)), untold + ("micros" not in own))
    told = (
        f"Amounts of {action.kind.value} today: {_sum(own['unit'], micros, untold)} before this,"
        f" {_sum(own['unit'], *after)} with it."
    )
    besides = ", ".join(_sum(unit, *said) for unit, said in sorted(amounts.items()))
    return [often, f"{told} Besides: {besides}." if besides else told]


def _sum(unit: str, micros: int, untold: int) -> str:
    known = f"{in_units(micros)} {unit or 'without a unit'}"
    return f"{known} and {untold} × an untold amount" if untold else known
