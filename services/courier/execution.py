"""Executed sends: RUNNING is committed, then it is sent, then the end is committed.

A crash in between leaves a RUNNING row, which the sweeper turns into UNKNOWN: it is never sent
again, since it may have arrived.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final

import rfc8785
import structlog

from chenu_gate.action import Action, Principal
from chenu_gate.executor import (
    DecisionAlreadyExecuted,
    Executions,
    ExecutionState,
    OutcomeConflict,
)
from chenu_gate.gatekeeper import Gatekeeper, Refused
from chenu_gate.permit import PermittedAction
from chenu_gate.tools import ArgumentsInvalid
from kernel.caller import UUID, Caller
from kernel.context import current, enter
from kernel.database import Database, Record, Transaction
from kernel.errors import Unavailable, refused
from services.courier import audit_events, deliveries, endpoints
from services.courier.errors import (
    DecisionUsed,
    EffectFailed,
    EndpointDisabled,
    OutcomeUnknown,
    TargetChanged,
)
from services.courier.sending import GONE, Ending, Letter, Sender
from services.courier.tools import MAX_BODY_BYTES
from services.courier.vault import Vault

_AGAIN_SECONDS: Final = 0.2
_WAIT_SECONDS: Final = 5.0
_ERRORS: Final = {"FAILED": EffectFailed, "UNKNOWN": OutcomeUnknown}
_log: Final = structlog.get_logger(component="execution")


@dataclass(frozen=True, slots=True)
class Answer:
    """What was sent under a decision; `repeated` where it had been sent before."""

    decision_id: str
    result: dict[str, Any]
    repeated: bool


class Executor:
    """Sends what governance permitted, each decision once."""

    def __init__(
        self,
        database: Database,
        gatekeeper: Gatekeeper,
        executions: Executions,
        sender: Sender,
        vault: Vault,
        *,
        running: timedelta,
        done: Callable[[], None],
    ) -> None:
        self._database, self._gatekeeper, self._executions = database, gatekeeper, executions
        self._sender, self._vault, self._running, self._done = sender, vault, running, done
        self._sending: set[asyncio.Task[None]] = set()

    async def execute(self, caller: Caller, action_bytes: bytes, permit: str) -> Answer:
        """Send it, or answer with what became of it when the decision was executed."""
        permitted = await self._admit(caller, action_bytes, permit)
        try:
            letter = await self._begin(caller, permitted)
        except DecisionAlreadyExecuted:
            return await self._answer(caller, permitted, repeated=True)
        except Refused as refusal:
            raise refused(refusal) from None
        # What has begun is finished and recorded, whether or not the caller still waits.
        sending = asyncio.create_task(self._deliver(caller, permitted, letter))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)
        await asyncio.shield(sending)
        return await self._answer(caller, permitted, repeated=False)

    async def finish_sending(self) -> None:
        """Wait for what is under way; called when the service stops."""
        await asyncio.gather(*self._sending, return_exceptions=True)

    async def _admit(self, caller: Caller, action_bytes: bytes, permit: str) -> PermittedAction:
        asker = Principal(caller.tenant, caller.person, caller.identity, caller.agent)
        try:
            return await self._gatekeeper.admit(permit, action_bytes, asker=asker)
        except Refused as refusal:
            raise refused(refusal) from None

    async def _begin(self, caller: Caller, permitted: PermittedAction) -> Letter:
        """Use the decision up for this very endpoint, and commit that it is being sent."""
        body = message_body(permitted.action)
        digest = "sha256:" + sha256(body).hexdigest()
        decision = permitted.permit.decision
        async with self._database.transaction(caller) as tx:
            await self._executions.begin_running(tx, permitted, self._running)
            endpoint = await _target(tx, permitted.action)
            endpoint_id = endpoint["endpoint_id"]
            letter = Letter(
                webhook_id=decision,
                url=endpoint["url"],
                body=body,
                secret=self._vault.unseal(endpoint["sealed_secret"], endpoint_id),
                idempotent=endpoint["idempotent"],
            )
            delivery_id = await deliveries.start(tx, endpoint_id, decision, digest)
            tx.emit(audit_events.delivery_started(delivery_id, endpoint_id, digest, permitted))
        return letter

    async def _deliver(self, caller: Caller, permitted: PermittedAction, letter: Letter) -> None:
        call, until = current(), time.monotonic() + self._running.total_seconds()
        # The caller's deadline ends his waiting, not the sending.
        enter(replace(call, caller=caller, deadline=None))
        try:
            ending = await self._sender.send(letter)
        except Exception as error:  # noqa: BLE001 - whatever it was, it may have been sent
            _log.error("sending broke", decision=letter.webhook_id, exc_info=error)
            ending = Ending(ExecutionState.UNKNOWN, "INTERNAL", 1)
        # Until the sweeper takes over, which will say that the end is not known.
        while not await self._recorded(caller, permitted, letter.url, ending):
            if time.monotonic() > until:
                return
            await asyncio.sleep(_AGAIN_SECONDS)
        self._done()

    async def _recorded(
        self, caller: Caller, permitted: PermittedAction, url: str, ending: Ending
    ) -> bool:
        decision, reason = permitted.permit.decision, ending.reason
        try:
            async with self._database.transaction(caller) as tx:
                await self._executions.finish(tx, decision, ending.state, reason=reason)
                await deliveries.finish(tx, decision, ending)
                if ending.http_status == GONE:
                    await endpoints.disable(tx, permitted.action.targets[0].id, url, reason)
        except OutcomeConflict:
            return True  # a person settled it meanwhile
        except Exception as error:  # noqa: BLE001 - what happened must be written down, so again
            _log.warning("an ending is not recorded yet", decision=decision, error=repr(error))
            return False
        return True

    async def _answer(
        self, caller: Caller, permitted: PermittedAction, *, repeated: bool
    ) -> Answer:
        """What became of the decision; waits a little for an end that is just coming."""
        until = time.monotonic() + _WAIT_SECONDS
        while (row := await self._row(caller, permitted))["state"] == "RUNNING":
            if time.monotonic() > until:
                wait = timedelta(seconds=1)
                raise Unavailable("it is being sent; ask again", retry_after=wait)
            await asyncio.sleep(_AGAIN_SECONDS)
        error = _ERRORS.get(row["state"])
        if error is not None:
            raise error(
                cause=row["reason"],
                delivery_id=row["delivery_id"],
                http_status=str(row["http_status"]),
            )
        names = ("delivery_id", "endpoint_id", "http_status", "attempts")
        return Answer(permitted.permit.decision, {name: row[name] for name in names}, repeated)

    async def _row(self, caller: Caller, permitted: PermittedAction) -> Record:
        permit = permitted.permit
        async with self._database.transaction(caller) as tx:
            execution = await self._executions.get(tx, permit.decision)
            row = await deliveries.of_decision(tx, permit.decision)
        if execution is None or row is None or execution.action_digest != permit.action:
            raise DecisionUsed
        return row


def message_body(action: Action) -> bytes:
    """The bytes that are sent: the payload that was approved, in its canonical form."""
    body = rfc8785.dumps(action.document()["arguments"]["payload"])
    if len(body) > MAX_BODY_BYTES:
        raise ArgumentsInvalid(f"the payload has more than {MAX_BODY_BYTES} bytes", cause="size")
    return body


async def _target(tx: Transaction, action: Action) -> Record:
    """The endpoint, if it is still the one that was approved."""
    target = action.targets[0]
    if not UUID.fullmatch(target.id):
        raise ArgumentsInvalid("the endpoint is not named by its id", cause="endpoint")
    endpoint = await endpoints.get(tx, target.id)
    # A wrong name beside the right id is what a person would have approved by.
    named = target.name in ("", endpoint["name"])
    if not named or endpoints.etag(endpoint) != target.version:
        raise TargetChanged(endpoint_id=target.id, version=endpoints.etag(endpoint))
    if endpoint["disabled"]:
        raise EndpointDisabled(endpoint_id=target.id)
    return endpoint
