"""Executed actions: fence, effect and event in one transaction, each decision once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from chenu_gate.action import Principal
from chenu_gate.executor import DecisionAlreadyExecuted, Executions
from chenu_gate.gatekeeper import Gatekeeper, Refused
from chenu_gate.permit import PermittedAction
from kernel.caller import Caller
from kernel.database import Database
from kernel.errors import Forbidden, ServiceError, refused
from kernel.grouped_write import GroupedWriter, TouchedNoRow
from services.threads.changes import Author
from services.threads.effects import EFFECTS, Outcome, with_answer
from services.threads.errors import (
    DecisionUsed,
    PermitExpired,
    TargetChanged,
    ThreadArchived,
)
from services.threads.grouped_effects import GROUPED, GroupedEffect

# What `threads.execute` says by an SQLSTATE of its own.
_REFUSED_BY_FUNCTION: Final[Mapping[str | None, type[ServiceError]]] = {
    "TH001": ThreadArchived,
    "TH002": TargetChanged,
    "TH003": PermitExpired,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What was done under a decision; `repeated` where it had been done before."""

    decision_id: str
    result: Mapping[str, Any]
    repeated: bool


class Executor:
    """Does what governance permitted, in the caller's identity."""

    def __init__(
        self,
        database: Database,
        writer: GroupedWriter,
        gatekeeper: Gatekeeper,
        executions: Executions,
        done: Callable[[str], None],
    ) -> None:
        self._database, self._writer = database, writer
        self._gatekeeper, self._executions, self._done = gatekeeper, executions, done

    async def execute(self, caller: Caller, action_bytes: bytes, permit: str) -> Answer:
        """Do it, or answer with what was done when the decision was executed."""
        permitted = await self._admit(caller, action_bytes, permit)
        action, decision = permitted.action, permitted.permit.decision
        author = Author.of(caller, run=action.run, decision=decision)
        try:
            if grouped := GROUPED.get(action.tool.name):
                result = await self._write(caller, permitted, grouped(permitted, author))
            else:
                result = await self._perform(caller, permitted, author)
        except (DecisionAlreadyExecuted, asyncpg.UniqueViolationError):
            return await self._first_answer(caller, permitted)
        except Refused as refusal:
            raise refused(refusal) from None
        self._done(str(result.get("thread_id", "")))
        return Answer(decision, result, repeated=False)

    async def _admit(self, caller: Caller, action_bytes: bytes, permit: str) -> PermittedAction:
        asker = Principal(caller.tenant, caller.person, caller.identity, caller.agent)
        try:
            return await self._gatekeeper.admit(permit, action_bytes, asker=asker)
        except Refused as refusal:
            raise refused(refusal) from None

    async def _write(
        self, caller: Caller, permitted: PermittedAction, effect: GroupedEffect
    ) -> Outcome:
        try:
            return await self._writer.write(caller, effect.payload(permitted), [effect.event])
        except TouchedNoRow:
            raise Forbidden(subject=f"thread/{effect.outcome['thread_id']}") from None
        except asyncpg.PostgresError as error:
            refusal = _REFUSED_BY_FUNCTION.get(error.sqlstate)
            if refusal is None:
                raise
            raise refusal from None

    async def _perform(self, caller: Caller, permitted: PermittedAction, author: Author) -> Outcome:
        async with self._database.transaction(caller) as tx:
            await self._executions.fence(tx, permitted)
            outcome = await EFFECTS[permitted.action.tool.name](tx, permitted, author)
            await self._executions.set_outcome(tx, permitted, outcome)
            return await with_answer(tx, permitted.permit.decision, outcome)

    async def _first_answer(self, caller: Caller, permitted: PermittedAction) -> Answer:
        permit = permitted.permit
        async with self._database.transaction(caller) as tx:
            execution = await self._executions.get(tx, permit.decision)
            if execution is None or execution.action_digest != permit.action:
                raise DecisionUsed
            result = await with_answer(tx, permit.decision, execution.outcome)
        return Answer(permit.decision, result, repeated=True)
