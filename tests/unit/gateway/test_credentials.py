"""Tokens that were exchanged are kept no longer than the token they were given for."""

import time
from typing import Any

import jwt
import pytest
from starlette.requests import Request

from chenu.identity.v1.token_service_pb2 import ExchangeDelegationResponse
from chenu.nova.v1.run_service_pb2 import ListRunsRequest
from services.gateway.contract import bindings
from services.gateway.credentials import Credentials


class IdentityThatCounts:
    """Stands for identity: gives a delegation of a quarter of an hour to whoever asks."""

    def __init__(self) -> None:
        self.asked = 0

    def channel(self, _: str) -> "IdentityThatCounts":
        return self

    def unary_unary(self, *_: object, **__: object) -> Any:
        return self._exchange

    unary_stream = unary_unary

    async def _exchange(self, _: object) -> ExchangeDelegationResponse:
        self.asked += 1
        answer = ExchangeDelegationResponse(delegation_token="d")
        answer.expire_time.FromSeconds(int(time.time()) + 900)
        return answer


@pytest.mark.parametrize(("life", "asked"), [(1800, 1), (20, 2)])
async def test_a_delegation_is_kept_no_longer_than_the_access_token_lives(
    life: int, asked: int
) -> None:
    identity: Any = IdentityThatCounts()
    credentials = Credentials(identity)
    access = jwt.encode({"exp": int(time.time()) + life}, "k" * 32)
    header = (b"authorization", f"Bearer {access}".encode())
    request = Request({"type": "http", "headers": [header], "query_string": b""})
    binding = next(b for b in bindings() if b.full_name.endswith("RunService/ListRuns"))
    for _ in range(2):
        assert await credentials.token_for(binding, request, ListRunsRequest()) == "d"
    assert identity.asked == asked
