"""The identity service on real PostgreSQL and NATS, and people who come to it."""

import json
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest

from chenu.identity.v1.agent_service_pb2_grpc import AgentServiceStub
from chenu.identity.v1.auth_service_pb2 import LoginResponse, RegisterRequest, RegisterResponse
from chenu.identity.v1.auth_service_pb2_grpc import AuthServiceStub
from chenu.identity.v1.channel_grant_service_pb2_grpc import ChannelGrantServiceStub
from chenu.identity.v1.eligibility_service_pb2_grpc import EligibilityServiceStub
from chenu.identity.v1.identity_service_pb2_grpc import IdentityServiceStub
from chenu.identity.v1.people_service_pb2_grpc import PeopleServiceStub
from chenu.identity.v1.token_service_pb2 import IssueServiceTokenRequest
from chenu.identity.v1.token_service_pb2_grpc import TokenServiceStub
from kernel.errors import reason_of
from kernel.migration import upgrade
from kernel.service import Service
from kernel.settings import SharedSettings
from kernel.tokens import SigningKey
from services.identity.__main__ import PROGRAM
from services.identity.service_keys import make_service_key
from services.identity.settings import IdentitySettings
from tests.support.identity import bearer

PASSWORD = "correct horse 1"
SERVICES = ("identity", "gateway", "governance", "nova", "audit", "threads", "courier")
Start = Callable[..., AbstractAsyncContextManager["Identity"]]


@dataclass
class Identity:
    """A running identity service and its stubs, without any token."""

    service: Service[IdentitySettings]
    channel: grpc.aio.Channel
    keys_dir: Path

    def __post_init__(self) -> None:
        self.auth = AuthServiceStub(self.channel)
        self.identities = IdentityServiceStub(self.channel)
        self.agents = AgentServiceStub(self.channel)
        self.tokens = TokenServiceStub(self.channel)
        self.eligibility = EligibilityServiceStub(self.channel)
        self.people = PeopleServiceStub(self.channel)
        self.grants = ChannelGrantServiceStub(self.channel)

    async def register(self, **changes: str) -> "Someone":
        """Somebody new."""
        email = changes.get("email", f"{uuid4()}@example.org")
        request = {"email": email, "password": PASSWORD, "display_name": "Ada"} | changes
        return Someone(email, await self.auth.Register(RegisterRequest(**request)))

    def assertion(self, service: str, **changes: Any) -> str:
        """What a service signs with its own key."""
        key = SigningKey.load(self.keys_dir / f"{service}.pem")
        claims = {"sub": service, "aud": "identity"} | changes
        return key.sign(claims, typ="assertion+jwt", ttl=60)

    async def service_token(self, service: str) -> str:
        """A token that the service bought here."""
        request = IssueServiceTokenRequest(assertion=self.assertion(service))
        return (await self.tokens.IssueServiceToken(request)).service_token

    async def as_service(self, service: str) -> tuple[tuple[str, str], ...]:
        """Metadata of a call by the service itself."""
        return bearer("", await self.service_token(service))

    async def from_address(self, address: str) -> tuple[tuple[str, str], ...]:
        """Metadata of a call that the gateway passes on from this address."""
        return (*await self.as_service("gateway"), ("x-forwarded-for", address))


@dataclass
class Someone:
    """A registered person in a session."""

    email: str
    login: RegisterResponse | LoginResponse

    @property
    def token(self) -> str:
        return self.login.access_token

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        return bearer(self.token)

    @property
    def user(self) -> str:
        return self.login.session.user.user_id

    @property
    def tenant(self) -> str:
        return self.login.session.user.tenant_id

    @property
    def identity(self) -> str:
        return self.login.session.identity.identity_id


@pytest.fixture(scope="package")
async def urls(database_urls: Mapping[str, Any]) -> Any:
    """The migrated schema `identity`."""
    await upgrade("identity", database_urls["identity"].admin)
    return database_urls["identity"]


@pytest.fixture(scope="package")
def keys_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("identity-keys")
    for service in SERVICES:
        make_service_key(folder, service)
    return folder


@pytest.fixture(scope="package")
def start(urls: Any, nats_url: str, keys_dir: Path) -> Start:
    """Starts further identity services on the same schema, with other settings."""

    @asynccontextmanager
    async def started(folder: Path = keys_dir, **changes: Any) -> AsyncIterator[Identity]:
        shared = SharedSettings(
            nats_url=nats_url, keys_dir=folder, drain_seconds=0, environment="test"
        )
        cheap = {"argon2_time_cost": 1, "argon2_memory_kib": 64, "argon2_parallelism": 1}
        roomy = {"attempts_per_address": 100_000, "registrations_per_address": 100_000}
        settings = IdentitySettings(
            listen="127.0.0.1:0",
            database_url=urls.app,
            worker_database_url=urls.worker,
            **{**cheap, **roomy, **changes},
        )
        service = await Service.start(PROGRAM, shared, settings)
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{service.port}") as channel:
                yield Identity(service, channel, folder)
        finally:
            await service.stop()

    return started


@pytest.fixture(scope="package")
async def identity(start: Start) -> AsyncIterator[Identity]:
    async with start() as running:
        yield running


@pytest.fixture
async def someone(identity: Identity) -> Someone:
    return await identity.register()


@pytest.fixture
def own_keys_dir(keys_dir: Path, tmp_path: Path) -> Path:
    """The services' keys, with token keys of one's own beside them."""
    folder = tmp_path / "keys"
    shutil.copytree(keys_dir, folder, ignore=shutil.ignore_patterns("tokens"))
    return folder


@pytest.fixture
async def admin(urls: Any) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """The superuser, to look behind the curtain."""
    connection = await asyncpg.connect(urls.admin)
    yield connection
    await connection.close()


async def events(admin: "asyncpg.Connection[asyncpg.Record]", subject: str) -> list[dict[str, Any]]:
    """The audit events about a subject, in order."""
    rows = await admin.fetch("SELECT event FROM identity.outbox ORDER BY seq")
    parsed = [json.loads(row["event"]) for row in rows]
    return [event for event in parsed if event["subject"] == subject]


async def refusal(call: Any, code: grpc.StatusCode, reason: str) -> grpc.aio.AioRpcError:
    """The error that a call must end with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert (caught.value.code(), reason_of(caught.value)) == (code, reason)
    return caught.value


def later(**passed: float) -> dict[str, float]:
    """Settings of a service whose clock is ahead."""
    return {"clock_offset_seconds": timedelta(**passed).total_seconds()}
