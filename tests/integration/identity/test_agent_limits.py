"""What an agent may use stands in its tokens, wherever they come from, and is never more."""

from typing import Any

import grpc
import pytest

from chenu.identity.v1.agent_service_pb2 import HireAgentRequest, ListAgentsRequest
from chenu.identity.v1.token_service_pb2 import IssueAgentTokenRequest
from tests.integration.identity.conftest import Identity, Someone, refusal
from tests.integration.identity.delegating import agent_of, claims_of, exchange, renew


async def hired_with(identity: Identity, person: Someone, **limits: Any) -> str:
    """The access token of an agent that was hired with these limits."""
    hired = await identity.agents.HireAgent(
        HireAgentRequest(
            display_name="Filer", session_secret=person.login.session_secret, **limits
        ),
        metadata=person.metadata,
    )
    request = IssueAgentTokenRequest(agent_id=hired.agent.agent_id, secret=hired.secret)
    return str((await identity.tokens.IssueAgentToken(request)).access_token)


async def test_an_agents_limits_stand_in_each_of_its_tokens(
    identity: Identity, someone: Someone
) -> None:
    scopes = ["thread.search", "note.*"]
    access = await hired_with(identity, someone, scopes=scopes, always_gated=True)
    delegation = (await exchange(identity, access)).delegation_token
    renewed = (await renew(identity, delegation)).delegation_token

    for token in (access, delegation, renewed):
        claims = claims_of(token)
        assert (claims["scopes"], claims["always_gated"]) == (scopes, True)
        assert claims["roles"] == []
    listed = await identity.agents.ListAgents(ListAgentsRequest(), metadata=someone.metadata)
    (agent,) = listed.agents
    assert (list(agent.scopes), agent.always_gated) == (scopes, True)


async def test_an_agent_without_limits_and_a_person_carry_none(
    identity: Identity, someone: Someone
) -> None:
    _, access = await agent_of(identity, someone)

    for token in (access, someone.token):
        assert not claims_of(token).keys() & {"scopes", "always_gated"}


@pytest.mark.parametrize("scope", ["", "*", "thread.*.x", "Thread.delete", "thread delete"])
async def test_a_scope_that_names_no_tool_is_refused(
    identity: Identity, someone: Someone, scope: str
) -> None:
    await refusal(
        hired_with(identity, someone, scopes=[scope]),
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_REQUEST",
    )
