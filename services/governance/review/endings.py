"""Ends that nobody voted for: withdrawn, superseded, run out of time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import structlog

from chenu.events.v1.method_policy_pb2 import CallerKind
from chenu_gate.action import Action
from kernel.caller import Caller
from kernel.database import Database, Record, Transaction
from kernel.errors import Forbidden
from kernel.statement import Statement
from services.governance.clock import Clock
from services.governance.review.lifecycle import State
from services.governance.review.reminders import Reminders
from services.governance.review.transitions import Locked, Transitions

AT_ONCE: Final = 200
_OVERDUE: Final = Statement(
    "WITH clock AS MATERIALIZED (SELECT clock_timestamp() + CAST(:offset AS interval) AS moment)"
    " (SELECT checkpoint_id, tenant, identity, true AS ends FROM checkpoints"
    " WHERE state = 'pending' AND expire_time <= (SELECT moment FROM clock)"
    " ORDER BY expire_time LIMIT :at_once)"
    " UNION ALL (SELECT checkpoint_id, tenant, identity, true FROM checkpoints"
    " WHERE state = 'approved' AND NOT executed"
    " AND valid_until <= (SELECT moment FROM clock)"
    " ORDER BY valid_until LIMIT :at_once)"
    " UNION ALL (SELECT checkpoint_id, tenant, identity, false FROM checkpoints"
    " WHERE state = 'pending' AND escalate_time <= (SELECT moment FROM clock)"
    " ORDER BY escalate_time LIMIT :at_once)"
    " UNION ALL (SELECT checkpoint_id, tenant, identity, false FROM checkpoints"
    " WHERE state = 'pending' AND remind_time <= (SELECT moment FROM clock)"
    " ORDER BY remind_time LIMIT :at_once)"
)
# Older ones only: of two that come at once, one stays.
_OLDER: Final = Statement(
    "SELECT c.checkpoint_id, a.action FROM decisions AS new"
    " JOIN checkpoints AS c ON c.tenant = new.tenant AND c.identity = new.identity"
    "   AND c.thread = new.thread AND c.state = 'pending'"
    " JOIN decisions AS d ON d.decision_id = c.decision_id AND d.person = new.person"
    "   AND d.agent = new.agent AND d.tool = new.tool AND d.kind = new.kind"
    "   AND d.executor = new.executor AND (d.run = '' OR d.run <> new.run)"
    "   AND (d.create_time, d.decision_id) < (new.create_time, new.decision_id)"
    " JOIN actions AS a ON a.decision_id = d.decision_id"
    " WHERE new.decision_id = CAST(:decision_id AS uuid) AND new.thread <> ''"
    " AND d.decision_id <> ALL(CAST(:siblings AS uuid[]))"
)
_log: Final = structlog.get_logger(component="sweeper")


class Endings:
    """Withdraws and supersedes what waits."""

    def __init__(self, database: Database, transitions: Transitions) -> None:
        self._database, self._transitions = database, transitions

    async def cancel(self, caller: Caller, checkpoint_id: str, reason: str) -> None:
        """Withdraw a pending checkpoint; once withdrawn, asking again is harmless.

        From Nova also an approval that it has not used and will not use: that expires.
        """
        async with self._database.transaction(caller) as tx:
            locked = await self._transitions.lock(tx, checkpoint_id)
            if locked is None:
                raise Forbidden(subject=f"checkpoint/{checkpoint_id}")
            if locked.standing.state is State.CANCELLED:
                return
            # A person could not know that no permit of it is on its way.
            if caller.kind == CallerKind.CALLER_KIND_DELEGATION and locked.standing.usable(
                locked.now
            ):
                after = replace(locked.standing, state=State.EXPIRED)
            else:
                after = locked.standing.end(State.CANCELLED, locked.now)
            await self._transitions.move(tx, locked, after, reason)
        await self._transitions.announce([locked.row])

    async def supersede(self, caller: Caller, run: str, reason: str) -> list[str]:
        """End every checkpoint of a run that still waits; the ids of those that it ended."""
        async with self._database.transaction(caller) as tx:
            waiting = await self._transitions.lock_run(tx, run)
            moved = await self._superseded(tx, waiting, reason)
        await self._transitions.announce(moved)
        return [row["checkpoint_id"] for row in moved]

    async def supersede_older(self, caller: Caller, proposed: Mapping[str, Action]) -> None:
        """End what waits and these proposals take the place of, by the ids of their decisions.

        A newer proposal is of the same thread, principal and agent, tool, kind and targets; what
        one plan or one run asks for belongs together, and nothing of it supersedes the rest.
        """
        older: set[str] = set()
        async with self._database.transaction(caller) as tx:
            for decision_id, action in proposed.items():
                siblings = list(proposed)
                for row in await tx.fetch(_OLDER, decision_id=decision_id, siblings=siblings):
                    if _acts_on(Action.parse(row["action"].encode())) == _acts_on(action):
                        older.add(row["checkpoint_id"])
            # By checkpoint, as everybody who locks several of them does.
            held = [await self._transitions.lock(tx, one) for one in sorted(older)]
            waiting = [locked for locked in held if locked is not None]
            moved = await self._superseded(tx, waiting, "a newer proposal in the thread")
        await self._transitions.announce(moved)

    async def _superseded(
        self, tx: Transaction, waiting: Sequence[Locked], reason: str
    ) -> list[Record]:
        """Those that still waited, and do no more."""
        moved = []
        for locked in waiting:
            if locked.standing.by_clock(locked.now) is State.PENDING:
                after = replace(locked.standing.released(), state=State.SUPERSEDED)
                await self._transitions.move(tx, locked, after, reason)
                moved.append(locked.row)
        return moved


def _acts_on(action: Action) -> set[tuple[str, str]]:
    return {(target.type, target.id) for target in action.targets}


class Sweeper:
    """Does what the clock says, each row as its own identity's: ends, escalates, reminds."""

    def __init__(
        self,
        worker: Database,
        transitions: Transitions,
        reminders: Reminders,
        clock: Clock,
        interval: float,
    ) -> None:
        self._worker, self._transitions, self._reminders = worker, transitions, reminders
        self._clock, self._interval = clock, interval

    async def run(self) -> None:
        """A background task of the service."""
        while True:
            await self.sweep()
            await asyncio.sleep(self._interval)

    async def sweep(self) -> int:
        """Do what is due, of each kind so many at once; how much there was."""
        async with self._worker.work() as tx:
            overdue = await tx.fetch(_OVERDUE, offset=self._clock.offset, at_once=AT_ONCE)
        for row in overdue:
            owner = Caller.system(
                service="governance", tenant=row["tenant"], identity=row["identity"]
            )
            try:
                if row["ends"]:
                    await self._transitions.lapse(owner, row["checkpoint_id"])
                else:
                    await self._reminders.strike(owner, row["checkpoint_id"])
            except Exception as error:  # noqa: BLE001 - the others must not wait for this one
                _log.warning(
                    "clock not followed", checkpoint=row["checkpoint_id"], error=repr(error)
                )
        return len(overdue)
