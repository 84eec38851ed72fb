"""The operator's command: a new token key, with its record in the audit log."""

from datetime import datetime

from kernel.context import background
from kernel.database import Database
from services.identity import audit_events
from services.identity.token_keys import TokenKeys


async def rotate_keys(worker: Database, keys: TokenKeys) -> tuple[str, datetime]:
    """The kid of the new key, and when it begins to sign; nothing without a database."""
    with background("identity.rotate_keys"):
        async with worker.work() as tx:
            kid, begins = keys.rotate()
            tx.emit(audit_events.token_key_published(kid))
    return kid, begins
