"""What has been done so far, counted: how much, how often, by whom, within how long. Pure.

A rule set declares counters, and its conditions know them as `counters.<name>`. The value is
what was decided within the window before this action, without this action. What was denied
or rejected, or ran out of time, is not counted (any more); what waits for a person is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final

from chenu_gate.action import Action, ActionKind
from chenu_gate.canonical_json import MAX_INTEGER

MICROS: Final = 1_000_000
MOST: Final = 2**63 - 1
"""What conditions and columns hold; a sum that comes to more is told as this."""
_DECIMAL: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,6})?")


class Measure(StrEnum):
    """What is added up."""

    COUNT = "count"
    AMOUNT = "amount"


class Per(StrEnum):
    """Whose actions are added up; of one tenant always."""

    TENANT = "tenant"
    PERSON = "person"
    IDENTITY = "identity"
    AGENT = "agent"
    THREAD = "thread"
    RUN = "run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """A sum over the actions of these kinds and tools (none means all) within a window."""

    name: str
    measure: Measure
    per: Per
    window_seconds: int
    kinds: tuple[ActionKind, ...] = ()
    tools: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """The counter as plain JSON."""
        return {
            "name": self.name,
            "measure": self.measure.value,
            "per": self.per.value,
            "window_seconds": self.window_seconds,
            "kinds": sorted(kind.value for kind in self.kinds),
            "tools": sorted(self.tools),
        }

    @property
    def key(self) -> str:
        """What it counts, whatever its name: another revision may count the same."""
        kinds = ",".join(sorted(self.kinds))
        tools = ",".join(sorted(self.tools))
        return f"{self.measure}/{self.per}/{self.window_seconds}/{kinds}/{tools}"

    def counts(self, action: Action) -> bool:
        """Whether the action is one of those that are added up."""
        return (not self.kinds or action.kind in self.kinds) and (
            not self.tools or any(is_tool(tool, action.tool.name) for tool in self.tools)
        )

    def contribution(self, action: Action) -> int:
        """What the action adds: one, or its amount in micro-units; nothing where it is not known.

        Nobody could take it back out of a sum that is unknown for a whole window. What keeps such
        an action from being a way round a limit is that no rule is told the sum (`is_told`).
        """
        return 1 if self.measure is Measure.COUNT else amount_of(action) or 0

    def is_told(self, action: Action) -> bool:
        """Whether the action may be judged by the sum: not where its own part cannot be told."""
        counted = self.measure is Measure.AMOUNT and self.counts(action)
        return not counted or amount_of(action) is not None

    def tally(self, action: Action) -> str:
        """Under which name the actions of the same tenant, person, … are added up."""
        principal = action.principal
        subject = {
            Per.TENANT: principal.tenant,
            Per.PERSON: principal.person,
            Per.IDENTITY: principal.identity,
            Per.AGENT: f"{principal.identity}/{principal.agent}",
            Per.THREAD: f"{principal.identity}/{action.thread}",
            Per.RUN: f"{principal.identity}/{action.run}",
        }[self.per]
        return f"{self.key}#{subject}"


def is_tool(pattern: str, name: str) -> bool:
    """Whether a tool goes by this name; a star at the end stands for any rest."""
    if pattern.endswith("*"):
        return name.startswith(pattern[:-1])
    return name == pattern


def in_units(micros: int) -> str:
    """Micro-units as decimal text of whole units."""
    whole, rest = divmod(micros, MICROS)
    return f"{whole}.{rest:06d}".rstrip("0").rstrip(".")


def amount_of(action: Action) -> int | None:
    """The amount that an action moves, in micro-units; None where it cannot be told.

    From the argument `amount_micros` (an integer) or `amount` (an integer of whole units, or
    decimal text of at most six places); where both are given they must agree. An action without
    either moves nothing, unless it is a payment: then its amount is not known.
    """
    told = {
        read(action.arguments[name])
        for name, read in (("amount_micros", _micros), ("amount", _units))
        if name in action.arguments
    }
    if not told:
        return None if action.kind is ActionKind.PAYMENT else 0
    return told.pop() if len(told) == 1 else None


def _micros(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _units(value: Any) -> int | None:
    if type(value) is int:
        return value * MICROS if 0 <= value <= MAX_INTEGER // MICROS else None
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        return None
    try:
        known = int(Decimal(value) * MICROS)
    except InvalidOperation:
        return None
    return known if known <= MAX_INTEGER else None
