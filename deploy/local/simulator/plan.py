"""A plan as the simulator answers it."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Call:
    """One use of a tool."""

    tool: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """Words, and the uses of tools that go with them, in order."""

    text: str
    calls: tuple[Call, ...] = ()
