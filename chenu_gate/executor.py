"""The fence: a decision is executed at most once, in the transaction of its effect.

    executions = Executions("threads")          # once, at start; the table is in that schema
    permitted = verify(token, keys, audience="threads", action_bytes=data, now=now)

An effect inside the database shares one transaction with its fence:

    await executions.fence(tx, permitted)       # first: whoever comes second waits here
    ...                                         # the effect
    await executions.set_outcome(tx, permitted, {"thread_id": ...})

An effect outside of it is begun and finished in transactions of their own, so that a crash
between them leaves a RUNNING row, which `overdue` turns into UNKNOWN.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from chenu_gate.execution_table import (
    MUTABLE_COLUMNS,
    Connection,
    Execution,
    ExecutionState,
    ExecutionStatements,
    OnAsyncpg,
    execution,
    executions_table,
)
from chenu_gate.permit import PermitExpired, PermittedAction

__all__ = [
    "MUTABLE_COLUMNS",
    "Connection",
    "DecisionAlreadyExecuted",
    "Execution",
    "ExecutionState",
    "Executions",
    "OnAsyncpg",
    "OutcomeConflict",
    "executions_table",
]


class DecisionAlreadyExecuted(Exception):
    """The decision was executed before; answer with `execution`, do nothing again.

    `execution` is None where the earlier one is not this asker's to see: then say only that
    the decision is used up.
    """

    reason = "DECISION_EXECUTED"

    def __init__(self, execution: Execution | None) -> None:
        super().__init__("the decision was executed before; a new attempt needs a new decision")
        self.execution = execution


class OutcomeConflict(Exception):
    """Another end is already recorded for the decision, or no beginning at all."""

    reason = "OUTCOME_CONFLICT"

    def __init__(self, execution: Execution | None) -> None:
        found = "nothing" if execution is None else execution.state.value
        super().__init__(f"the decision's execution cannot end so: {found} is recorded")
        self.execution = execution


class Executions:
    """The fence of one executor: what it has executed, each decision once."""

    def __init__(self, schema: str) -> None:
        self._sql = ExecutionStatements(schema)

    async def fence(
        self, connection: Connection, permitted: PermittedAction, outcome: Any = None
    ) -> None:
        """Use the decision up, for an effect within this very transaction.

        Waits for another execution of the same decision that is not committed yet, then
        raises DecisionAlreadyExecuted, or goes on where that one was rolled back. Raises
        PermitExpired where the permit has run out since it was verified.
        """
        await self._insert(connection, permitted, ExecutionState.SUCCEEDED, outcome, None)

    async def set_outcome(
        self, connection: Connection, permitted: PermittedAction, outcome: Any
    ) -> None:
        """Say what the fenced effect came to, before the transaction commits."""
        row = await connection.fetch_one(
            self._sql.set_outcome,
            decision_id=permitted.permit.decision,
            permit_id=permitted.permit.id,
            outcome=_json(outcome),
        )
        if row is None:
            raise OutcomeConflict(await self.get(connection, permitted.permit.decision))

    async def begin_running(
        self, connection: Connection, permitted: PermittedAction, deadline: timedelta
    ) -> None:
        """Use the decision up, for an effect outside the database; commit before acting.

        After `deadline` it counts as UNKNOWN, so the effect must be given up before then.
        """
        await self._insert(connection, permitted, ExecutionState.RUNNING, None, deadline)

    async def finish(
        self,
        connection: Connection,
        decision_id: str,
        state: ExecutionState,
        *,
        reason: str,
        outcome: Any = None,
    ) -> Execution:
        """Record how a RUNNING execution ended, or what an UNKNOWN one is now known to be.

        Saying the same end again is harmless; another end raises OutcomeConflict.
        """
        if state is ExecutionState.RUNNING:
            raise ValueError("an execution does not end in RUNNING")
        row = await connection.fetch_one(
            self._sql.finish,
            decision_id=decision_id,
            state=state.value,
            reason=reason,
            outcome=_json(outcome),
        )
        if row is not None:
            return execution(row)
        recorded = await self.get(connection, decision_id)
        if recorded is None or recorded.state is not state:
            raise OutcomeConflict(recorded)
        return recorded

    async def overdue(self, connection: Connection, limit: int = 100) -> list[Execution]:
        """Turn RUNNING rows past their deadline into UNKNOWN, and return them."""
        rows = await connection.fetch(self._sql.overdue, limit=limit)
        return [execution(row) for row in rows]

    async def get(self, connection: Connection, decision_id: str) -> Execution | None:
        """The execution of a decision, as far as this connection may see it."""
        row = await connection.fetch_one(self._sql.get, decision_id=decision_id)
        return None if row is None else execution(row)

    async def unreported(
        self, connection: Connection, limit: int = 200, without: Sequence[str] = ()
    ) -> list[Execution]:
        """Ended executions that governance does not know the end of, oldest first.

        An UNKNOWN one is among them until it is settled. `without` names those to leave out, each
        with its state: "<decision id> UNKNOWN".
        """
        rows = await connection.fetch(self._sql.unreported, limit=limit, without=list(without))
        return [execution(row) for row in rows]

    async def mark_reported(self, connection: Connection, reported: Sequence[Execution]) -> None:
        """Note that governance knows these ends; a row that changed since stays unreported."""
        await connection.fetch(
            self._sql.mark_reported,
            decision_ids=[execution.decision_id for execution in reported],
            states=[execution.state.value for execution in reported],
        )

    async def _insert(
        self,
        connection: Connection,
        permitted: PermittedAction,
        state: ExecutionState,
        outcome: Any,
        deadline: timedelta | None,
    ) -> None:
        permit = permitted.permit
        row = await connection.fetch_one(
            self._sql.insert,
            decision_id=permit.decision,
            permit_id=permit.id,
            action_digest=permit.action,
            tenant=permit.tenant,
            identity=permit.identity,
            tool=permitted.action.tool.name,
            state=state.value,
            reason="OK" if state is ExecutionState.SUCCEEDED else "",
            outcome=_json(outcome),
            deadline=deadline,
            last_moment=permit.last_moment,
            permit=permitted.token,
        )
        if row is None:
            first = await self.get(connection, permit.decision)
            same = first is not None and (
                (first.tenant, first.identity, first.action_digest)
                == (permit.tenant, permit.identity, permit.action)
            )
            raise DecisionAlreadyExecuted(first if same else None)
        if not row["in_time"]:
            raise PermitExpired


def _json(outcome: Any) -> str | None:
    return None if outcome is None else json.dumps(outcome, ensure_ascii=False, allow_nan=False)
