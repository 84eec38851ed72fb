"""What people do about a checkpoint before they decide: claim, assign, release, remark."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from kernel.caller import Caller
from kernel.context import new_id
from kernel.database import Database, Transaction
from kernel.errors import Forbidden
from kernel.statement import Statement
from services.governance.clock import Clock
from services.governance.errors import NotEntitled
from services.governance.review import requirements
from services.governance.review.eligibility import Eligibility
from services.governance.review.lifecycle import Checkpoint
from services.governance.review.quorum import approval, current_stage, rejection
from services.governance.review.room import check_room
from services.governance.review.transitions import Locked, Transitions
from services.governance.review.voters import look
from services.governance.review.votes import Votes

_DEFAULT_MINUTES: Final = 15
_FIND: Final = Statement(
    "SELECT identity, approval FROM checkpoints WHERE checkpoint_id = :checkpoint_id"
)
_REMARK: Final = Statement(
    "INSERT INTO remarks (remark_id, checkpoint_id, tenant, identity, person, is_question, remark)"
    " VALUES (:remark_id, :checkpoint_id, :tenant, :identity, :person, :is_question, :remark)"
)


class Reviews:
    """Reserves checkpoints, and keeps what is said about them."""

    def __init__(
        self,
        database: Database,
        votes: Votes,
        eligibility: Eligibility,
        transitions: Transitions,
        clock: Clock,
    ) -> None:
        self._database, self._votes, self._eligibility = database, votes, eligibility
        self._transitions, self._clock = transitions, clock

    async def claim(self, caller: Caller, checkpoint_id: str, minutes: int) -> None:
        """Reserve it for the caller, who must be one who could approve it now."""
        electorate = await self._votes.electorate(caller, checkpoint_id)
        async with self._database.transaction(caller) as tx:
            locked = await self._lock(tx, caller, checkpoint_id)
            standing = locked.standing
            standing.check_pending(locked.now)
            approval(
                standing.requirement,
                standing.ballots,
                electorate,
                standing.excluded,
                escalated=standing.escalated,
            )
            after = self._reserved(locked, caller, caller.person, minutes)
            await self._transitions.move(tx, locked, after, happened="claimed")
        await self._transitions.announce([locked.row])

    async def assign(self, caller: Caller, checkpoint_id: str, person: str, minutes: int) -> None:
        """Reserve it for somebody else who could approve it now."""
        electorate = await self._votes.electorate(caller, checkpoint_id)
        async with self._database.transaction(caller) as tx:
            await look(tx, caller, self._clock.offset)
            row = await tx.fetch_one(_FIND, checkpoint_id=checkpoint_id)
        if row is None:
            raise Forbidden(subject=f"checkpoint/{checkpoint_id}")
        requirement = requirements.read(row["approval"])
        living = await self._eligibility.living(caller.tenant, row["identity"], requirement)
        async with self._database.transaction(caller) as tx:
            locked = await self._lock(tx, caller, checkpoint_id)
            standing = locked.standing
            standing.check_pending(locked.now)
            rejection(requirement, standing.ballots, electorate, escalated=standing.escalated)
            stage = current_stage(requirement, electorate.counted(standing.ballots))
            voted = {ballot.person for ballot in standing.ballots}
            if person in voted | standing.excluded or person not in living[stage - 1]:
                raise NotEntitled(cause="NOT_AN_APPROVER", subject=f"person/{person}")
            after = self._reserved(locked, caller, person, minutes)
            await self._transitions.move(tx, locked, after, happened="assigned", person=person)
        await self._transitions.announce([locked.row])

    async def release(self, caller: Caller, checkpoint_id: str) -> None:
        """Give the caller's claim up."""
        async with self._database.transaction(caller) as tx:
            locked = await self._lock(tx, caller, checkpoint_id)
            # Whoever else has it keeps it.
            locked.standing.claim(caller.person, caller.person, locked.now, locked.now)
            if not locked.standing.claimed_by:
                return
            after = locked.standing.released()
            await self._transitions.move(tx, locked, after, happened="released")
        await self._transitions.announce([locked.row])

    async def comment(
        self, caller: Caller, checkpoint_id: str, text: str, *, is_question: bool
    ) -> None:
        """Keep a remark, or a question that waits for one."""
        async with self._database.transaction(caller) as tx:
            locked = await self._lock(tx, caller, checkpoint_id)
            locked.standing.check_pending(locked.now)
            await check_room(tx, checkpoint_id, text)
            remark_id = new_id()
            await tx.execute(
                _REMARK,
                remark_id=remark_id,
                checkpoint_id=checkpoint_id,
                tenant=locked.row["tenant"],
                identity=locked.row["identity"],
                person=caller.person,
                is_question=is_question,
                remark=text,
            )
            happened = "asked" if is_question else "commented"
            await self._transitions.move(
                tx, locked, locked.standing, happened=happened, remark=remark_id
            )
        await self._transitions.announce([locked.row])

    async def _lock(self, tx: Transaction, caller: Caller, checkpoint_id: str) -> Locked:
        await look(tx, caller, self._clock.offset)
        locked = await self._transitions.lock(tx, checkpoint_id)
        if locked is None:
            raise Forbidden(subject=f"checkpoint/{checkpoint_id}")
        return locked

    def _reserved(self, locked: Locked, caller: Caller, person: str, minutes: int) -> Checkpoint:
        until = locked.now + timedelta(minutes=minutes or _DEFAULT_MINUTES)
        return locked.standing.claim(caller.person, person, until, locked.now)
