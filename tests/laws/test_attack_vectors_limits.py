"""Rate limits: what a client writes into its headers gives it no further guesses."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from chenu.identity.v1.auth_service_pb2 import LoginRequest
from chenu.identity.v1.auth_service_pb2_grpc import AuthServiceStub
from tests.laws.stories import reason
from tests.support.fleet import Client, Fleet
from tests.support.waiting import soon

LIMIT = 5


@pytest.fixture
async def limited(fleet: Fleet, superuser: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """The gateway, before an identity that allows few attempts from one address."""
    await fleet.stop("identity")
    await superuser.execute("TRUNCATE identity.attempts")
    await fleet.start(
        "identity",
        CHENU_IDENTITY_ATTEMPTS_PER_ADDRESS=str(LIMIT),
        CHENU_IDENTITY_REGISTRATIONS_PER_ADDRESS=str(LIMIT),
    )
    try:
        async with httpx2.AsyncClient(base_url=f"http://{fleet.address('gateway')}") as http:
            await soon(lambda: there(http), "the gateway has found it again")
            yield http
    finally:
        await fleet.stop("identity")
        await superuser.execute("TRUNCATE identity.attempts")
        await fleet.start("identity")


async def there(http: httpx2.AsyncClient) -> bool:
    return (await http.get("/api/v2/auth/keys")).status_code == 200


def elsewhere(number: int) -> dict[str, str]:
    """Every header by which a client could claim to be at another address."""
    address = f"203.0.113.{number}"
    return {
        "x-forwarded-for": address,
        "x-real-ip": address,
        "forwarded": f"for={address}",
        "x-client-ip": address,
        "true-client-ip": address,
        "cf-connecting-ip": address,
        "x-chenu-service-authorization": "Bearer forged",
    }


async def test_another_address_in_a_header_gives_no_further_guesses(
    limited: httpx2.AsyncClient, fleet: Fleet
) -> None:
    async def guess(number: int) -> httpx2.Response:
        body = {"email": f"{uuid4()}@chenu.example", "password": "a-guess-1"}
        return await limited.post("/api/v2/auth/login", json=body, headers=elsewhere(number))

    statuses = [(await guess(number)).status_code for number in range(LIMIT)]
    assert statuses == [401] * LIMIT
    refused = await guess(LIMIT + 1)
    assert refused.status_code == 429
    assert refused.json()["reason"] == "TOO_MANY_ATTEMPTS"
    assert int(refused.headers["retry-after"]) > 0
    # Nor does going round the gateway, with its own header forged.
    request = LoginRequest(email=f"{uuid4()}@chenu.example", password="a-guess-1")
    direct = AuthServiceStub(fleet.channel("identity")).Login(
        request, metadata=(("x-forwarded-for", "203.0.113.99"),)
    )
    assert (await reason(direct))[1] == "TOO_MANY_ATTEMPTS"


async def test_another_address_in_a_header_registers_no_further_people(
    limited: httpx2.AsyncClient,
) -> None:
    async def register(number: int) -> httpx2.Response:
        body = {
            "email": f"{uuid4()}@chenu.example",
            "password": "long-enough-1",
            "display_name": "Many",
        }
        return await limited.post("/api/v2/auth/register", json=body, headers=elsewhere(number))

    statuses = [(await register(number)).status_code for number in range(LIMIT)]
    assert statuses == [200] * LIMIT
    assert (await register(LIMIT + 1)).status_code == 429


async def test_tokens_that_are_good_are_not_counted_against_anybody(
    limited: httpx2.AsyncClient, me: Client
) -> None:
    headers = {"authorization": f"Bearer {me.session.access_token}"}
    for _ in range(3 * LIMIT):
        assert (await limited.get("/api/v2/auth/me", headers=headers)).status_code == 200
