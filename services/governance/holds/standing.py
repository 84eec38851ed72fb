"""What stands against an action whatever the rules say of it. Pure.

The door finds it in the database (`governance.standing`, migration 0008), in the statement that
decides: what commits later finds only permits that are older than itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

FROZEN: Final = "FROZEN"
OUT_OF_SCOPE: Final = "OUT_OF_SCOPE"
REJECTED_BEFORE: Final = "REJECTED_BEFORE"
Standing: TypeAlias = Mapping[str, Any] | None
"""As `governance.standing` found it; None where nothing stands for or against the action."""


def frozen(standing: Standing) -> str:
    """Why nothing of it may be done now; empty where no freeze covers it."""
    if not standing or "freeze" not in standing:
        return ""
    freeze = standing["freeze"]
    return f"{FROZEN}: by freeze {freeze['freeze_id']} since {freeze['create_time']}"
