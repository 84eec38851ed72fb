"""Clients of the gateway, and what holds the fleet's keys."""

from collections.abc import AsyncIterator, Mapping
from uuid import uuid4

import httpx2
import pytest

from tests.laws.hands import Hands
from tests.support.fleet import Fleet
from tests.support.openapi import conforms


@pytest.fixture(scope="package")
def hands(fleet: Fleet, fleet_environment: Mapping[str, str]) -> Hands:
    return Hands(fleet, fleet_environment)


@pytest.fixture
async def http(fleet: Fleet) -> AsyncIterator[httpx2.AsyncClient]:
    """A client that nobody is logged in to; its answers must be what the document says."""
    base, hooks = f"http://{fleet.address('gateway')}", {"response": [conforms]}
    async with httpx2.AsyncClient(base_url=base, timeout=30, event_hooks=hooks) as client:
        yield client


@pytest.fixture
async def logged_in(http: httpx2.AsyncClient) -> httpx2.AsyncClient:
    """A client of a new person: bearer token, session cookie and CSRF token."""
    answer = await http.post(
        "/api/v2/auth/register",
        json={
            "email": f"{uuid4()}@chenu.example",
            "password": "long-enough-1",
            "display_name": "Web",
        },
    )
    assert answer.status_code == 200, answer.text
    http.headers["authorization"] = f"Bearer {answer.json()['access_token']}"
    http.headers["x-csrf-token"] = answer.json()["csrf_token"]
    return http
