"""The limits on trying, and the ways around them that do not work."""

import asyncio
from typing import Any
from uuid import uuid4

import grpc
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo

from chenu.identity.v1.agent_service_pb2 import HireAgentRequest
from chenu.identity.v1.auth_service_pb2 import (
    ChangePasswordRequest,
    LoginRequest,
    RegisterRequest,
)
from chenu.identity.v1.token_service_pb2 import IssueAgentTokenRequest
from kernel.errors import detail
from tests.integration.identity.conftest import (
    PASSWORD,
    Identity,
    Someone,
    Start,
    events,
    later,
    refusal,
)

EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
WRONG = "wrong horse 1"


def address() -> str:
    """One that no other test uses."""
    n = uuid4().int
    return f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"


async def guess(identity: Identity, email: str, metadata: Any = ()) -> grpc.StatusCode:
    try:
        await identity.auth.Login(LoginRequest(email=email, password=WRONG), metadata=metadata)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


async def test_after_too_many_guesses_even_the_right_password_waits(
    start: Start, someone: Someone, admin: Any
) -> None:
    async with start(attempts_per_account=3) as identity:
        for _ in range(3):
            assert await guess(identity, someone.email) == UNAUTHENTICATED
        right = LoginRequest(email=someone.email, password=PASSWORD)
        error = await refusal(identity.auth.Login(right), EXHAUSTED, "TOO_MANY_ATTEMPTS")
    retry, info = detail(error, RetryInfo), detail(error, ErrorInfo)
    assert retry is not None
    assert info is not None
    assert 800 < retry.retry_delay.seconds <= 900
    assert info.metadata["retry_after_seconds"] == str(retry.retry_delay.seconds)
    assert "attempts/login" in {event["subject"] for event in await events(admin, "attempts/login")}


async def test_only_the_first_refusal_of_a_window_is_recorded(
    start: Start, someone: Someone, admin: Any
) -> None:
    before = len(await events(admin, "attempts/login"))
    async with start(attempts_per_account=1) as identity:
        codes = [await guess(identity, someone.email) for _ in range(5)]
    assert codes == [UNAUTHENTICATED] + [EXHAUSTED] * 4
    recorded = (await events(admin, "attempts/login"))[before:]
    assert [event["data"]["outcome"] for event in recorded] == ["RESOURCE_EXHAUSTED"]


async def test_neither_case_nor_spaces_nor_width_give_further_guesses(
    start: Start, someone: Someone
) -> None:
    email = someone.email
    spellings = [email, email.upper(), f"  {email}", f"{email}\t", email.title()]
    spellings.append("".join(chr(ord(c) + 0xFEE0) for c in email))
    async with start(attempts_per_account=len(spellings)) as identity:
        for spelling in spellings:
            assert await guess(identity, spelling) == UNAUTHENTICATED
        assert await guess(identity, email) == EXHAUSTED


async def test_many_addresses_do_not_give_further_guesses_at_one_e_mail(
    start: Start, someone: Someone
) -> None:
    async with start(attempts_per_account=3) as identity:
        for _ in range(3):
            metadata = await identity.from_address(address())
            assert await guess(identity, someone.email, metadata) == UNAUTHENTICATED
        metadata = await identity.from_address(address())
        assert await guess(identity, someone.email, metadata) == EXHAUSTED


async def test_many_e_mails_do_not_give_further_guesses_from_one_address(start: Start) -> None:
    async with start(attempts_per_address=3) as identity:
        metadata = await identity.from_address(address())
        for _ in range(3):
            assert await guess(identity, f"{uuid4()}@no.one", metadata) == UNAUTHENTICATED
        assert await guess(identity, f"{uuid4()}@no.one", metadata) == EXHAUSTED


async def test_the_addresses_of_one_ipv6_network_count_as_one(start: Start) -> None:
    network = f"2001:db8:{uuid4().int & 0xFFFF:x}:{uuid4().int & 0xFFFF:x}"
    async with start(attempts_per_address=2) as identity:
        codes = [
            await guess(
                identity,
                f"{uuid4()}@no.one",
                await identity.from_address(f"{network}:{n}::{n}"),
            )
            for n in (1, 2, 3)
        ]
    assert codes == [UNAUTHENTICATED, UNAUTHENTICATED, EXHAUSTED]


async def test_a_forwarded_address_counts_only_from_the_gateway(start: Start) -> None:
    async with start(attempts_per_address=2) as identity:
        for metadata in ((), await identity.as_service("nova")):
            codes = []
            for _ in range(3):  # all of them from 127.0.0.1, whatever they say
                lie = (*metadata, ("x-forwarded-for", address()))
                codes.append(await guess(identity, f"{uuid4()}@no.one", lie))
            assert codes[-1] == EXHAUSTED


async def test_what_a_client_wrote_before_the_gateways_word_does_not_count(start: Start) -> None:
    own = address()
    async with start(attempts_per_address=2) as identity:
        codes = [
            await guess(
                identity,
                f"{uuid4()}@no.one",
                await identity.from_address(f"{address()}, {own}"),
            )
            for _ in range(3)
        ]
    assert codes == [UNAUTHENTICATED, UNAUTHENTICATED, EXHAUSTED]


async def test_guesses_made_at_once_count_each(start: Start, someone: Someone) -> None:
    async with start(attempts_per_account=4) as identity:
        codes = await asyncio.gather(*(guess(identity, someone.email) for _ in range(20)))
    assert sorted(code.name for code in codes) == sorted(
        ["UNAUTHENTICATED"] * 4 + ["RESOURCE_EXHAUSTED"] * 16
    )


async def test_the_count_outlives_a_restart_and_is_shared_by_replicas(
    start: Start, someone: Someone
) -> None:
    async with start(attempts_per_account=2) as first, start(attempts_per_account=2) as second:
        assert await guess(first, someone.email) == UNAUTHENTICATED
        assert await guess(second, someone.email) == UNAUTHENTICATED
    async with start(attempts_per_account=2) as restarted:
        assert await guess(restarted, someone.email) == EXHAUSTED


async def test_when_the_window_is_over_one_may_try_again(start: Start, someone: Someone) -> None:
    async with start(attempts_per_account=1) as identity:
        assert await guess(identity, someone.email) == UNAUTHENTICATED
        assert await guess(identity, someone.email) == EXHAUSTED
    async with start(attempts_per_account=1, **later(minutes=16)) as identity:
        assert await guess(identity, someone.email) == UNAUTHENTICATED


async def test_logging_in_uses_up_no_attempts(start: Start, someone: Someone) -> None:
    async with start(attempts_per_account=1) as identity:
        for _ in range(3):
            request = LoginRequest(email=someone.email, password=PASSWORD)
            assert (await identity.auth.Login(request)).access_token


async def test_an_account_of_ones_own_does_not_buy_further_guesses_at_others(
    start: Start, someone: Someone
) -> None:
    async with start(attempts_per_address=3) as identity:
        metadata = await identity.from_address(address())
        own = LoginRequest(email=someone.email, password=PASSWORD)
        codes = []
        for _ in range(4):
            codes.append(await guess(identity, f"{uuid4()}@no.one", metadata))
            if codes[-1] == UNAUTHENTICATED and len(codes) < 3:
                await identity.auth.Login(own, metadata=metadata)
    assert codes == [UNAUTHENTICATED] * 3 + [EXHAUSTED]


async def test_guessing_the_present_password_is_limited_too(start: Start, someone: Someone) -> None:
    change = ChangePasswordRequest(current_password=WRONG, new_password="another horse 2")
    async with start(attempts_per_account=2) as identity:
        for reason, code in [("WRONG_CREDENTIALS", UNAUTHENTICATED)] * 2 + [
            ("TOO_MANY_ATTEMPTS", EXHAUSTED)
        ]:
            call = identity.auth.ChangePassword(change, metadata=someone.metadata)
            await refusal(call, code, reason)


async def test_registrations_from_one_address_are_limited(start: Start) -> None:
    async with start(registrations_per_address=2) as identity:
        metadata = await identity.from_address(address())
        request = RegisterRequest(password=PASSWORD, display_name="Ada")
        for _ in range(2):
            request.email = f"{uuid4()}@example.org"
            await identity.auth.Register(request, metadata=metadata)
        request.email = f"{uuid4()}@example.org"
        await refusal(
            identity.auth.Register(request, metadata=metadata), EXHAUSTED, "TOO_MANY_ATTEMPTS"
        )


async def test_wrong_secrets_of_agents_are_limited_by_address_and_lock_no_agent_out(
    start: Start, someone: Someone
) -> None:
    async with start(attempts_per_address=2) as identity:
        hired = await identity.agents.HireAgent(
            HireAgentRequest(display_name="Scout", session_secret=someone.login.session_secret),
            metadata=someone.metadata,
        )
        metadata = await identity.from_address(address())
        wrong = IssueAgentTokenRequest(agent_id=hired.agent.agent_id, secret="guess")
        for reason, code in [("WRONG_CREDENTIALS", UNAUTHENTICATED)] * 2 + [
            ("TOO_MANY_ATTEMPTS", EXHAUSTED)
        ]:
            await refusal(identity.tokens.IssueAgentToken(wrong, metadata=metadata), code, reason)
        right = IssueAgentTokenRequest(agent_id=hired.agent.agent_id, secret=hired.secret)
        elsewhere = await identity.from_address(address())
        assert (await identity.tokens.IssueAgentToken(right, metadata=elsewhere)).access_token


async def test_the_table_of_attempts_holds_no_e_mail_and_no_address(
    start: Start, someone: Someone, admin: Any
) -> None:
    own = address()
    async with start() as identity:
        await guess(identity, someone.email, await identity.from_address(own))
    for row in await admin.fetch("SELECT a::text AS text, key FROM identity.attempts AS a"):
        assert someone.email not in row["text"]
        assert own not in row["text"]
        assert len(row["key"]) == 32
