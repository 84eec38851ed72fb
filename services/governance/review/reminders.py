"""What happens while nobody decides: people are reminded, then others are asked as well."""

from __future__ import annotations

from typing import Final

from kernel.caller import Caller
from kernel.database import Database, Transaction
from kernel.statement import Statement
from services.governance import audit_events
from services.governance.clock import Clock
from services.governance.review.gate import voters
from services.governance.review.lifecycle import State
from services.governance.review.transitions import Locked, Transitions
from services.governance.review.working_time import later

_DUE: Final = Statement(
    "SELECT coalesce(remind_time <= now, false) AS to_remind,"
    " coalesce(escalate_time <= now, false) AS to_escalate"
    " FROM checkpoints, (SELECT clock_timestamp() + CAST(:offset AS interval) AS now) AS clock"
    " WHERE checkpoint_id = :checkpoint_id"
)
_REMIND: Final = Statement(
    "UPDATE checkpoints SET version = version + 1, reminders = reminders + 1, remind_time = :next"
    " WHERE checkpoint_id = :checkpoint_id"
)
# The reservation of somebody who did not decide in time holds nobody back any more.
_ESCALATE: Final = Statement(
    "UPDATE checkpoints SET version = version + 1, escalated = true, escalate_time = NULL,"
    " claimed_by = NULL, claim_until = NULL, voter_persons = CAST(:voter_persons AS uuid[]),"
    " voter_roles = CAST(:voter_roles AS text[]) WHERE checkpoint_id = :checkpoint_id"
)


class Reminders:
    """Reminds and escalates; neither decides anything."""

    def __init__(self, database: Database, transitions: Transitions, clock: Clock) -> None:
        self._database, self._transitions, self._clock = database, transitions, clock

    async def strike(self, owner: Caller, checkpoint_id: str) -> None:
        """Do what is due for a checkpoint that still waits: one thing, the later one first."""
        async with self._database.transaction(owner) as tx:
            locked = await self._transitions.lock(tx, checkpoint_id)
            if locked is None or locked.standing.by_clock(locked.now) is not State.PENDING:
                return
            due = await tx.fetch_one(_DUE, checkpoint_id=checkpoint_id, offset=self._clock.offset)
            if due is not None and due["to_escalate"]:
                await self._escalate(tx, locked)
            elif due is not None and due["to_remind"]:
                await self._remind(tx, locked)
            else:
                return
        await self._transitions.announce([locked.row])

    async def _remind(self, tx: Transaction, locked: Locked) -> None:
        requirement = locked.standing.requirement
        hours = requirement.working_hours if requirement.HasField("working_hours") else None
        again = later(locked.now, requirement.remind_after.ToTimedelta(), hours)
        await tx.execute(_REMIND, checkpoint_id=locked.row["checkpoint_id"], next=again)
        tx.emit(audit_events.checkpoint_changed(locked.row, "reminded"))

    async def _escalate(self, tx: Transaction, locked: Locked) -> None:
        named = voters(locked.standing.requirement, owner=locked.row["person"], escalated=True)
        await tx.execute(_ESCALATE, checkpoint_id=locked.row["checkpoint_id"], **named)
        tx.emit(audit_events.checkpoint_changed(locked.row, "escalated"))
