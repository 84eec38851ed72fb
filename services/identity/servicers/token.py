"""TokenService on the wire."""

from chenu.identity.v1.token_service_pb2 import (
    ExchangeDelegationRequest,
    ExchangeDelegationResponse,
    GetKeySetRequest,
    GetKeySetResponse,
    IssueAgentTokenRequest,
    IssueAgentTokenResponse,
    IssueServiceTokenRequest,
    IssueServiceTokenResponse,
    IssueStreamTicketRequest,
    IssueStreamTicketResponse,
    IssueVoteTokenRequest,
    IssueVoteTokenResponse,
    RedeemStreamTicketRequest,
    RedeemStreamTicketResponse,
    RenewDelegationRequest,
    RenewDelegationResponse,
)
from chenu.identity.v1.token_service_pb2_grpc import TokenServiceServicer
from kernel.context import current
from services.identity.agents import Agents
from services.identity.delegations import Delegations
from services.identity.service_keys import ServiceKeys
from services.identity.stream_tickets import StreamTickets
from services.identity.token_keys import TokenKeys
from services.identity.vote_tokens import VoteTokens


class TokenServicer(TokenServiceServicer):
    """Tokens with a purpose."""

    def __init__(
        self, keys: TokenKeys, vote_tokens: VoteTokens, delegations: Delegations,
        service_keys: ServiceKeys, agents: Agents, tickets: StreamTickets,
    ) -> None:  # fmt: skip
        self._keys, self._vote_tokens, self._delegations = keys, vote_tokens, delegations
        self._service_keys, self._agents, self._tickets = service_keys, agents, tickets

    async def IssueVoteToken(
        self, request: IssueVoteTokenRequest, _context: object
    ) -> IssueVoteTokenResponse:
        issued = await self._vote_tokens.issue(request)
        return IssueVoteTokenResponse(vote_token=issued.token, expire_time=issued.expire_time)

    async def ExchangeDelegation(
        self, request: ExchangeDelegationRequest, _context: object
    ) -> ExchangeDelegationResponse:
        issued, deadline = await self._delegations.exchange(current().caller, request.identity_id)
        return ExchangeDelegationResponse(
            delegation_token=issued.token, expire_time=issued.expire_time, deadline=deadline
        )

    async def RenewDelegation(
        self, request: RenewDelegationRequest, _context: object
    ) -> RenewDelegationResponse:
        issued, deadline = await self._delegations.renew(request.delegation_token)
        return RenewDelegationResponse(
            delegation_token=issued.token, expire_time=issued.expire_time, deadline=deadline
        )

    async def IssueServiceToken(
        self, request: IssueServiceTokenRequest, _context: object
    ) -> IssueServiceTokenResponse:
        issued = await self._service_keys.issue_token(request.assertion)
        return IssueServiceTokenResponse(service_token=issued.token, expire_time=issued.expire_time)

    async def IssueAgentToken(
        self, request: IssueAgentTokenRequest, _context: object
    ) -> IssueAgentTokenResponse:
        issued = await self._agents.issue_token(request.agent_id, request.secret)
        return IssueAgentTokenResponse(access_token=issued.token, expire_time=issued.expire_time)

    async def IssueStreamTicket(
        self, request: IssueStreamTicketRequest, _context: object
    ) -> IssueStreamTicketResponse:
        issued = await self._tickets.issue(current().caller, request.path)
        return IssueStreamTicketResponse(ticket=issued.token, expire_time=issued.expire_time)

    async def RedeemStreamTicket(
        self, request: RedeemStreamTicketRequest, _context: object
    ) -> RedeemStreamTicketResponse:
        issued = await self._tickets.redeem(request.ticket, request.path)
        return RedeemStreamTicketResponse(access_token=issued.token, expire_time=issued.expire_time)

    async def GetKeySet(self, _request: GetKeySetRequest, _context: object) -> GetKeySetResponse:
        return GetKeySetResponse(jwks=await self._keys.key_set())
