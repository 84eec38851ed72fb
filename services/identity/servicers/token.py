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
    IssueVoteTokenRequest,
    IssueVoteTokenResponse,
    RenewDelegationRequest,
    RenewDelegationResponse,
)
from chenu.identity.v1.token_service_pb2_grpc import TokenServiceServicer
from kernel.context import current
from services.identity.agents import Agents
from services.identity.delegations import Delegations
from services.identity.service_keys import ServiceKeys
from services.identity.token_keys import TokenKeys
from services.identity.vote_tokens import VoteTokens


class TokenServicer(TokenServiceServicer):
    """Tokens with a purpose."""

    def __init__(
        self, keys: TokenKeys, vote_tokens: VoteTokens, delegations: Delegations,
        service_keys: ServiceKeys, agents: Agents,
    ) -> None:  # fmt: skip
        self._keys, self._vote_tokens, self._delegations = keys, vote_tokens, delegations
        self._service_keys, self._agents = service_keys, agents

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

    async def GetKeySet(self, _request: GetKeySetRequest, _context: object) -> GetKeySetResponse:
        return GetKeySetResponse(jwks=await self._keys.key_set())
