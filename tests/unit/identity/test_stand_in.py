"""The stand-in gives tokens that the kernel takes for what they are."""

from types import SimpleNamespace

import grpc
import pytest

from chenu.events.v1.method_policy_pb2 import CallerKind
from chenu.identity.v1.token_service_pb2 import GetKeySetRequest
from chenu.identity.v1.token_service_pb2_grpc import TokenServiceStub
from kernel.channels import ServiceToken
from kernel.errors import Unauthenticated
from kernel.interceptors.authentication import identify
from tests.support.identity import Person, StandInIdentity, TokenMint


async def test_the_kernel_reads_each_kind_of_caller_from_the_minted_tokens() -> None:
    mint, person = TokenMint(), Person()
    kinds = {
        mint.access(person): CallerKind.CALLER_KIND_HUMAN,
        mint.access(person, agent=person.person): CallerKind.CALLER_KIND_AGENT,
        mint.delegation(person): CallerKind.CALLER_KIND_DELEGATION,
        mint.vote(person, person.person, "sha256:x"): CallerKind.CALLER_KIND_VOTER,
    }
    for token, kind in kinds.items():
        caller = await identify(mint.keys, token, "")
        assert (caller.kind, caller.identity) == (kind, person.identity)
    assert (await identify(mint.keys, "", mint.service("nova"))).service == "nova"


async def test_the_token_of_another_mint_is_refused() -> None:
    with pytest.raises(Unauthenticated):
        await identify(TokenMint().keys, TokenMint().access(Person()), "")


async def test_the_stand_in_serves_its_keys_and_trades_assertions() -> None:
    async with (
        StandInIdentity() as identity,
        grpc.aio.insecure_channel(identity.address) as channel,
    ):
        answer = await TokenServiceStub(channel).GetKeySet(GetKeySetRequest())
        assert answer.jwks == await identity.key_set()
        token = await ServiceToken("threads", identity.key, channel)()
        caller = await identify(identity.keys, "", token)
        assert SimpleNamespace(service=caller.service) == SimpleNamespace(service="threads")
