"""Executed actions: fence, effect and event in one transaction, each decision once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from chenu_gate.action import Principal
from chenu_gate.executor import DecisionAlreadyExecuted, Executions
from chenu_gate.gatekeeper import Gatekeeper, Refused
from chenu_gate.permit import PermittedAction
from chenu_gate.tools import ToolMisused
from kernel.caller import Caller
from kernel.database import Database
from kernel.errors import Forbidden, refused
from kernel.grouped_write import GroupedWriter, TouchedNoRow
from services.threads.answers import with_answer
from services.threads.changes import Author
from services.threads.effects import BLIND, Effect, Outcome
from services.threads.errors import (
    DecisionUsed,
    PermitExpired,
    TargetChanged,
    ThreadArchived,
)
from services.threads.judged_effects import JUDGED, reading

# A search may take long, and others need not wait for its end to read.
_READERS: Final = 4


class _NotAsRead(Exception):
    """The thread was changed between the reading and the effect."""


# What `threads.execute` says by an SQLSTATE of its own.
_REFUSED_BY_FUNCTION: Final[Mapping[str | None, Callable[[], Exception]]] = {
    "TH001": ThreadArchived,
    "TH002": TargetChanged,
    "TH003": PermitExpired,
    "TH004": _NotAsRead,
    "TH005": lambda: ToolMisused("the thread is not shared with that identity", cause="identity"),
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
        gatekeeper: Gatekeeper,
        executions: Executions,
        done: Callable[[str], None],
    ) -> None:
        self._database = database
        self._reader = GroupedWriter(database, "threads.read_first", at_once=_READERS)
        self._writer = GroupedWriter(database, "threads.execute")
        self._gatekeeper, self._executions, self._done = gatekeeper, executions, done

    async def execute(self, caller: Caller, action_bytes: bytes, permit: str) -> Answer:
        """Do it, or answer with what was done when the decision was executed."""
        permitted = await self._admit(caller, action_bytes, permit)
        action, decision = permitted.action, permitted.permit.decision
        author = Author.of(caller, run=action.run, decision=decision)
        try:
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

    async def _perform(self, caller: Caller, permitted: PermittedAction, author: Author) -> Outcome:
        tool = permitted.action.tool.name
        if effect := BLIND.get(tool):
            return await self._write(caller, permitted, effect(permitted, author))
        while True:
            read = await self._reader.write(caller, reading(permitted))
            if "executed" in read:
                raise DecisionAlreadyExecuted(None)
            try:
                return await self._write(caller, permitted, JUDGED[tool](permitted, author, read))
            except _NotAsRead:
                continue  # and judge it as it is now; the permit's end is the last time

    async def _write(self, caller: Caller, permitted: PermittedAction, effect: Effect) -> Outcome:
        try:
            outcome = await self._writer.write(caller, effect.payload(permitted), [effect.event])
        except TouchedNoRow:
            raise Forbidden(subject=f"thread/{effect.outcome['thread_id']}") from None
        except asyncpg.PostgresError as error:
            refusal = _REFUSED_BY_FUNCTION.get(error.sqlstate)
            if refusal is None:
                raise
            raise refusal() from None
        return {**outcome, **effect.told}

    async def _first_answer(self, caller: Caller, permitted: PermittedAction) -> Answer:
        permit = permitted.permit
        async with self._database.transaction(caller) as tx:
            execution = await self._executions.get(tx, permit.decision)
            if execution is None or execution.action_digest != permit.action:
                raise DecisionUsed
            result = await with_answer(tx, permit.decision, execution.outcome)
        return Answer(permit.decision, result, repeated=True)
