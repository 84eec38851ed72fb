"""What the tests of delegations share."""

from typing import Any

import jwt

from chenu.identity.v1.agent_service_pb2 import HireAgentRequest
from chenu.identity.v1.token_service_pb2 import (
    ExchangeDelegationRequest,
    ExchangeDelegationResponse,
    IssueAgentTokenRequest,
    RenewDelegationRequest,
    RenewDelegationResponse,
)
from kernel.tokens import SigningKey
from services.identity.__main__ import token_keys
from tests.integration.identity.conftest import (
    Identity,
    Someone,
)
from tests.support.identity import bearer


def claims_of(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


async def exchange(
    identity: Identity, token: str, identity_id: str = ""
) -> ExchangeDelegationResponse:
    request = ExchangeDelegationRequest(identity_id=identity_id)
    return await identity.tokens.ExchangeDelegation(request, metadata=bearer(token))


async def renew(identity: Identity, token: str, service: str = "nova") -> RenewDelegationResponse:
    request = RenewDelegationRequest(delegation_token=token)
    metadata = await identity.as_service(service)
    return await identity.tokens.RenewDelegation(request, metadata=metadata)


def signing_key(identity: Identity) -> SigningKey:
    """Identity's own, to sign what identity would not."""
    return token_keys(identity.service.shared, identity.service.settings).signing


async def agent_of(identity: Identity, person: Someone) -> tuple[str, str]:
    """The id and the access token of a hired agent."""
    hired = await identity.agents.HireAgent(
        HireAgentRequest(display_name="Scout", session_secret=person.login.session_secret),
        metadata=person.metadata,
    )
    request = IssueAgentTokenRequest(agent_id=hired.agent.agent_id, secret=hired.secret)
    return hired.agent.agent_id, (await identity.tokens.IssueAgentToken(request)).access_token
