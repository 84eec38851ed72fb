"""Holding and pruning: what must stay, what goes, and that each of it is recorded."""

import asyncio
from datetime import timedelta
from typing import Final

import asyncpg
import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.postgresql import insert

from chenu.audit.v1 import retention_service_pb2 as messages
from kernel.caller import Caller
from kernel.database import Database, Record, Transaction
from kernel.errors import Forbidden
from kernel.statement import Statement
from services.audit import audit_events
from services.audit.entries import AUDITOR
from services.audit.errors import LegalHold, RoleRequired
from services.audit.tables import entries, holds, prunings

OWNER: Final = "owner"
_AGE_RULE: Final = "retention"
_PRUNE_SECONDS: Final = 3600.0
_placed = insert(holds).values(
    hold_id=sa.bindparam("hold_id"),
    tenant=sa.bindparam("tenant"),
    person=sa.bindparam("person"),
    matter=sa.bindparam("matter"),
)
_PLACE: Final = Statement(_placed.on_conflict_do_nothing().returning(holds))
_GET: Final = Statement(sa.select(holds).where(holds.c.hold_id == sa.bindparam("hold_id")))
_RELEASE: Final = Statement(
    sa.update(holds)
    .where(holds.c.hold_id == sa.bindparam("which"), holds.c.release_time.is_(None))
    .values(release_time=sa.func.clock_timestamp())
    .returning(holds)
)
_LIST: Final = Statement(sa.select(holds).order_by(holds.c.place_time.desc()).limit(500))
_MINIMUM: Final = Statement(sa.select(sa.func.coalesce(sa.func.max(prunings.c.minimum_index), 0)))
_OLD: Final = Statement(
    sa.select(entries.c.index)
    .where(
        # Manifests stay: without this all that ever were would be read.
        entries.c.index
        >= sa.select(sa.func.coalesce(sa.func.max(prunings.c.minimum_index), 0)).scalar_subquery(),
        entries.c.log_time >= sa.func.clock_timestamp() - sa.bindparam("age", type_=sa.Interval),
    )
    .order_by(entries.c.index)
    .limit(1)
)
_PRUNE: Final = Statement("SELECT audit.prune(:before, :rule) AS gone")
_log = structlog.get_logger(component="retention")


class Retention:
    """The use cases of the retention service."""

    def __init__(self, database: Database, worker: Database, *, days: int) -> None:
        self._database, self._worker, self.days = database, worker, days

    async def place(self, caller: Caller, request: messages.PlaceHoldRequest) -> Record:
        """A hold of the caller's tenant; the same id again is the same hold."""
        require_role(caller, OWNER, AUDITOR)
        async with self._database.transaction(caller) as tx:
            row = await tx.fetch_one(
                _PLACE,
                hold_id=request.hold_id,
                tenant=caller.tenant,
                person=request.person_id or None,
                matter=request.matter,
            )
            if row is None:
                return await self._find(tx, request.hold_id)
            tx.emit(audit_events.hold_changed("placed", row))
        return row

    async def release(self, caller: Caller, hold_id: str) -> Record:
        """End a hold."""
        require_role(caller, OWNER, AUDITOR)
        async with self._database.transaction(caller) as tx:
            row = await tx.fetch_one(_RELEASE, which=hold_id)
            if row is None:
                return await self._find(tx, hold_id)
            tx.emit(audit_events.hold_changed("released", row))
        return row

    async def holds(self, caller: Caller) -> list[Record]:
        """The tenant's holds, the latest first."""
        require_role(caller, OWNER, AUDITOR)
        async with self._database.transaction(caller) as tx:
            found = await tx.fetch(_LIST)
            tx.emit(audit_events.retention_read("holds", caller.tenant, len(found)))
        return found

    async def prune_forever(self) -> None:
        """A background task of the service."""
        while True:
            try:
                await self.prune()
            except LegalHold:
                _log.warning("nothing is pruned while a legal hold covers it")
            await asyncio.sleep(_PRUNE_SECONDS)

    async def prune(self) -> int:
        """Take off the log's beginning what is older than the retention; how many entries."""
        if not self.days:
            return 0
        async with self._worker.work() as tx:
            row = await tx.fetch_one(_OLD, age=timedelta(days=self.days))
            if row is None:
                return 0
            return await prune_before(tx, row["index"], f"{_AGE_RULE}-{self.days}-days")

    async def minimum_index(self) -> int:
        """Where the log begins."""
        async with self._worker.work() as tx:
            return await minimum_index(tx)

    async def _find(self, tx: Transaction, hold_id: str) -> Record:
        row = await tx.fetch_one(_GET, hold_id=hold_id)
        if row is None:
            raise Forbidden(subject=f"hold/{hold_id}")
        return row


async def prune_before(tx: Transaction, index: int, rule: str) -> int:
    """Prune what is before an index, unless a hold covers some of it; how many entries."""
    try:
        row = await tx.fetch_one(_PRUNE, before=index, rule=rule)
    except asyncpg.ObjectInUseError:
        raise LegalHold from None
    gone = int(row["gone"]) if row else 0
    if gone:
        _log.info("pruned", before=index, rule=rule, entries=gone)
        tx.keep(audit_events.entries_pruned(index, rule, gone))
    return gone


async def minimum_index(tx: Transaction) -> int:
    """The first entry that was not pruned."""
    row = await tx.fetch_one(_MINIMUM)
    return int(row[0]) if row else 0


def require_role(caller: Caller, *roles: str) -> None:
    """Raise RoleRequired unless the caller has one of them."""
    if not set(roles) & set(caller.roles):
        raise RoleRequired(roles=",".join(roles))
