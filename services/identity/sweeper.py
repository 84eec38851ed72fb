"""Deletes what can no longer matter: rows whose time is over, private keys that sign no more.

The policies of the worker role hold it to that: it does not even see rows whose
time has not come.
"""

import asyncio
from typing import Final

from kernel.database import Database
from kernel.statement import Statement
from services.identity.token_keys import TokenKeys

# Refresh tokens and delegations go a week after their end: a token used again must still be
# recognised while its session could live, and a renewal should be refused for the right reason.
TABLES: Final = ("attempts", "spent_assertions", "refresh_tokens", "delegations", "channel_grants")
_DELETE: Final = {table: Statement(f"DELETE FROM {table}") for table in TABLES}  # noqa: S608


async def sweep(worker: Database) -> dict[str, int]:
    """How many rows went, by table."""
    async with worker.work() as tx:
        return {table: await tx.execute(statement) for table, statement in _DELETE.items()}


async def sweep_forever(worker: Database, keys: TokenKeys, seconds: float) -> None:
    """A background task of the service."""
    while True:
        await sweep(worker)
        keys.retire()
        await asyncio.sleep(seconds)
