"""Finds out which refused calls had meant something of another identity.

Whoever is refused hears the same whether the thing exists or not; the log knows:
the target of a true violation is the subject of an earlier record of somebody
else. The finding is a record of that somebody's.
"""

import json
from typing import Any, Final

import sqlalchemy as sa

from kernel.database import Database, Transaction
from kernel.statement import Statement
from services.audit import audit_events, log
from services.audit.progress import go_on, look_from
from services.audit.tables import entries

CROSS_IDENTITY_ACCESS: Final = "cross_identity_access"
SPOOFED_IDENTITY: Final = "spoofed_identity"
_SPOOFED: Final = frozenset({"PRINCIPAL_MISMATCH"})
_AT_ONCE: Final = 200
_DENIED: Final = Statement(
    sa.select(entries)
    .where(entries.c.denial, entries.c.kind == "event", entries.c.index >= sa.bindparam("at"))
    .order_by(entries.c.index)
    .limit(_AT_ONCE)
)
_OWNER: Final = Statement(
    sa.select(entries.c.tenant, entries.c.identity)
    .where(
        entries.c.subject == sa.bindparam("subject"),
        entries.c.kind == "event",
        entries.c.identity.is_not(None),
        ~entries.c.denial,
    )
    .order_by(entries.c.index)
    .limit(1)
)


class Violations:
    """Looks through the refused calls, each once."""

    def __init__(self, worker: Database) -> None:
        self._worker = worker

    async def look(self) -> int:
        """Judge what was refused since the last look; returns how many violations it found."""
        async with self._worker.work() as tx:
            at, size = await look_from(tx, "violations"), await log.size(tx)
            denied = await tx.fetch(_DENIED, at=at)
            found = 0
            for row in denied:
                found += await _judge(tx, row)
            await go_on(tx, "violations", denied[-1]["index"] + 1 if denied else size)
        return found


async def _judge(tx: Transaction, row: Any) -> int:
    event = json.loads(row["leaf"])
    reason = event["data"].get("reason", "")
    told = {"index": row["index"], "person": row["person"], "reason": reason}
    if reason in _SPOOFED:
        own = {"tenant": row["tenant"], "identity": row["identity"] or ""}
        tx.keep(audit_events.violation_found(row["subject"], kind=SPOOFED_IDENTITY, **own, **told))
        return 1
    found = 0
    for target in row["targets"]:
        owner = await tx.fetch_one(_OWNER, subject=target)
        if owner is not None and owner["identity"] != row["identity"]:
            whose = {"tenant": owner["tenant"], "identity": owner["identity"]}
            tx.keep(
                audit_events.violation_found(target, kind=CROSS_IDENTITY_ACCESS, **whose, **told)
            )
            found += 1
    return found
