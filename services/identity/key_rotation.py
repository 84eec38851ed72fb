"""The operator's command: a new token key, with its record in the audit log."""

from kernel.context import background
from kernel.database import Database
from services.identity import audit_events
from services.identity.token_keys import TokenKeys


async def rotate_keys(worker: Database, keys: TokenKeys) -> tuple[str, str]:
    """The kids of the retired and of the new key; without a database nothing is rotated."""
    with background("identity.rotate_keys"):
        async with worker.work() as tx:
            old, new = keys.rotate()
            tx.emit(audit_events.token_key_rotated(old, new))
    return old, new
