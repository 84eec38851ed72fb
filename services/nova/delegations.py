"""Nova acts under a delegation, which it trades for a fresh one while the run may go on."""

import base64
import json
import time
from typing import Final

import grpc

from chenu.identity.v1.token_service_pb2 import RenewDelegationRequest
from chenu.identity.v1.token_service_pb2_grpc import TokenServiceStub
from kernel.channels import Channels, alone
from kernel.errors import FailedPrecondition, reason_of
from services.nova.patience import Patience
from services.nova.record import RunRecord

_MARGIN_SECONDS: Final = 60


class DelegationEnded(FailedPrecondition):
    """Person, session or agent is gone, or the run took too long: nobody stands behind it."""

    reason = "DELEGATION_ENDED"


class Delegations:
    """Keeps each run's delegation fresh."""

    def __init__(self, channels: Channels, patience: Patience) -> None:
        self._tokens = TokenServiceStub(channels.channel("identity"))
        self._patience = patience

    async def refresh(self, record: RunRecord) -> None:
        """Renew the run's delegation when it is about to expire; raises DelegationEnded."""
        if _expiry(record.delegation) - time.time() > _MARGIN_SECONDS:
            return
        request = RenewDelegationRequest(delegation_token=record.delegation)
        try:
            with alone():
                answer = await self._patience.call(
                    lambda: self._tokens.RenewDelegation(request, timeout=10.0)
                )
        except grpc.aio.AioRpcError as error:
            if reason_of(error) == DelegationEnded.reason:
                raise DelegationEnded(error.details() or "") from None
            raise
        record.delegation = answer.delegation_token


def _expiry(token: str) -> float:
    """When the token ends; the services check it, so its signature does not matter here."""
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return float(claims["exp"])
