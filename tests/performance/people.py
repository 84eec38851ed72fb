"""One caller of the fleet: a person with a session, on connections of their own."""

from collections.abc import Mapping
from typing import Any, Final, Self
from uuid import uuid4

import grpc

from chenu.identity.v1.auth_service_pb2 import RegisterRequest, RegisterResponse
from chenu.identity.v1.auth_service_pb2_grpc import AuthServiceStub
from chenu.identity.v1.token_service_pb2 import ExchangeDelegationRequest
from chenu.identity.v1.token_service_pb2_grpc import TokenServiceStub
from tests.support.identity import Metadata, bearer

# Channels of one process to one address share a connection unless told otherwise.
_OWN_CONNECTION: Final = [("grpc.use_local_subchannel_pool", 1)]


class Person:
    """Somebody who is registered, logged in, and whose access token is exchanged for Nova."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self._addresses = addresses
        self._channels: dict[str, grpc.aio.Channel] = {}
        self.session: RegisterResponse
        self.me: Metadata
        self.nova: Metadata

    @classmethod
    async def register(cls, addresses: Mapping[str, str]) -> Self:
        """A new person."""
        person = cls(addresses)
        person.session = await AuthServiceStub(person.channel("identity")).Register(
            RegisterRequest(
                email=f"{uuid4()}@chenu.example", password="long-enough-1", display_name="Caller"
            )
        )
        person.me = bearer(person.session.access_token)
        answer = await TokenServiceStub(person.channel("identity")).ExchangeDelegation(
            ExchangeDelegationRequest(), metadata=person.me
        )
        person.nova = bearer(answer.delegation_token)
        return person

    def stub(self, stub: Any, service: str) -> Any:
        """A stub on this person's connection to a service."""
        return stub(self.channel(service))

    def channel(self, service: str) -> grpc.aio.Channel:
        """This person's connection to a service."""
        if service not in self._channels:
            address = self._addresses[service]
            self._channels[service] = grpc.aio.insecure_channel(address, options=_OWN_CONNECTION)
        return self._channels[service]

    async def close(self) -> None:
        """Close the connections."""
        for channel in self._channels.values():
            await channel.close()
