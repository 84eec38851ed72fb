"""Whether a permit may be out for what a freeze covers, as far as that can be known here.

Permits are signed and kept nowhere, so what is known are the decisions: one that is on record
as executed, or that was never permitted, has no permit with which anything could start.
"""

from __future__ import annotations

from typing import Final

import asyncpg

from kernel.database import Database
from kernel.statement import Statement

# Not looked at further than this: a brake is pulled at once.
MOST: Final = 1_000
_PATIENCE: Final = Statement("SET LOCAL lock_timeout = '250ms'")
# Deciding holds it shared (migration 0010). Whoever has held it alone after the freeze was
# committed knows that each decision from before is committed too, and any later one is frozen.
_AFTER_THE_OTHERS: Final = Statement(
    "SELECT pg_advisory_xact_lock(hashtextextended('rules/' || :tenant, 0))"
)
_OUT: Final = Statement(
    "SELECT count(*) > :most OR coalesce(bool_or(CASE :scope WHEN 'tenant' THEN true"
    " WHEN 'agent' THEN agent = :value WHEN 'tool' THEN tool = :value"
    " WHEN 'kind' THEN kind = :value ELSE true END"
    " AND executor <> 'governance' AND refusal = '' AND effect <> 'deny'"
    " AND NOT EXISTS (SELECT FROM executions AS e WHERE e.decision_id = d.decision_id)"
    " AND NOT EXISTS (SELECT FROM checkpoints AS c"
    "   WHERE c.decision_id = d.decision_id AND c.valid_until IS NULL)), false) AS may_be"
    " FROM (SELECT decision_id, agent, tool, kind, executor, refusal, effect FROM decisions"
    "   WHERE tenant = CAST(:tenant AS uuid) LIMIT :most + 1) AS d"
)


async def may_be_out(worker: Database, tenant: str, scope: str, value: str) -> bool:
    """False only where it is certain; to be asked once the freeze is committed."""
    try:
        async with worker.work() as tx:
            await tx.execute(_PATIENCE)
            await tx.fetch(_AFTER_THE_OTHERS, tenant=tenant)
            row = await tx.fetch_one(_OUT, tenant=tenant, scope=scope, value=value, most=MOST)
    except asyncpg.LockNotAvailableError:
        return True
    return row is None or bool(row["may_be"])
