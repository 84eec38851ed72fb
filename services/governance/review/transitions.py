"""Moves a checkpoint under its lock: state, reason, resolution and event in one commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from chenu.governance.v1.authorization_service_pb2 import Verdict
from chenu.governance.v1.resolution_service_pb2 import WakeUp
from kernel.caller import Caller
from kernel.database import Database, Record, Transaction
from kernel.messaging import Messaging
from kernel.statement import Statement
from kernel.watching import Changes
from services.governance import audit_events
from services.governance.clock import Clock
from services.governance.review import requirements
from services.governance.review.lifecycle import Checkpoint, State
from services.governance.review.quorum import Ballot

WAKE_SUBJECT: Final = "nova.resolutions"
NOTICES_SUBJECT: Final = "courier.notices"
UNUSED: Final = "the approval was not used in time"
_SILENCE: Final = "nobody decided in time"
_LOCKED: Final = """
    SELECT c.checkpoint_id, c.decision_id, c.tenant, c.identity, c.state, c.revision, c.etag,
        c.approval, c.escalated, c.run, c.expire_time, c.valid_until, c.execute_by, c.executed,
        c.claimed_by, c.claim_until, c.version,
        coalesce(c.edited_digest, d.action_digest) AS action_digest, d.sphere, d.executor, d.person
    FROM checkpoints AS c JOIN decisions AS d USING (tenant, decision_id)
    WHERE {which} ORDER BY c.checkpoint_id FOR UPDATE OF c"""
_LOCK: Final = Statement(_LOCKED.format(which="c.checkpoint_id = :checkpoint_id"))
_LOCK_RUN: Final = Statement(_LOCKED.format(which="c.run = :run AND c.state = 'pending'"))
# A statement of its own: what was true before the lock was held may not be true any more.
_STANDING: Final = Statement(
    "SELECT clock_timestamp() AS now, (SELECT jsonb_agg(jsonb_build_array("
    " person, coalesce(seat, person), stage) ORDER BY create_time) FROM votes"
    " WHERE checkpoint_id = :checkpoint_id AND revision = :revision AND view_digest = :etag"
    " AND option = 'approve') AS ballots,"
    " ARRAY(SELECT person FROM edits WHERE checkpoint_id = :checkpoint_id) AS editors"
)
_MOVE: Final = Statement(
    "UPDATE checkpoints SET state = :state, version = version + 1, valid_until = :valid_until,"
    " claimed_by = CAST(:claimed_by AS uuid), claim_until = :claim_until,"
    " resolve_time = CASE WHEN :state <> 'pending'"
    " THEN clock_timestamp() + CAST(:offset AS interval) END"
    " WHERE checkpoint_id = :checkpoint_id"
)
_GIVE_REASON: Final = Statement(
    "UPDATE views SET resolution_reason = :reason WHERE checkpoint_id = :checkpoint_id"
)
_RESOLVE: Final = Statement(
    "INSERT INTO resolutions (checkpoint_id, tenant, identity, run, state)"
    " VALUES (:checkpoint_id, :tenant, :identity, :run, :state)"
)


class Locked:
    """A checkpoint whose row is locked, as it stands now."""

    def __init__(self, row: Record, standing: Checkpoint, now: datetime) -> None:
        self.row, self.standing, self.now = row, standing, now


class Transitions:
    """The only code that changes checkpoints."""

    def __init__(
        self, database: Database, messaging: Messaging, changes: Changes, clock: Clock
    ) -> None:
        self._database, self._messaging = database, messaging
        self._changes, self._clock = changes, clock

    async def lock(self, tx: Transaction, checkpoint_id: str) -> Locked | None:
        """Hold the checkpoint; None where the caller has none of that id."""
        row = await tx.fetch_one(_LOCK, checkpoint_id=checkpoint_id)
        return None if row is None else await self._standing(tx, row)

    async def lock_run(self, tx: Transaction, run: str) -> list[Locked]:
        """Hold every pending checkpoint of a run."""
        return [await self._standing(tx, row) for row in await tx.fetch(_LOCK_RUN, run=run)]

    async def move(
        self,
        tx: Transaction,
        locked: Locked,
        after: Checkpoint,
        reason: str = "",
        happened: str = "",
        **facts: str,
    ) -> None:
        """Write down where the checkpoint stands after what happened, in a word."""
        row, state = locked.row, after.state.value
        await tx.execute(
            _MOVE,
            checkpoint_id=row["checkpoint_id"],
            state=state,
            valid_until=after.valid_until,
            claimed_by=after.claimed_by or None,
            claim_until=after.claim_until,
            offset=self._clock.offset,
        )
        if reason:
            await tx.execute(_GIVE_REASON, checkpoint_id=row["checkpoint_id"], reason=reason)
        if after.state is not State.PENDING and row["run"]:
            own = {name: row[name] for name in ("checkpoint_id", "tenant", "identity", "run")}
            await tx.execute(_RESOLVE, **own, state=state)
        tx.emit(audit_events.checkpoint_changed(row, happened or state, **facts))

    async def announce(
        self, moved: Sequence[Mapping[str, Any] | Record], verdict: Verdict | None = None
    ) -> None:
        """After the commit: wake the runs that wait, and the streams that watch.

        `verdict` is what the run of the only one that moved would be told if it asked.
        """
        for key in {row[name] for row in moved for name in ("tenant", "executor")}:
            self._changes.notify(key)
        if moved:
            await self._messaging.wake(NOTICES_SUBJECT)
        for run in sorted({row["run"] for row in moved if row["run"]}):
            wake_up = WakeUp(run_id=run, verdict=verdict)
            await self._messaging.wake(WAKE_SUBJECT, wake_up.SerializeToString())

    async def asked(self) -> None:
        """After the commit of new checkpoints: wake whoever tells people."""
        await self._messaging.wake(NOTICES_SUBJECT)

    async def lapse(self, caller: Caller, checkpoint_id: str, revoked: str = "") -> None:
        """Let it expire, if its time is over or its unused approval was revoked."""
        async with self._database.transaction(caller) as tx:
            locked = await self.lock(tx, checkpoint_id)
            if locked is None:
                return
            standing = locked.standing
            overdue = standing.by_clock(locked.now) is State.EXPIRED
            unused = standing.state is State.APPROVED and not standing.executed
            if standing.state is State.EXPIRED or not (overdue or (revoked and unused)):
                return
            reason = _SILENCE if standing.state is State.PENDING else revoked or UNUSED
            await self.move(tx, locked, replace(standing.released(), state=State.EXPIRED), reason)
        await self.announce([locked.row])

    async def _standing(self, tx: Transaction, row: Record) -> Locked:
        named = ("checkpoint_id", "revision", "etag")
        found: Any = await tx.fetch_one(_STANDING, **{name: row[name] for name in named})
        requirement = requirements.read(row["approval"])
        standing = Checkpoint(
            checkpoint_id=row["checkpoint_id"],
            state=State(row["state"]),
            etag=row["etag"],
            expire_time=row["expire_time"],
            requirement=requirement,
            ballots=tuple(Ballot(*ballot) for ballot in found["ballots"] or ()),
            excluded=frozenset({row["person"], *found["editors"]} if requirement.four_eyes else ()),
            escalated=row["escalated"],
            claimed_by=row["claimed_by"] or "",
            claim_until=row["claim_until"],
            valid_until=row["valid_until"],
            execute_by=row["execute_by"],
            executed=row["executed"],
        )
        return Locked(row, standing, self._clock.at(found["now"]))
