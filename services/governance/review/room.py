"""How much can be said of one checkpoint: no more than one answer carries."""

from __future__ import annotations

from typing import Any, Final

from kernel.database import Transaction
from kernel.statement import Statement
from services.governance.errors import TooMuchSaid

MOST_BYTES: Final = 1 << 20
_APART: Final = 200
"""What each of them takes besides its own text."""
_SAID: Final = Statement(
    "SELECT coalesce((SELECT sum(octet_length(remark) + :apart) FROM remarks"
    " WHERE checkpoint_id = :checkpoint_id), 0)"
    " + coalesce((SELECT sum(octet_length(changes::text) + :apart) FROM edited_views"
    " WHERE checkpoint_id = :checkpoint_id), 0) AS bytes"
)


async def check_room(tx: Transaction, checkpoint_id: str, text: str) -> None:
    """Raise TooMuchSaid where this is more than there is room for; the checkpoint is held."""
    said: Any = await tx.fetch_one(_SAID, checkpoint_id=checkpoint_id, apart=_APART)
    if said["bytes"] + len(text.encode()) + _APART > MOST_BYTES:
        raise TooMuchSaid
