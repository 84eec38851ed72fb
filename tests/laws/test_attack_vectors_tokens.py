"""Forged and confused tokens, at every service: only what identity signed for this very use."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chenu.audit.v1.log_service_pb2 import GetTreeHeadRequest
from chenu.audit.v1.log_service_pb2_grpc import LogServiceStub
from chenu.courier.v1.endpoint_service_pb2 import ListEndpointsRequest
from chenu.courier.v1.endpoint_service_pb2_grpc import EndpointServiceStub
from chenu.governance.v1.checkpoint_service_pb2 import ListCheckpointsRequest
from chenu.governance.v1.checkpoint_service_pb2_grpc import CheckpointServiceStub
from chenu.identity.v1.auth_service_pb2 import GetMeRequest
from chenu.identity.v1.auth_service_pb2_grpc import AuthServiceStub
from chenu.llm.v1.ledger_service_pb2 import ListLedgerEntriesRequest
from chenu.llm.v1.ledger_service_pb2_grpc import LedgerServiceStub
from chenu.nova.v1.run_service_pb2 import ListRunsRequest
from chenu.nova.v1.run_service_pb2_grpc import RunServiceStub
from chenu.threads.v1.thread_service_pb2 import ListThreadsRequest
from chenu.threads.v1.thread_service_pb2_grpc import ThreadServiceStub
from kernel.tokens import SigningKey
from tests.laws.hands import ANY_DIGEST, Hands, person_of, use
from tests.laws.stories import reason
from tests.support.fleet import Client, Fleet
from tests.support.identity import Metadata, bearer
from tests.unit.kernel.forged_tokens import BAD, header, signed
from tests.unit.kernel.sample import Issuer

READS: dict[str, tuple[Any, str, Any]] = {
    "identity": (AuthServiceStub, "GetMe", GetMeRequest()),
    "threads": (ThreadServiceStub, "ListThreads", ListThreadsRequest()),
    "governance": (CheckpointServiceStub, "ListCheckpoints", ListCheckpointsRequest()),
    "audit": (LogServiceStub, "GetTreeHead", GetTreeHeadRequest()),
    "llm": (LedgerServiceStub, "ListLedgerEntries", ListLedgerEntriesRequest()),
    "courier": (EndpointServiceStub, "ListEndpoints", ListEndpointsRequest()),
    "nova": (RunServiceStub, "ListRuns", ListRunsRequest()),
}
PEOPLES = [service for service in READS if service != "nova"]


async def read(fleet: Fleet, service: str, metadata: Metadata) -> Any:
    """The simplest call that a person makes there."""
    stub, name, request = READS[service]
    return await getattr(stub(fleet.channel(service)), name)(request, metadata=metadata)


class StolenIssuer(Issuer):
    """Signs with a key of the fleet, in the name of a person who exists."""

    def __init__(self, key: SigningKey, me: Client) -> None:
        super().__init__(key)
        self._me = me

    def claims(self, **changes: Any) -> dict[str, Any]:
        person = person_of(self._me)
        own = {"sub": person.person, "tenant": person.tenant, "identity": person.identity}
        return super().claims(**own | changes)


async def test_the_forger_of_these_tests_could_forge_if_anything_could_be_forged(
    fleet: Fleet, me: Client, hands: Hands
) -> None:
    issuer = StolenIssuer(hands.token_key, me)
    for token in (issuer.access(), signed(issuer, header(issuer))):
        for service in PEOPLES:
            await read(fleet, service, bearer(token))


@pytest.mark.parametrize("service", READS)
async def test_no_forged_token_is_taken_by_any_service(
    fleet: Fleet, me: Client, hands: Hands, service: str
) -> None:
    issuer = StolenIssuer(hands.token_key, me)
    for name, forge in BAD.items():
        code, _ = await reason(read(fleet, service, bearer(forge(issuer))))
        assert code == "UNAUTHENTICATED", name


async def test_no_forged_token_is_taken_by_the_gateway(
    fleet: Fleet, me: Client, hands: Hands
) -> None:
    issuer = StolenIssuer(hands.token_key, me)
    async with httpx2.AsyncClient(base_url=f"http://{fleet.address('gateway')}") as http:
        for name, forge in BAD.items():
            for path in ("/api/v2/threads", "/api/v2/nova/history"):
                headers = {"authorization": f"Bearer {forge(issuer)}"}
                answer = await http.get(path, headers=headers)
                assert answer.status_code == 401, name


async def test_the_fleets_other_keys_sign_no_tokens(fleet: Fleet, me: Client, hands: Hands) -> None:
    """The keys of services, permits and the log are good keys, and none of identity's."""
    files = [f for f in hands.keys.rglob("*.pem") if ".pub." not in f.name]
    files = [f for f in files if f.parent.name != "tokens"]
    assert len(files) > 8
    true_kid = hands.token_key.kid
    for file in files:
        issuer = StolenIssuer(SigningKey.load(file), me)
        for token in (issuer.access(), signed(issuer, header(issuer, kid=true_kid))):
            code, _ = await reason(read(fleet, "threads", bearer(token)))
            assert code == "UNAUTHENTICATED", file.name


async def every_token(me: Client, hands: Hands) -> dict[str, str]:
    """One good token of every kind, each for a use of its own."""
    permit = (await hands.ask(me, use(me, "thread.search", query="x"))).permit
    checkpoint = "0190b6a0-0000-7000-8000-000000000000"
    agent = dict(await hands.agent(me))["authorization"].removeprefix("Bearer ")
    return {
        "access": me.session.access_token,
        "agent": agent,
        "delegation": await hands.delegation(me),
        "vote": await hands.vote_token(me, checkpoint, ANY_DIGEST),
        "permit": permit,
        "service": await hands.service("nova"),
        "assertion": hands.assertion("nova"),
        "refresh": me.session.session.refresh_token,
        "session secret": me.session.session_secret,
    }


async def test_a_good_token_in_a_wrong_place_is_nobodys(
    fleet: Fleet, me: Client, hands: Hands
) -> None:
    tokens = await every_token(me, hands)
    for service in READS:
        for kind, token in tokens.items():
            welcome = {"delegation"} if service == "nova" else {"access", "agent"}
            if service in {"identity", "llm"}:
                welcome -= {"agent"}
            if kind in welcome:
                await read(fleet, service, bearer(token))
            else:
                code, _ = await reason(read(fleet, service, bearer(token)))
                assert code in {"UNAUTHENTICATED", "PERMISSION_DENIED"}, (service, kind)


async def test_nothing_but_a_service_token_stands_in_the_services_header(
    fleet: Fleet, me: Client, hands: Hands
) -> None:
    tokens = await every_token(me, hands)
    for service in READS:
        for kind, token in tokens.items():
            if kind == "service":
                continue
            for beside in ("", me.session.access_token, tokens["delegation"]):
                code, _ = await reason(read(fleet, service, bearer(beside, token)))
                assert code == "UNAUTHENTICATED", (service, kind)


@pytest.fixture
async def attackers_keys() -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that would serve a key set to whoever is lured to it; what was asked of it."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(100))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/keys", asked
    server.close()
    await server.wait_closed()


async def test_a_token_that_brings_its_own_key_is_refused_and_nobody_fetches_it(
    fleet: Fleet, me: Client, attackers_keys: tuple[str, list[bytes]]
) -> None:
    url, asked = attackers_keys
    issuer = StolenIssuer(SigningKey(Ed25519PrivateKey.generate()), me)
    tricks: dict[str, dict[str, Any]] = {
        "jku": {"jku": url},
        "x5u": {"x5u": url},
        "jwk": {"jwk": issuer.key.jwk},
        "jwk and kid": {"jwk": issuer.key.jwk, "kid": "attacker"},
        "kid is an address": {"kid": url},
    }
    for name, changes in tricks.items():
        for service in READS:
            token = signed(issuer, header(issuer, **changes))
            code, _ = await reason(read(fleet, service, bearer(token)))
            assert code == "UNAUTHENTICATED", (service, name)
    assert asked == []


CLAIMS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "roles": lambda _: {"roles": ["admin", "superuser", "service"]},
    "a stranger's tenant": lambda other: {"tenant": other.tenant},
    "a stranger's identity": lambda other: {"identity": other.identity},
}


@pytest.mark.parametrize("claim", CLAIMS)
async def test_a_claim_changed_without_the_key_is_worth_nothing(
    fleet: Fleet, me: Client, stranger: Client, claim: str
) -> None:
    head, body, signature = me.session.access_token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    claims |= CLAIMS[claim](person_of(stranger))
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    for service in PEOPLES:
        metadata = bearer(f"{head}.{forged}.{signature}")
        assert (await reason(read(fleet, service, metadata)))[0] == "UNAUTHENTICATED"
