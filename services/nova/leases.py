"""One lease row per worker: who has not renewed it owns no run any more."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from chenu.nova.v1.run_pb2 import RunState
from kernel.caller import Caller
from kernel.database import Database
from kernel.statement import Statement

_UNFINISHED: Final = f"({int(RunState.RUN_STATE_PENDING)}, {int(RunState.RUN_STATE_RUNNING)})"
_PRINCIPAL: Final = "run_id, tenant, person, identity, agent"

_RENEW: Final = Statement(
    sa.text(
        "INSERT INTO nova.workers (worker_id, expire_time)"
        " VALUES (:worker, clock_timestamp() + make_interval(secs => :seconds))"
        " ON CONFLICT (worker_id) DO UPDATE SET expire_time = excluded.expire_time"
    ).bindparams(
        sa.bindparam("worker", type_=sa.Uuid(as_uuid=False)),
        sa.bindparam("seconds", type_=sa.Float),
    )
)
_END: Final = Statement(
    sa.text("DELETE FROM nova.workers WHERE worker_id = :worker").bindparams(
        sa.bindparam("worker", type_=sa.Uuid(as_uuid=False))
    )
)
_FORGET_DEAD: Final = Statement(
    sa.text("DELETE FROM nova.workers WHERE expire_time < clock_timestamp() - interval '1 hour'")
)
_CLAIM_BLOCKED: Final = Statement(
    sa.text(
        f"UPDATE nova.runs SET worker_id = :worker, state = {int(RunState.RUN_STATE_RUNNING)}"  # noqa: S608  numbers
        f" WHERE run_id = :run AND state = {int(RunState.RUN_STATE_BLOCKED)}"
        f" RETURNING {_PRINCIPAL}"
    ).bindparams(
        sa.bindparam("worker", type_=sa.Uuid(as_uuid=False)),
        sa.bindparam("run", type_=sa.Uuid(as_uuid=False)),
    )
)
# Unfinished runs of nobody, or of a worker without a lease; and blocked ones past their deadline.
_CLAIM_ORPHANS: Final = Statement(
    sa.text(
        f"UPDATE nova.runs SET worker_id = :worker, state = {int(RunState.RUN_STATE_RUNNING)}"
        " WHERE run_id IN (SELECT run_id FROM nova.runs r"
        f" WHERE (state IN {_UNFINISHED} AND NOT EXISTS (SELECT FROM nova.workers w"
        "  WHERE w.worker_id = r.worker_id AND w.expire_time > clock_timestamp()))"
        f" OR (state = {int(RunState.RUN_STATE_BLOCKED)} AND deadline < clock_timestamp())"
        " ORDER BY run_id LIMIT 50 FOR UPDATE SKIP LOCKED)"
        f" RETURNING {_PRINCIPAL}"
    ).bindparams(sa.bindparam("worker", type_=sa.Uuid(as_uuid=False)))
)
_ABANDON: Final = Statement(
    sa.text(
        "UPDATE nova.runs SET worker_id = NULL WHERE run_id = :run AND worker_id = :worker"
    ).bindparams(
        sa.bindparam("worker", type_=sa.Uuid(as_uuid=False)),
        sa.bindparam("run", type_=sa.Uuid(as_uuid=False)),
    )
)
_STATE: Final = Statement(
    sa.text("SELECT state FROM nova.runs WHERE run_id = :run").bindparams(
        sa.bindparam("run", type_=sa.Uuid(as_uuid=False))
    )
)


class Leases:
    """The lease of this worker, and what it claims under it. Uses the worker role."""

    def __init__(self, worker: Database, worker_id: str, seconds: float) -> None:
        self._worker, self._worker_id, self._seconds = worker, worker_id, seconds

    async def renew(self) -> None:
        """Say that this worker is alive."""
        async with self._worker.work() as tx:
            await tx.execute(_RENEW, worker=self._worker_id, seconds=self._seconds)
            await tx.execute(_FORGET_DEAD)

    async def end(self) -> None:
        """Give the lease back, so that the others need not wait for it to run out."""
        async with self._worker.work() as tx:
            await tx.execute(_END, worker=self._worker_id)

    async def claim_blocked(self, run_id: str) -> Caller | None:
        """Claim a run that waits for a person; its principal, or None where it does not wait."""
        async with self._worker.work() as tx:
            row = await tx.fetch_one(_CLAIM_BLOCKED, worker=self._worker_id, run=run_id)
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

    async def state(self, run_id: str) -> RunState | None:
        """Where a run stands; None for one that is not here."""
        async with self._worker.work() as tx:
            row = await tx.fetch_one(_STATE, run=run_id)
        return None if row is None else row["state"]


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
