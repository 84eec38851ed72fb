"""ChannelGrantService on the wire."""

from chenu.identity.v1.channel_grant_service_pb2 import (
    IssueBallotRequest,
    IssueBallotResponse,
    IssueChannelGrantRequest,
    IssueChannelGrantResponse,
    ListChannelGrantsRequest,
    ListChannelGrantsResponse,
    RedeemBallotRequest,
    RedeemBallotResponse,
    RevokeChannelGrantRequest,
    RevokeChannelGrantResponse,
)
from chenu.identity.v1.channel_grant_service_pb2_grpc import ChannelGrantServiceServicer
from kernel.context import current
from services.identity.ballots import Ballots
from services.identity.channel_grants import ChannelGrants


class ChannelGrantServicer(ChannelGrantServiceServicer):
    """Deciding from a mail or a chat."""

    def __init__(self, grants: ChannelGrants, ballots: Ballots) -> None:
        self._grants, self._ballots = grants, ballots

    async def IssueChannelGrant(
        self, request: IssueChannelGrantRequest, _context: object
    ) -> IssueChannelGrantResponse:
        return await self._grants.issue(request)

    async def ListChannelGrants(
        self, request: ListChannelGrantsRequest, _context: object
    ) -> ListChannelGrantsResponse:
        return await self._grants.list(current().caller, request)

    async def RevokeChannelGrant(
        self, request: RevokeChannelGrantRequest, _context: object
    ) -> RevokeChannelGrantResponse:
        await self._grants.revoke(current().caller, request.channel_id)
        return RevokeChannelGrantResponse()

    async def IssueBallot(
        self, request: IssueBallotRequest, _context: object
    ) -> IssueBallotResponse:
        issued = await self._ballots.issue(
            request.channel_grant, request.checkpoint_id, request.view_digest
        )
        return IssueBallotResponse(ballot=issued.token, expire_time=issued.expire_time)

    async def RedeemBallot(
        self, request: RedeemBallotRequest, _context: object
    ) -> RedeemBallotResponse:
        issued, bound = await self._ballots.redeem(request.ballot)
        return RedeemBallotResponse(
            vote_token=issued.token,
            expire_time=issued.expire_time,
            checkpoint_id=bound["checkpoint"],
            view_digest=bound["view_digest"],
        )
