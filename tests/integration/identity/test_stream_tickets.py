"""Tickets open one stream of events: once, soon, at one path, and through the gateway alone."""

import asyncio
from typing import Any

import grpc
import pytest

from chenu.identity.v1.auth_service_pb2 import GetMeRequest, LogoutRequest
from chenu.identity.v1.token_service_pb2 import (
    ExchangeDelegationRequest,
    IssueStreamTicketRequest,
    IssueStreamTicketResponse,
    RedeemStreamTicketRequest,
    RedeemStreamTicketResponse,
)
from kernel.tokens import SigningKey
from tests.integration.identity.conftest import Identity, Someone, events, refusal
from tests.integration.identity.delegating import agent_of, claims_of
from tests.support.identity import bearer

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
DENIED = grpc.StatusCode.PERMISSION_DENIED
PATH = "/api/v2/checkpoints/watch"


async def issue(identity: Identity, someone: Someone) -> IssueStreamTicketResponse:
    request = IssueStreamTicketRequest(path=PATH)
    return await identity.tokens.IssueStreamTicket(request, metadata=someone.metadata)


async def redeem(identity: Identity, ticket: str, path: str = PATH) -> RedeemStreamTicketResponse:
    request = RedeemStreamTicketRequest(ticket=ticket, path=path)
    metadata = await identity.as_service("gateway")
    return await identity.tokens.RedeemStreamTicket(request, metadata=metadata)


async def test_the_gateway_trades_it_for_an_access_token_of_the_same_session(
    identity: Identity, someone: Someone, admin: Any
) -> None:
    issued = await issue(identity, someone)
    answer = await redeem(identity, issued.ticket)
    profile = await identity.auth.GetMe(GetMeRequest(), metadata=bearer(answer.access_token))
    assert profile.user.user_id == someone.user
    claims, session = claims_of(issued.ticket), claims_of(someone.token)["sid"]
    assert claims["exp"] - claims["iat"] == 30
    assert claims_of(answer.access_token)["sid"] == session
    told = [e for e in await events(admin, f"session/{session}") if "ticket" in e["type"]]
    assert [e["type"] for e in told] == [
        "chenu.identity.ticket.issued",
        "chenu.identity.ticket.redeemed",
    ]
    assert {e["data"]["details"]["path"] for e in told} == {PATH}


async def test_it_is_good_once_however_many_bring_it_at_once(
    identity: Identity, someone: Someone
) -> None:
    ticket = (await issue(identity, someone)).ticket
    answers = await asyncio.gather(
        *(redeem(identity, ticket) for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(a, RedeemStreamTicketResponse) for a in answers) == 1
    await refusal(redeem(identity, ticket), UNAUTHENTICATED, "TICKET_INVALID")


async def test_it_is_good_for_no_other_path_and_is_not_spent_there(
    identity: Identity, someone: Someone
) -> None:
    ticket = (await issue(identity, someone)).ticket
    for path in (f"{PATH}/", "/api/v2/audit/entries/watch"):
        await refusal(redeem(identity, ticket, path), UNAUTHENTICATED, "TICKET_INVALID")
    await redeem(identity, ticket)


async def test_one_that_is_too_old_or_not_a_ticket_of_ours_is_refused(
    identity: Identity, someone: Someone
) -> None:
    claims = claims_of((await issue(identity, someone)).ticket)
    ours = SigningKey.load(max((identity.keys_dir / "tokens").glob("[0-9]*Z.pem")))
    other = SigningKey.generate(identity.keys_dir / "nobodys.pem")
    old = {**claims, "iat": claims["iat"] - 60, "exp": claims["exp"] - 60}
    for forged in (
        ours.sign(old, typ="ticket+jwt", ttl=30),
        ours.sign(claims, typ="access+jwt", ttl=30),
        ours.sign({**claims, "aud": "chenu"}, typ="ticket+jwt", ttl=30),
        other.sign(claims, typ="ticket+jwt", ttl=30),
        someone.token,
        "x",
    ):
        await refusal(redeem(identity, forged), UNAUTHENTICATED, "TICKET_INVALID")


async def test_it_ends_with_its_session(identity: Identity, someone: Someone) -> None:
    ticket = (await issue(identity, someone)).ticket
    await identity.auth.Logout(LogoutRequest(), metadata=someone.metadata)
    await refusal(redeem(identity, ticket), UNAUTHENTICATED, "SESSION_INVALID")
    await refusal(issue(identity, someone), UNAUTHENTICATED, "SESSION_INVALID")


async def test_it_is_no_token_itself(identity: Identity, someone: Someone) -> None:
    metadata = bearer((await issue(identity, someone)).ticket)
    for call in (
        identity.auth.GetMe(GetMeRequest(), metadata=metadata),
        identity.tokens.ExchangeDelegation(ExchangeDelegationRequest(), metadata=metadata),
    ):
        await refusal(call, UNAUTHENTICATED, "TOKEN_INVALID")


async def test_nobody_but_a_person_gets_one_and_nobody_but_the_gateway_trades_it(
    identity: Identity, someone: Someone
) -> None:
    _, agents = await agent_of(identity, someone)
    request = IssueStreamTicketRequest(path=PATH)
    call = identity.tokens.IssueStreamTicket(request, metadata=bearer(agents))
    await refusal(call, DENIED, "CALLER_NOT_ALLOWED")
    ticket = (await issue(identity, someone)).ticket
    for metadata in (someone.metadata, await identity.as_service("nova")):
        trade = RedeemStreamTicketRequest(ticket=ticket, path=PATH)
        redeemed = identity.tokens.RedeemStreamTicket(trade, metadata=metadata)
        await refusal(redeemed, DENIED, "CALLER_NOT_ALLOWED")


@pytest.mark.parametrize("path", ["", "/", "/health", f"{PATH}?a=b", "/api/v2/../keys", "x" * 300])
async def test_a_path_that_is_none_of_a_stream_gets_none(
    identity: Identity, someone: Someone, path: str
) -> None:
    request = IssueStreamTicketRequest(path=path)
    call = identity.tokens.IssueStreamTicket(request, metadata=someone.metadata)
    await refusal(call, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
