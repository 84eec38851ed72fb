"""Governance's own gated operations: what changes governance itself waits for people, too.

    verdict = await operations.ask(caller, PROMOTE, request_id, {"revision": …}, find_out)

An operation is a tool of the executor `governance`. To ask for one authorizes an ordinary
action: canonical, judged by the rules, shown in a bound view, voted on like any other. Once it
is approved, `apply` runs in one transaction of the worker role, which consumes the decision:
it happens once or not at all. Nobody can ask for one through AuthorizeActions: what a view
tells of an operation, governance found out itself.

To add one:

1. Declare its `Tool` with executor `EXECUTOR`, kind CONFIGURE (always gated) and a closed
   schema: everything that people must know to decide is an argument, or the name of a target,
   for only that is bound. A person is told by name as well, never by the name alone: whoever
   bears it has chosen it.
   `not_before` (RFC 3339) in the arguments holds it back until then, approved or not.
2. Write `apply(tx, approved)`: it changes rows and emits its own event through `tx`. It looks
   at the world again, under locks, and raises `OperationRefused` where it is not the one that
   people saw (compare the versions of the targets); the decision then has FAILED, for ever.
3. Give `Operation(tool, apply)` to `Operations` in `__main__`, and the worker the grants.
4. The RPC's use case calls `ask` with what the caller wants, and how to find out the rest.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import structlog

from chenu.governance.v1.authorization_service_pb2 import ActionRequest, Verdict, VerdictState
from chenu_gate.action import Action, Principal, Target
from chenu_gate.canonical_json import Json
from chenu_gate.tools import Tool
from kernel.caller import Caller
from kernel.context import background
from kernel.database import Database, Record, Transaction
from kernel.errors import RequestIdReused
from kernel.statement import Statement
from kernel.watching import Changes
from services.governance import audit_events
from services.governance.authorization import Authorization, Own
from services.governance.clock import Clock
from services.governance.policy.rule import OWN_EXECUTOR as EXECUTOR
from services.governance.review.lifecycle import Execution

NOT_BEFORE: Final = "not_before"
_POLL_SECONDS: Final = 1.0
_ASKED: Final = Statement(
    "SELECT a.action FROM decisions AS d JOIN actions AS a USING (decision_id)"
    " WHERE d.person = :person AND d.request_id = :request_id"
    " AND d.executor = 'governance'"
)
_APPROVED: Final = Statement(
    "SELECT d.decision_id, d.tenant, d.identity, d.person, d.agent, d.request_id,"
    " c.valid_until, c.checkpoint_id"
    " FROM checkpoints AS c JOIN decisions AS d USING (decision_id)"
    " WHERE c.state = 'approved' AND NOT c.executed AND d.executor = 'governance'"
    " AND (c.valid_until, c.checkpoint_id) > (:after_time, :after_id)"
    " ORDER BY c.valid_until, c.checkpoint_id LIMIT :at_once"
)
_FIRST: Final = (datetime.min.replace(tzinfo=UTC), str(UUID(int=0)))
_LOCK: Final = Statement(
    "SELECT d.decision_id, d.tenant, d.identity, d.sphere, d.executor, d.action_digest,"
    " c.checkpoint_id"
    " FROM checkpoints AS c JOIN decisions AS d USING (decision_id)"
    " WHERE d.decision_id = :decision_id AND c.state = 'approved' AND NOT c.executed"
    " FOR UPDATE OF c"
)
_RECORD: Final = Statement(
    "INSERT INTO executions (decision_id, tenant, identity, state, reason, finish_time)"
    " VALUES (:decision_id, :tenant, :identity, :state, :reason, clock_timestamp())"
)
_CONSUME: Final = Statement(
    "UPDATE checkpoints SET executed = true WHERE checkpoint_id = :checkpoint_id"
)
_log: Final = structlog.get_logger(component="operations")


class OperationRefused(Exception):
    """What was approved cannot be done any more; the reason is one word in capitals."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Approved:
    """An operation that people have approved; `caller` is who asked for it."""

    decision_id: str
    action: Action
    caller: Caller


@dataclass(frozen=True, slots=True)
class Operation:
    """A tool of governance's own, and what it does once it is approved."""

    tool: Tool
    apply: Callable[[Transaction, Approved], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What people must know of an operation besides what its asker wants.

    `approval` is JSON text of the ApprovalRequirement; empty means as its rule says.
    """

    arguments: Mapping[str, Json] = field(default_factory=dict)
    targets: Sequence[Target] = ()
    approval: str = ""


class Operations:
    """Asks people for operations, and applies what they approved."""

    def __init__(
        self,
        *,
        database: Database,
        worker: Database,
        authorization: Authorization,
        changes: Changes,
        clock: Clock,
        operations: Iterable[Operation] = (),
        at_once: int = 200,
    ) -> None:
        self._database, self._worker, self._clock = database, worker, clock
        self._authorization, self._changes = authorization, changes
        self._operations = {operation.tool.name: operation for operation in operations}
        self._at_once, self._after = at_once, _FIRST

    async def ask(
        self,
        caller: Caller,
        tool: Tool,
        request_id: str,
        wanted: Mapping[str, Json],
        find_out: Callable[[], Awaitable[Found]],
    ) -> Verdict:
        """The verdict on the operation: as a rule a block, with the checkpoint that it waits for.

        Under a request id that is known, the action of then is asked for again, since facts found
        out anew would make it another; RequestIdReused where that was not `wanted`.
        """
        action, approval = await self.asked(caller, request_id), ""
        if action is None:
            found = await find_out()
            approval = found.approval
            action = Action(
                kind=tool.kind,
                tool=tool.pinned,
                executor=EXECUTOR,
                principal=Principal(caller.tenant, caller.person, caller.identity, caller.agent),
                targets=tuple(found.targets),
                arguments={**wanted, **found.arguments},
            )
        elif action.tool != tool.pinned or not _has(action, wanted):
            raise RequestIdReused
        return await self._authorize(caller, action, request_id, approval)

    async def _authorize(
        self, caller: Caller, action: Action, request_id: str, approval: str = ""
    ) -> Verdict:
        self._operations[action.tool.name].tool.check(action)
        request = ActionRequest(action=action.canonical(), request_id=request_id)
        (verdict,) = await self._authorization.authorize(caller, [request], own=Own(approval))
        return verdict

    async def asked(self, caller: Caller, request_id: str) -> Action | None:
        """The operation that the person asked for under this request id, if any."""
        async with self._database.transaction(caller) as tx:
            found = await tx.fetch_one(_ASKED, person=caller.person, request_id=request_id)
        return None if found is None else Action.parse(found["action"].encode())

    async def run(self) -> None:
        """A background task of the service: soon after each vote, and every second."""
        while True:
            await self.sweep()
            await self._changes.wait(EXECUTOR, _POLL_SECONDS)

    async def sweep(self) -> None:
        """Apply what is approved and due: so many at once, and the next ones the next time.

        What is held back for long, of whichever tenant, holds up nobody else.
        """
        after_time, after_id = self._after
        async with self._worker.work() as tx:
            approved = await tx.fetch(
                _APPROVED, after_time=after_time, after_id=after_id, at_once=self._at_once
            )
        full = len(approved) == self._at_once
        last = approved[-1] if full else None
        self._after = (last["valid_until"], last["checkpoint_id"]) if last else _FIRST
        for row in approved:
            own = {"tenant": row["tenant"], "identity": row["identity"]}
            asker = Caller(**own, person=row["person"], actor="human", agent=row["agent"])
            try:
                with background(
                    "governance.operations", Caller.system(service="governance", **own)
                ):
                    await self._proceed(asker, row)
            except Exception as error:  # noqa: BLE001 - the others must not wait for this one
                _log.warning("not applied", decision=row["decision_id"], error=repr(error))

    async def _proceed(self, caller: Caller, row: Record) -> None:
        action = await self.asked(caller, row["request_id"])
        # One that this process does not know is for another, newer or older one.
        if action is None or action.tool.name not in self._operations or not self._due(action):
            return
        # Whoever approved must still be entitled: the door asks identity, as for any permit.
        verdict = await self._authorize(caller, action, row["request_id"])
        if verdict.state == VerdictState.VERDICT_STATE_PERMITTED:
            await self._apply(Approved(row["decision_id"], action, caller))

    def _due(self, action: Action) -> bool:
        held_until = action.arguments.get(NOT_BEFORE)
        if not isinstance(held_until, str) or not held_until:
            return True
        return self._clock.at(datetime.now(UTC)) >= datetime.fromisoformat(held_until)

    async def _apply(self, approved: Approved) -> None:
        operation = self._operations[approved.action.tool.name]
        try:
            async with self._worker.work() as tx:
                locked = await self._consume(tx, approved, Execution.SUCCEEDED, "OK")
                if locked:
                    await operation.apply(tx, approved)
        except OperationRefused as refused:
            async with self._worker.work() as tx:
                await self._consume(tx, approved, Execution.FAILED, refused.reason)
        self._changes.notify(approved.caller.tenant)

    async def _consume(
        self, tx: Transaction, approved: Approved, state: Execution, reason: str
    ) -> bool:
        """Whether the decision was there to be consumed, which from now on it is not."""
        row = await tx.fetch_one(_LOCK, decision_id=approved.decision_id)
        if row is None:
            return False
        own = {name: row[name] for name in ("decision_id", "tenant", "identity")}
        await tx.execute(_RECORD, **own, state=state.value, reason=reason)
        await tx.execute(_CONSUME, checkpoint_id=row["checkpoint_id"])
        tx.emit(audit_events.decision_executed(row, state.value, cause=reason))
        return True


def _has(action: Action, wanted: Mapping[str, Json]) -> bool:
    return bool(wanted.items() <= action.document()["arguments"].items())
