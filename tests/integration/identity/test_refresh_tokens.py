"""Refreshing a session; what happens to a copied refresh token."""

import asyncio
from typing import Any

import grpc
import jwt

from chenu.identity.v1.auth_service_pb2 import (
    RefreshSessionRequest,
    RefreshSessionResponse,
    SwitchIdentityRequest,
)
from chenu.identity.v1.identity_pb2 import IdentityType
from chenu.identity.v1.identity_service_pb2 import CreateIdentityRequest
from chenu.identity.v1.token_service_pb2 import IssueVoteTokenRequest
from kernel.errors import reason_of
from tests.integration.identity.conftest import Identity, Someone, Start, events, later, refusal
from tests.support.identity import bearer

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
VIEW = "sha256:" + "0" * 64


async def refresh(identity: Identity, token: str) -> RefreshSessionResponse:
    return await identity.auth.RefreshSession(RefreshSessionRequest(refresh_token=token))


async def test_a_refresh_token_gives_the_next_pair_in_the_same_session(
    identity: Identity, someone: Someone
) -> None:
    first = someone.login.session
    second = (await refresh(identity, first.refresh_token)).session
    assert second.refresh_token != first.refresh_token
    assert second.user == first.user
    old, new = (
        jwt.decode(token, options={"verify_signature": False})
        for token in (first.access_token, second.access_token)
    )
    assert new["sid"] == old["sid"]
    assert new["jti"] != old["jti"]
    assert (await refresh(identity, second.refresh_token)).access_token


async def test_using_a_refresh_token_again_ends_the_whole_session(
    identity: Identity, someone: Someone, admin: Any
) -> None:
    stolen = someone.login.session.refresh_token
    honest = (await refresh(identity, stolen)).session.refresh_token
    await refusal(refresh(identity, stolen), UNAUTHENTICATED, "REFRESH_TOKEN_REUSED")
    await refusal(refresh(identity, honest), UNAUTHENTICATED, "REFRESH_TOKEN_INVALID")
    vote = IssueVoteTokenRequest(
        session_secret=someone.login.session_secret, checkpoint_id=someone.user, view_digest=VIEW
    )
    await refusal(identity.tokens.IssueVoteToken(vote), UNAUTHENTICATED, "SESSION_INVALID")
    sid = jwt.decode(someone.token, options={"verify_signature": False})["sid"]
    *_, ended = await events(admin, f"session/{sid}")
    assert ended["data"]["details"] == {"cause": "refresh_token_reused"}


async def test_of_two_refreshes_at_once_one_wins_and_the_session_ends(
    identity: Identity, someone: Someone
) -> None:
    token = someone.login.session.refresh_token
    answers = await asyncio.gather(
        *(refresh(identity, token) for _ in range(8)), return_exceptions=True
    )
    given = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert len(given) == 1
    refused = {reason_of(a) for a in answers if isinstance(a, grpc.aio.AioRpcError)}
    assert "REFRESH_TOKEN_REUSED" in refused
    assert refused <= {"REFRESH_TOKEN_REUSED", "REFRESH_TOKEN_INVALID"}
    await refusal(
        refresh(identity, given[0].session.refresh_token),
        UNAUTHENTICATED,
        "REFRESH_TOKEN_INVALID",
    )


async def test_what_is_no_refresh_token_is_refused(identity: Identity, someone: Someone) -> None:
    for token in ("chenu_refresh_nonsense", someone.token, someone.login.session_secret, "x\0y"):
        await refusal(refresh(identity, token), UNAUTHENTICATED, "REFRESH_TOKEN_INVALID")


async def test_a_refresh_token_lives_seven_days(start: Start, someone: Someone) -> None:
    async with start(**later(days=6.9)) as identity:
        session = (await refresh(identity, someone.login.session.refresh_token)).session
    async with start(**later(days=13.8)) as identity:
        assert (await refresh(identity, session.refresh_token)).access_token


async def test_a_session_that_nobody_refreshed_is_over(start: Start, someone: Someone) -> None:
    async with start(**later(days=7.1)) as identity:
        token = someone.login.session.refresh_token
        await refusal(refresh(identity, token), UNAUTHENTICATED, "REFRESH_TOKEN_INVALID")


async def test_no_refreshing_makes_a_session_older_than_thirty_days(
    start: Start, someone: Someone
) -> None:
    token = someone.login.session.refresh_token
    for day in (6.9, 13.8, 20.7, 27.6):
        async with start(**later(days=day)) as identity:
            token = (await refresh(identity, token)).session.refresh_token
    async with start(**later(days=30.1)) as identity:
        await refusal(refresh(identity, token), UNAUTHENTICATED, "REFRESH_TOKEN_INVALID")


async def test_a_deactivated_person_refreshes_nothing(
    identity: Identity, someone: Someone, admin: Any
) -> None:
    await admin.execute(
        "UPDATE identity.users SET deactivate_time = now() WHERE user_id = $1", someone.user
    )
    await refusal(
        refresh(identity, someone.login.session.refresh_token),
        UNAUTHENTICATED,
        "REFRESH_TOKEN_INVALID",
    )


async def test_a_refresh_stays_under_the_identity_that_was_switched_to(
    identity: Identity, someone: Someone
) -> None:
    created = await identity.identities.CreateIdentity(
        CreateIdentityRequest(type=IdentityType.IDENTITY_TYPE_DESIGN, display_name="Atelier"),
        metadata=someone.metadata,
    )
    other = created.identity.identity_id
    await identity.auth.SwitchIdentity(
        SwitchIdentityRequest(identity_id=other), metadata=bearer(someone.token)
    )
    session = (await refresh(identity, someone.login.session.refresh_token)).session
    assert session.identity.identity_id == other
