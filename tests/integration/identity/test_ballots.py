"""Deciding without a log-in: a grant for a channel, ballots for views, one vote token for each."""

import asyncio
from typing import Any
from uuid import uuid4

import grpc
import jwt
import pytest

from chenu.identity.v1.auth_service_pb2 import GetMeRequest, LogoutRequest
from chenu.identity.v1.channel_grant_pb2 import ChannelMethod
from chenu.identity.v1.channel_grant_service_pb2 import (
    IssueBallotRequest,
    IssueBallotResponse,
    IssueChannelGrantRequest,
    IssueChannelGrantResponse,
    ListChannelGrantsRequest,
    RedeemBallotRequest,
    RedeemBallotResponse,
    RevokeChannelGrantRequest,
)
from chenu.identity.v1.token_service_pb2 import ExchangeDelegationRequest
from tests.integration.identity.conftest import Identity, Someone, Start, events, later, refusal
from tests.support.identity import bearer

DENIED = grpc.StatusCode.PERMISSION_DENIED
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
MAIL = ChannelMethod.CHANNEL_METHOD_MAIL
VIEW = "sha256:" + "ab" * 32


async def grant(
    identity: Identity, someone: Someone, channel: str = "", **changes: Any
) -> IssueChannelGrantResponse:
    request: dict[str, Any] = {
        "session_secret": someone.login.session_secret,
        "channel_id": channel or str(uuid4()),
        "method": MAIL,
    }
    return await identity.grants.IssueChannelGrant(IssueChannelGrantRequest(**request | changes))


async def ballot(
    identity: Identity, given: str, checkpoint: str = "", service: str = "courier"
) -> IssueBallotResponse:
    request = IssueBallotRequest(
        channel_grant=given, checkpoint_id=checkpoint or str(uuid4()), view_digest=VIEW
    )
    return await identity.grants.IssueBallot(request, metadata=await identity.as_service(service))


async def redeem(
    identity: Identity, brought: str, service: str = "gateway"
) -> RedeemBallotResponse:
    request = RedeemBallotRequest(ballot=brought)
    return await identity.grants.RedeemBallot(request, metadata=await identity.as_service(service))


def claims(token: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


async def test_a_ballot_becomes_a_vote_token_that_says_by_which_means_it_came(
    identity: Identity, someone: Someone, admin: Any
) -> None:
    channel, checkpoint = str(uuid4()), str(uuid4())
    given = await grant(identity, someone, channel)
    assert (given.grant.channel_id, given.grant.method) == (channel, MAIL)
    issued = await ballot(identity, given.channel_grant, checkpoint)
    answer = await redeem(identity, issued.ballot)
    again = await redeem(identity, issued.ballot)

    assert (answer.checkpoint_id, answer.view_digest) == (checkpoint, VIEW)
    vote = claims(answer.vote_token)
    assert jwt.get_unverified_header(answer.vote_token)["typ"] == "vote+jwt"
    assert (vote["sub"], vote["identity"]) == (someone.user, someone.identity)
    assert (vote["checkpoint"], vote["view_digest"], vote["amr"]) == (checkpoint, VIEW, ["mail"])
    assert vote["jti"] == claims(again.vote_token)["jti"] == claims(issued.ballot)["jti"]
    assert vote["sid"] == claims(someone.token)["sid"]
    assert vote["exp"] - vote["iat"] == 60
    told = [
        e["type"].removeprefix("chenu.identity.")
        for e in await events(admin, f"checkpoint/{checkpoint}")
    ]
    assert told == ["ballot.issued", "ballot.redeemed", "ballot.redeemed"]


async def test_only_the_session_secret_buys_a_grant(identity: Identity, someone: Someone) -> None:
    for secret in (someone.token[:512], someone.login.session.refresh_token, "x" * 40):
        call = grant(identity, someone, session_secret=secret)
        await refusal(call, UNAUTHENTICATED, "SESSION_INVALID")
    request = IssueChannelGrantRequest(
        session_secret=someone.login.session_secret, channel_id=str(uuid4()), method=MAIL
    )
    for service in ("courier", "nova", "governance"):
        metadata = await identity.as_service(service)
        granted = identity.grants.IssueChannelGrant(request, metadata=metadata)
        await refusal(granted, DENIED, "FORBIDDEN")


async def test_each_step_is_for_its_own_service(identity: Identity, someone: Someone) -> None:
    given = (await grant(identity, someone)).channel_grant
    issued = (await ballot(identity, given)).ballot
    for service in ("gateway", "nova", "governance", "threads"):
        await refusal(ballot(identity, given, service=service), DENIED, "CALLER_NOT_ALLOWED")
    for service in ("courier", "nova", "governance", "threads"):
        await refusal(redeem(identity, issued, service=service), DENIED, "CALLER_NOT_ALLOWED")


async def test_what_is_no_ballot_is_redeemed_for_nothing(
    identity: Identity, someone: Someone
) -> None:
    given = (await grant(identity, someone)).channel_grant
    issued = (await ballot(identity, given)).ballot
    head, body, signature = issued.split(".")
    for wrong in (given, someone.token, "nothing", f"{head}.{body}.{signature[::-1]}"):
        await refusal(redeem(identity, wrong), UNAUTHENTICATED, "BALLOT_INVALID")
    await refusal(ballot(identity, issued), UNAUTHENTICATED, "TOKEN_INVALID")


async def test_neither_a_grant_nor_a_ballot_opens_anything_else(
    identity: Identity, someone: Someone
) -> None:
    given = (await grant(identity, someone)).channel_grant
    for token in (given, (await ballot(identity, given)).ballot):
        for call in (
            identity.auth.GetMe(GetMeRequest(), metadata=bearer(token)),
            identity.tokens.ExchangeDelegation(ExchangeDelegationRequest(), metadata=bearer(token)),
        ):
            await refusal(call, UNAUTHENTICATED, "TOKEN_INVALID")


@pytest.mark.parametrize("how", ["logged out", "revoked", "another grant", "deactivated"])
async def test_what_ends_a_grant_ends_its_ballots(
    identity: Identity, someone: Someone, admin: Any, how: str
) -> None:
    channel = str(uuid4())
    given = (await grant(identity, someone, channel)).channel_grant
    issued = (await ballot(identity, given)).ballot
    match how:
        case "logged out":
            await identity.auth.Logout(LogoutRequest(), metadata=someone.metadata)
        case "revoked":
            request = RevokeChannelGrantRequest(channel_id=channel)
            await identity.grants.RevokeChannelGrant(request, metadata=someone.metadata)
        case "another grant":
            await grant(identity, someone, channel)
        case _:
            await admin.execute(
                "UPDATE identity.users SET deactivate_time = now() WHERE user_id = $1",
                someone.user,
            )
    await refusal(redeem(identity, issued), PRECONDITION, "CHANNEL_GRANT_ENDED")
    await refusal(ballot(identity, given), PRECONDITION, "CHANNEL_GRANT_ENDED")


async def test_a_grant_runs_out_by_itself_and_so_does_a_ballot(
    identity: Identity, start: Start, someone: Someone
) -> None:
    given = (await grant(identity, someone)).channel_grant
    issued = (await ballot(identity, given)).ballot
    assert claims(issued)["exp"] - claims(issued)["iat"] == 24 * 3600
    async with start(**later(days=6.9), session_days=30, refresh_days=30) as much_later:
        soon_over = claims((await ballot(much_later, given)).ballot)
        assert soon_over["exp"] - soon_over["iat"] <= 0.1 * 24 * 3600
    async with start(**later(days=7.1), session_days=30, refresh_days=30) as too_late:
        await refusal(ballot(too_late, given), PRECONDITION, "CHANNEL_GRANT_ENDED")
    async with start(channel_grant_ballots=1) as strict:
        await refusal(ballot(strict, given), PRECONDITION, "CHANNEL_GRANT_ENDED")


async def test_a_person_lists_their_grants_and_nobody_elses(
    identity: Identity, someone: Someone
) -> None:
    channel = str(uuid4())
    for _ in range(2):
        await grant(identity, someone, channel)
    given = await grant(identity, someone)
    await ballot(identity, given.channel_grant)
    listed: list[Any] = []
    request = ListChannelGrantsRequest(page_size=2)
    for _ in range(2):
        answer = await identity.grants.ListChannelGrants(request, metadata=someone.metadata)
        listed += answer.grants
        request.page_token = answer.next_page_token
    assert [one.HasField("revoke_time") for one in listed] == [False, False, True]
    assert (listed[0].grant_id, listed[0].ballots) == (given.grant.grant_id, 1)
    stranger = await identity.register()
    theirs = await identity.grants.ListChannelGrants(
        ListChannelGrantsRequest(), metadata=stranger.metadata
    )
    assert not theirs.grants
    await identity.grants.RevokeChannelGrant(
        RevokeChannelGrantRequest(channel_id=given.grant.channel_id), metadata=stranger.metadata
    )
    assert await ballot(identity, given.channel_grant)


async def test_of_grants_issued_at_once_for_a_channel_one_is_good(
    identity: Identity, someone: Someone
) -> None:
    channel = str(uuid4())
    await asyncio.gather(*(grant(identity, someone, channel) for _ in range(6)))
    request = ListChannelGrantsRequest()
    listed = await identity.grants.ListChannelGrants(request, metadata=someone.metadata)
    good = [one for one in listed.grants if not one.HasField("revoke_time")]
    assert (len(listed.grants), len(good)) == (6, 1)


async def test_a_grant_is_for_an_identity_of_ones_own(identity: Identity, someone: Someone) -> None:
    stranger = await identity.register()
    await refusal(grant(identity, someone, identity_id=stranger.identity), DENIED, "FORBIDDEN")
