"""Asks identity who may decide: at the vote, and again before an approval becomes a permit."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

import grpc
import structlog

from chenu.identity.v1.eligibility_service_pb2 import (
    CheckEligibilityRequest,
    Voter,
)
from chenu.identity.v1.eligibility_service_pb2 import Eligibility as Said
from chenu.identity.v1.eligibility_service_pb2_grpc import EligibilityServiceStub
from kernel.caller import Caller
from kernel.channels import alone
from kernel.errors import ServiceError

_REMEMBERED_SECONDS: Final = 30.0
_REMEMBERED: Final = 10_000
_log: Final = structlog.get_logger(component="eligibility")


class Eligibility:
    """Identity's word on voters. A vote and a permit always ask; nothing of it is remembered."""

    def __init__(self, stub: EligibilityServiceStub) -> None:
        self._stub = stub
        self._approvers: dict[tuple[str, str], float] = {}

    async def refusals(self, tenant: str, owner: str, voters: Sequence[Voter]) -> list[str]:
        """For each voter why their vote does not count, empty where it does."""
        request = CheckEligibilityRequest(tenant_id=tenant, owner_identity_id=owner, voters=voters)
        with alone():
            answer = await self._stub.CheckEligibility(request)
        if len(answer.eligibilities) != len(voters):
            raise ServiceError("identity answered for other voters than were asked for")
        return [
            _refusal(said, voter) for said, voter in zip(answer.eligibilities, voters, strict=True)
        ]

    async def somebody_can_approve(self, caller: Caller) -> bool:
        """Whether anybody alive could approve for the caller's identity; only its owner may.

        Good enough to be remembered for a while, and to be assumed while identity is silent:
        it saves a pointless question, it entitles nobody.
        """
        asked = (caller.identity, caller.person)
        if self._approvers.get(asked, 0.0) > time.monotonic():
            return True
        owner = Voter(person_id=caller.person, identity_id=caller.identity)
        try:
            (refusal,) = await self.refusals(caller.tenant, caller.identity, [owner])
        except grpc.aio.AioRpcError as error:
            _log.warning("eligibility not known", code=error.code().name)
            return True
        if refusal:
            return False
        if len(self._approvers) >= _REMEMBERED:
            self._approvers.clear()
        self._approvers[asked] = time.monotonic() + _REMEMBERED_SECONDS
        return True


def _refusal(said: Said, voter: Voter) -> str:
    if not said.eligible or said.person_id != voter.person_id:
        return said.reason or "UNKNOWN"
    return "" if said.is_owner else "NOT_THE_OWNER"
