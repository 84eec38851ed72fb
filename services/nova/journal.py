"""Where runs are kept: every write carries the worker's lease, so a lost one writes no more.

A run is written when it is accepted, when its plan stands, when it blocks and
when it ends. What lies between two writes is done again after a crash, and is
harmless then: asking governance and an executor twice gives the first answer.
"""

import time
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any, Final

import asyncpg
import sqlalchemy as sa

from chenu.nova.v1.run_pb2 import Run, RunState
from chenu.nova.v1.run_service_pb2 import RunEvent
from kernel.caller import Caller
from kernel.database import Database, Record
from kernel.errors import Forbidden, RequestIdReused
from kernel.grouped_write import GroupedWriter
from kernel.statement import Statement
from kernel.watching import Changes
from services.nova import audit_events
from services.nova.errors import LeaseLost
from services.nova.record import RunRecord
from services.nova.tables import run_events, runs

LEASE_LOST: Final = "CH001"

_BY_REQUEST: Final = Statement(
    sa.select(runs.c.run_id, runs.c.body_digest).where(
        runs.c.request_id == sa.bindparam("request_id"),
        runs.c.identity == sa.bindparam("identity"),
        runs.c.person == sa.bindparam("person"),
        runs.c.agent == sa.bindparam("agent"),
    )
)
_EVENTS: Final = Statement(
    sa.select(run_events.c.events)
    .where(
        run_events.c.run_id == sa.bindparam("run_id"),
        run_events.c.sequence_number > sa.bindparam("after", type_=sa.BigInteger),
    )
    .order_by(run_events.c.sequence_number)
    .limit(100)
)
_REQUEST_CANCEL: Final = Statement(
    sa.update(runs)
    .where(
        runs.c.run_id == sa.bindparam("run"),
        runs.c.state <= int(RunState.RUN_STATE_BLOCKED),
        runs.c.agent == sa.func.coalesce(sa.bindparam("agent", type_=sa.Text), runs.c.agent),
    )
    .values(cancel_reason=sa.bindparam("reason", type_=sa.Text))
    .returning(runs.c.state)
)
_OPEN_IN_THREAD: Final = Statement(
    sa.select(runs.c.run_id, runs.c.untold)
    .where(
        runs.c.thread_id == sa.bindparam("thread_id"),
        runs.c.run_id != sa.bindparam("run_id"),
        sa.or_(
            runs.c.state == int(RunState.RUN_STATE_BLOCKED),
            sa.and_(runs.c.untold, runs.c.person == sa.bindparam("person")),
        ),
    )
    .order_by(runs.c.run_id)
)
_TOLD: Final = Statement(
    sa.update(runs).where(runs.c.run_id == sa.bindparam("run")).values(untold=False)
)


class Journal:
    """The runs of one worker, as they stand in the database."""

    def __init__(self, database: Database, changes: Changes, worker_id: str) -> None:
        self._database, self._changes, self.worker_id = database, changes, worker_id
        self._accept = GroupedWriter(database, function="nova.accept_run")
        self._write = GroupedWriter(database, function="nova.write_run")
        self._read = GroupedWriter(database, function="nova.read_run")
        self._load = GroupedWriter(database, function="nova.load_run")

    async def accept(self, record: RunRecord, request_id: str, body_digest: str) -> str:
        """Insert the run, claimed by this worker; returns its id.

        The id of an earlier run comes back where the same request was accepted
        before; RequestIdReused where it was another one.
        """
        record.audit.append(audit_events.accepted(record))
        deadline = record.run.deadline.ToJsonString()
        payload = record.payload(self.worker_id) | {
            "request_id": request_id,
            "body_digest": body_digest,
            "thread_id": record.run.thread_id,
            "agent": record.caller.agent,
            "deadline": deadline,
        }
        try:
            await self._accept.write(record.caller, payload, record.audit)
        except asyncpg.UniqueViolationError:
            return await self._accepted_before(record.caller, request_id, body_digest)
        self._written(record)
        return record.run.run_id

    async def write(self, record: RunRecord) -> None:
        """Write what has happened since the last write; raises LeaseLost."""
        record.run.update_time.FromNanoseconds(time.time_ns())
        try:
            answer = await self._write.write(
                record.caller, record.payload(self.worker_id), record.audit
            )
        except asyncpg.PostgresError as error:
            if error.sqlstate == LEASE_LOST:
                raise LeaseLost from None
            raise
        record.cancel_reason = answer["cancel_reason"]
        self._written(record)

    async def load(self, caller: Caller, run_id: str) -> RunRecord:
        """The run with all that resuming needs."""
        row = await self._load.write(caller, {"run_id": run_id})
        if not row:
            raise Forbidden(subject=f"run/{run_id}")
        return RunRecord(
            Run.FromString(b64decode(row["run"])),
            caller,
            journal=row["journal"],
            delegation=row["delegation"],
            version=row["version"],
            sequence=row["sequence"],
            cancel_reason=row["cancel_reason"],
        )

    async def get(self, caller: Caller, run_id: str) -> Run:
        """The run as it was last written."""
        row = await self._read.write(caller, {"run_id": run_id})
        if not row:
            raise Forbidden(subject=f"run/{run_id}")
        return as_it_stands({"run": b64decode(row["run"]), "state": row["state"]})

    async def events(self, caller: Caller, run_id: str, after: int) -> Sequence[RunEvent]:
        """The events of up to 100 writes after a number; Forbidden where there is no such run."""
        async with self._database.transaction(caller) as tx:
            rows = await tx.fetch(_EVENTS, run_id=run_id, after=after)
        if not rows:
            await self.get(caller, run_id)
        events = [RunEvent(**event) for row in rows for event in row["events"]]
        return [event for event in events if event.sequence_number > after]

    async def request_cancel(self, caller: Caller, run_id: str, reason: str) -> RunState | None:
        """Ask the run's worker to end it; its state, None where it has ended or is not to be asked.

        No agent ends what another agent, or the person, has begun.
        """
        async with self._database.transaction(caller) as tx:
            row = await tx.fetch_one(
                _REQUEST_CANCEL, run=run_id, reason=reason, agent=caller.agent or None
            )
            if row is not None:
                tx.emit(audit_events.cancel_requested(run_id))
        return None if row is None else row["state"]

    async def open_in_thread(self, record: RunRecord) -> Sequence[tuple[str, bool]]:
        """Other runs of the same thread that wait for a person or, True, are untold there."""
        async with self._database.transaction(record.caller) as tx:
            rows = await tx.fetch(
                _OPEN_IN_THREAD,
                thread_id=record.run.thread_id,
                run_id=record.run.run_id,
                person=record.caller.person,
            )
        return [(row["run_id"], row["untold"]) for row in rows]

    async def told(self, record: RunRecord) -> None:
        """The run's thread has been told of it."""
        async with self._database.transaction(record.caller) as tx:
            await tx.execute(_TOLD, run=record.run.run_id)

    async def _accepted_before(self, caller: Caller, request_id: str, body_digest: str) -> str:
        async with self._database.transaction(caller) as tx:
            row = await tx.fetch_one(
                _BY_REQUEST,
                request_id=request_id,
                identity=caller.identity,
                person=caller.person,
                agent=caller.agent,
            )
        if row is None or row["body_digest"] != body_digest:
            raise RequestIdReused(request_id=request_id)
        run_id: str = row["run_id"]
        return run_id

    def _written(self, record: RunRecord) -> None:
        record.events, record.audit = [], []
        self._changes.notify(record.run.run_id)


def as_it_stands(row: Mapping[str, Any] | Record) -> Run:
    """The run of a row with `run` and `state`: a claim changes the state before the next write."""
    run = Run.FromString(row["run"])
    run.state = row["state"]
    return run
