"""Delegations as they are issued: to people and agents, for Nova alone."""

from typing import Any
from uuid import uuid4

import grpc
import jwt
import pytest

from chenu.identity.v1.identity_pb2 import IdentityType
from chenu.identity.v1.identity_service_pb2 import CreateIdentityRequest
from chenu.identity.v1.token_service_pb2 import (
    ExchangeDelegationRequest,
    IssueVoteTokenRequest,
)
from kernel.errors import DETAILS_KEY
from tests.integration.identity.conftest import (
    Identity,
    Someone,
    events,
    refusal,
)
from tests.integration.identity.delegating import agent_of, claims_of, exchange
from tests.support.identity import bearer

DENIED = grpc.StatusCode.PERMISSION_DENIED
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED


async def test_a_person_exchanges_an_access_token_for_one_that_is_meant_for_nova(
    identity: Identity, someone: Someone, admin: Any
) -> None:
    answer = await exchange(identity, someone.token)
    claims = claims_of(answer.delegation_token)
    assert jwt.get_unverified_header(answer.delegation_token)["typ"] == "delegation+jwt"
    assert (claims["aud"], claims["act"]) == ("nova", {"service": "nova"})
    assert (claims["sub"], claims["actor"]) == (someone.user, "human")
    assert claims["sid"] == claims_of(someone.token)["sid"]
    assert claims["exp"] - claims["iat"] == 900
    assert answer.deadline.seconds - claims["iat"] == pytest.approx(48.25 * 3600, abs=5)
    (issued,) = await events(admin, f"delegation/{claims['delegation']}")
    assert issued["type"] == "chenu.identity.delegation.issued"


async def test_an_agent_exchanges_its_token_and_stays_an_agent(
    identity: Identity, someone: Someone
) -> None:
    agent, token = await agent_of(identity, someone)
    claims = claims_of((await exchange(identity, token)).delegation_token)
    assert (claims["actor"], claims["agent"], claims["roles"]) == ("agent", agent, [])
    assert "sid" not in claims


async def test_a_person_delegates_for_another_of_their_identities_and_an_agent_does_not(
    identity: Identity, someone: Someone, admin: Any
) -> None:
    created = await identity.identities.CreateIdentity(
        CreateIdentityRequest(type=IdentityType.IDENTITY_TYPE_DESIGN, display_name="Atelier"),
        metadata=someone.metadata,
    )
    other = created.identity.identity_id
    claims = claims_of((await exchange(identity, someone.token, other)).delegation_token)
    assert claims["identity"] == other
    (issued,) = await events(admin, f"delegation/{claims['delegation']}")
    assert issued["identity"] == other
    _, token = await agent_of(identity, someone)
    await refusal(exchange(identity, token, other), DENIED, "FORBIDDEN")
    assert (await exchange(identity, token, someone.identity)).delegation_token


async def test_a_foreign_identity_is_refused_like_a_missing_one(
    identity: Identity, someone: Someone
) -> None:
    stranger = await identity.register()
    answers = []
    for other in (stranger.identity, str(uuid4())):
        error = await refusal(exchange(identity, someone.token, other), DENIED, "FORBIDDEN")
        answers.append((error.details(), dict(error.trailing_metadata() or ())[DETAILS_KEY]))
    assert answers[0] == answers[1]


async def test_a_delegation_delegates_no_further_and_opens_nothing_here(
    identity: Identity, someone: Someone
) -> None:
    delegation = (await exchange(identity, someone.token)).delegation_token
    await refusal(exchange(identity, delegation), DENIED, "CALLER_NOT_ALLOWED")
    nova = await identity.service_token("nova")
    call = identity.tokens.ExchangeDelegation(
        ExchangeDelegationRequest(), metadata=bearer(delegation, nova)
    )
    await refusal(call, DENIED, "CALLER_NOT_ALLOWED")


async def test_a_delegation_buys_no_vote(identity: Identity, someone: Someone) -> None:
    token = (await exchange(identity, someone.token)).delegation_token
    request = IssueVoteTokenRequest(
        session_secret=token[:512], checkpoint_id=str(uuid4()), view_digest="sha256:" + "0" * 64
    )
    for metadata in ((), bearer(token), bearer(token, await identity.service_token("nova"))):
        with pytest.raises(grpc.aio.AioRpcError):
            await identity.tokens.IssueVoteToken(request, metadata=metadata)
