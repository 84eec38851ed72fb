"""The permit that a wake-up brings: a hint from whoever can publish, until it is checked."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from chenu.governance.v1.authorization_service_pb2 import (
    GetPermitKeySetRequest,
    Verdict,
    VerdictState,
)
from chenu.governance.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from chenu.governance.v1.decision_pb2 import Decision
from chenu.nova.v1.run_pb2 import RunAction
from chenu_gate.keyring import Keyring
from chenu_gate.permit import verify
from chenu_gate.refusal import Refused
from kernel.channels import Channels, alone
from services.nova.record import RunRecord

# A permit has to reach its executor before it expires.
_MARGIN: Final = timedelta(seconds=2)
_log = structlog.get_logger(component="hints")


class Hints:
    """Believes of a wake-up what governance has signed, and nothing else."""

    def __init__(self, channels: Channels) -> None:
        self._authorization = AuthorizationServiceStub(channels.channel("governance"))
        self._keyring = Keyring(self._key_set)

    async def verdicts(
        self, record: RunRecord, actions: Sequence[RunAction]
    ) -> dict[str, Verdict] | None:
        """The verdict by its request id, once, where it is all of the round and its permit holds.

        None where governance must be asked.
        """
        told, record.verdict = record.verdict, None
        if told is None or [action.request_id for action in actions] != [told.request_id]:
            return None
        (action,) = actions
        if not await self._permits(told.permit, action, record.action_bytes(action)):
            return None
        decision = Decision(
            decision_id=action.decision_id,
            checkpoint_id=action.checkpoint_id,
            effect=action.effect,
        )
        state = VerdictState.VERDICT_STATE_PERMITTED
        verdict = Verdict(
            request_id=action.request_id, state=state, decision=decision, permit=told.permit
        )
        return {action.request_id: verdict}

    async def _permits(self, permit: str, action: RunAction, data: bytes) -> bool:
        """Whether governance permits these very bytes, under this decision, for a while yet."""
        try:
            permitted = verify(
                permit,
                await self._keyring.for_permit(permit),
                audience=json.loads(data)["executor"],
                action_bytes=data,
                now=datetime.now(UTC) + _MARGIN,
                leeway=timedelta(0),
            )
        except Refused as refused:
            _log.warning("a wake-up's permit is not used", reason=refused.reason)
            return False
        return permitted.permit.decision == action.decision_id

    async def _key_set(self) -> str:
        with alone():
            answer = await self._authorization.GetPermitKeySet(GetPermitKeySetRequest(), timeout=5)
        return str(answer.jwks)
