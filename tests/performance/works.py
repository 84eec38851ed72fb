"""Every kind of work that an order may name."""

from typing import Final

from tests.performance.rules import HundredRules, Rules, TenRules, ThousandRules
from tests.performance.work import (
    Append,
    Authenticated,
    Gated,
    Health,
    Plain,
    ThreeRounds,
    Work,
)

WORK: Final[dict[str, type[Work]]] = {
    "plain": Plain,
    "gated": Gated,
    "three rounds": ThreeRounds,
    "append": Append,
    "health": Health,
    "authenticated": Authenticated,
    "no rules": Rules,
    "10 rules": TenRules,
    "100 rules": HundredRules,
    "1000 rules": ThousandRules,
}
