"""Vote tokens: bought with the session secret, for one vote on one view, and with nothing else."""

from typing import Any
from uuid import uuid4

import grpc
import jwt
import pytest

from chenu.identity.v1.auth_service_pb2 import GetMeRequest, LogoutRequest
from chenu.identity.v1.identity_pb2 import IdentityType
from chenu.identity.v1.identity_service_pb2 import CreateIdentityRequest
from chenu.identity.v1.token_service_pb2 import (
    ExchangeDelegationRequest,
    IssueVoteTokenRequest,
    IssueVoteTokenResponse,
)
from kernel.errors import DETAILS_KEY
from tests.integration.identity.conftest import Identity, Someone, Start, events, later, refusal
from tests.support.identity import bearer

DENIED = grpc.StatusCode.PERMISSION_DENIED
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
VIEW = "sha256:" + "ab" * 32


async def buy(
    identity: Identity, secret: str, checkpoint: str = "", metadata: Any = (), **changes: Any
) -> IssueVoteTokenResponse:
    request = IssueVoteTokenRequest(
        session_secret=secret, checkpoint_id=checkpoint or str(uuid4()), view_digest=VIEW
    )
    request.MergeFrom(IssueVoteTokenRequest(**changes))
    return await identity.tokens.IssueVoteToken(request, metadata=metadata)


async def test_the_session_secret_buys_a_token_for_one_view_of_one_checkpoint(
    identity: Identity, someone: Someone, admin: Any
) -> None:
    checkpoint = str(uuid4())
    answer = await buy(identity, someone.login.session_secret, checkpoint)
    claims = jwt.decode(answer.vote_token, options={"verify_signature": False})
    assert jwt.get_unverified_header(answer.vote_token)["typ"] == "vote+jwt"
    assert (claims["aud"], claims["actor"]) == ("governance", "human")
    assert (claims["checkpoint"], claims["view_digest"]) == (checkpoint, VIEW)
    assert (claims["sub"], claims["identity"]) == (someone.user, someone.identity)
    assert claims["amr"] == ["pwd"]
    assert claims["exp"] - claims["iat"] == 60
    (issued,) = await events(admin, f"checkpoint/{checkpoint}")
    assert issued["data"]["details"] == {"view_digest": VIEW, "token": claims["jti"]}


async def test_the_secret_is_not_used_up(identity: Identity, someone: Someone) -> None:
    tokens = {(await buy(identity, someone.login.session_secret)).vote_token for _ in range(3)}
    assert len(tokens) == 3


async def test_an_access_token_buys_no_vote_wherever_it_is_put(
    identity: Identity, someone: Someone
) -> None:
    for secret in (
        someone.token[:512],
        someone.login.session.refresh_token,
        "chenu_session_" + "x" * 43,
        someone.login.session_secret[:-1],
        someone.login.session_secret.upper(),
    ):
        for metadata in ((), someone.metadata):
            await refusal(
                buy(identity, secret, metadata=metadata), UNAUTHENTICATED, "SESSION_INVALID"
            )


async def test_no_service_but_the_gateway_asks_for_a_vote_token(
    identity: Identity, someone: Someone
) -> None:
    secret = someone.login.session_secret
    for service in ("nova", "threads", "governance"):
        metadata = await identity.as_service(service)
        await refusal(buy(identity, secret, metadata=metadata), DENIED, "FORBIDDEN")
    gateway = await identity.as_service("gateway")
    assert (await buy(identity, secret, metadata=gateway)).vote_token


async def test_a_vote_token_opens_nothing_here(identity: Identity, someone: Someone) -> None:
    token = (await buy(identity, someone.login.session_secret)).vote_token
    for call in (
        identity.auth.GetMe(GetMeRequest(), metadata=bearer(token)),
        identity.tokens.ExchangeDelegation(ExchangeDelegationRequest(), metadata=bearer(token)),
    ):
        await refusal(call, DENIED, "CALLER_NOT_ALLOWED")
    await refusal(buy(identity, token[:512]), UNAUTHENTICATED, "SESSION_INVALID")


async def test_after_logging_out_the_secret_is_worth_nothing(
    identity: Identity, someone: Someone
) -> None:
    await identity.auth.Logout(LogoutRequest(), metadata=someone.metadata)
    await refusal(buy(identity, someone.login.session_secret), UNAUTHENTICATED, "SESSION_INVALID")


async def test_the_secret_of_a_session_that_ran_out_is_worth_nothing(
    start: Start, someone: Someone
) -> None:
    async with start(**later(days=8)) as identity:
        await refusal(
            buy(identity, someone.login.session_secret), UNAUTHENTICATED, "SESSION_INVALID"
        )


async def test_a_deactivated_person_votes_on_nothing(
    identity: Identity, someone: Someone, admin: Any
) -> None:
    await admin.execute(
        "UPDATE identity.users SET deactivate_time = now() WHERE user_id = $1", someone.user
    )
    await refusal(buy(identity, someone.login.session_secret), UNAUTHENTICATED, "SESSION_INVALID")


async def test_a_person_votes_under_another_of_their_own_identities_only(
    identity: Identity, someone: Someone
) -> None:
    created = await identity.identities.CreateIdentity(
        CreateIdentityRequest(type=IdentityType.IDENTITY_TYPE_DESIGN, display_name="Atelier"),
        metadata=someone.metadata,
    )
    own, secret = created.identity.identity_id, someone.login.session_secret
    token = (await buy(identity, secret, identity_id=own)).vote_token
    assert jwt.decode(token, options={"verify_signature": False})["identity"] == own
    stranger = await identity.register()
    answers = []
    for other in (stranger.identity, str(uuid4())):
        error = await refusal(buy(identity, secret, identity_id=other), DENIED, "FORBIDDEN")
        answers.append((error.details(), dict(error.trailing_metadata() or ())[DETAILS_KEY]))
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"checkpoint_id": "not-an-id"},
        {"view_digest": "sha256:short"},
        {"view_digest": "md5:" + "0" * 64},
        {"session_secret": "short"},
    ],
)
async def test_a_request_that_breaks_its_contract_is_refused(
    identity: Identity, someone: Someone, wrong: dict[str, str]
) -> None:
    request = buy(identity, someone.login.session_secret, **wrong)
    await refusal(request, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
