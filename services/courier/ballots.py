"""Ballots: what a channel's grant is traded for at identity, one for each view and message."""

from __future__ import annotations

from typing import Final

import grpc
import structlog

from chenu.identity.v1.channel_grant_service_pb2 import IssueBallotRequest
from chenu.identity.v1.channel_grant_service_pb2_grpc import ChannelGrantServiceStub
from kernel.channels import alone
from kernel.errors import reason_of
from services.courier.channels import Address

_SECONDS: Final = 5.0
_log: Final = structlog.get_logger(component="ballots")


class Ballots:
    """Asks identity, which knows whether grant, session and person still hold."""

    def __init__(self, identity: ChannelGrantServiceStub) -> None:
        self._identity = identity

    async def issue(self, there: Address, checkpoint_id: str, view_digest: str) -> str:
        """A ballot on this view; AioRpcError where identity gives none."""
        request = IssueBallotRequest(
            channel_grant=there.grant, checkpoint_id=checkpoint_id, view_digest=view_digest
        )
        with alone():
            answer = await self._identity.IssueBallot(request, timeout=_SECONDS)
        return str(answer.ballot)

    async def on_offer(self, there: Address, checkpoint_id: str, view_digest: str) -> str:
        """A ballot, or nothing: no message waits for it."""
        try:
            return await self.issue(there, checkpoint_id, view_digest)
        except grpc.aio.AioRpcError as error:
            _log.info("no ballot", checkpoint=checkpoint_id, reason=reason_of(error))
            return ""
