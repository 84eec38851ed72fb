"""One lease row per worker: who has not renewed it owns no run any more."""

from collections.abc import Mapping, Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert

from chenu.nova.v1.run_pb2 import RunState
from kernel.caller import Caller
from kernel.database import Database
from kernel.statement import Statement
from services.nova.tables import runs, workers

_ID: Final = sa.Uuid(as_uuid=False)
_me: Final = sa.bindparam("worker", type_=_ID)
_run: Final = sa.bindparam("run", type_=_ID)
_now: Final = sa.func.clock_timestamp()
_principal_columns: Final = (
    runs.c.run_id, runs.c.tenant, runs.c.person, runs.c.identity, runs.c.agent,
)  # fmt: skip
_BLOCKED: Final = int(RunState.RUN_STATE_BLOCKED)
_claim: Final = (
    sa.update(runs)
    .values(worker_id=_me, state=int(RunState.RUN_STATE_RUNNING))
    .returning(*_principal_columns)
)

_lease: Final = insert(workers).values(
    worker_id=_me,
    expire_time=_now
    + sa.func.make_interval(0, 0, 0, 0, 0, 0, sa.bindparam("life", type_=sa.Float)),
)
_RENEW: Final = Statement(
    _lease.on_conflict_do_update(
        index_elements=["worker_id"], set_={"expire_time": _lease.excluded.expire_time}
    )
)
_END: Final = Statement(sa.delete(workers).where(workers.c.worker_id == _me))
_FORGET_DEAD: Final = Statement(
    sa.delete(workers).where(workers.c.expire_time < _now - sa.text("interval '1 hour'"))
)
# A transaction by itself: what wakes a run comes often.
_CLAIM_BLOCKED: Final = f"""
    UPDATE nova.runs SET worker_id = $2::text::uuid, state = {int(RunState.RUN_STATE_RUNNING)}
    WHERE run_id = $1::text::uuid AND state = {_BLOCKED}
    RETURNING jsonb_build_object('run_id', run_id, 'tenant', tenant, 'person', person,
        'identity', identity, 'agent', agent)"""  # noqa: S608
_living: Final = sa.exists().where(
    workers.c.worker_id == runs.c.worker_id, workers.c.expire_time > _now
)
# Unfinished runs of nobody, or of a worker without a lease; and blocked ones past their deadline.
_orphans: Final = (
    sa.select(runs.c.run_id)
    .where(
        sa.or_(
            sa.and_(runs.c.state < _BLOCKED, ~_living),
            sa.and_(runs.c.state == _BLOCKED, runs.c.deadline < _now),
        )
    )
    .order_by(runs.c.run_id)
    .limit(50)
    .with_for_update(skip_locked=True)
)
_CLAIM_ORPHANS: Final = Statement(_claim.where(runs.c.run_id.in_(_orphans.scalar_subquery())))
_ABANDON: Final = Statement(
    sa.update(runs).values(worker_id=None).where(runs.c.run_id == _run, runs.c.worker_id == _me)
)
_STATES: Final = Statement(
    sa.select(runs.c.run_id, runs.c.state).where(
        runs.c.run_id == sa.any_(sa.bindparam("runs", type_=ARRAY(_ID)))
    )
)


class Leases:
    """The lease of this worker, and what it claims under it. Uses the worker role."""

    def __init__(self, worker: Database, worker_id: str, seconds: float) -> None:
        self._worker, self._worker_id, self._seconds = worker, worker_id, seconds

    async def renew(self) -> None:
        """Say that this worker is alive."""
        async with self._worker.work() as tx:
            await tx.execute(_RENEW, worker=self._worker_id, life=self._seconds)
            await tx.execute(_FORGET_DEAD)

    async def end(self) -> None:
        """Give the lease back, so that the others need not wait for it to run out."""
        async with self._worker.work() as tx:
            await tx.execute(_END, worker=self._worker_id)

    async def claim_blocked(self, run_id: str) -> Caller | None:
        """Claim a run that waits for a person; its principal, or None where it does not wait."""
        row = await self._worker.call(_CLAIM_BLOCKED, run_id, self._worker_id)
        return None if row is None else _principal(row)

    async def claim_orphans(self) -> Sequence[tuple[Caller, str]]:
        """Claim up to 50 runs that have no living worker, or whose time is over."""
        async with self._worker.work() as tx:
            rows = await tx.fetch(_CLAIM_ORPHANS, worker=self._worker_id)
        return [(_principal(row), row["run_id"]) for row in rows]

    async def abandon(self, run_id: str) -> None:
        """Leave a run to whoever adopts it next."""
        async with self._worker.work() as tx:
            await tx.execute(_ABANDON, worker=self._worker_id, run=run_id)

    async def states(self, run_ids: Sequence[str]) -> Mapping[str, RunState]:
        """Where runs stand, by id; one that is not here is left out."""
        if not run_ids:
            return {}
        async with self._worker.work() as tx:
            rows = await tx.fetch(_STATES, runs=run_ids)
        return {row["run_id"]: row["state"] for row in rows}


def _principal(row: object) -> Caller:
    fields = dict(row)  # type: ignore[call-overload]
    return Caller(
        tenant=fields["tenant"],
        person=fields["person"],
        identity=fields["identity"],
        actor="agent" if fields["agent"] else "human",
        agent=fields["agent"],
        service="nova",
    )
