"""The schema `sample` in a database of its own, and both of its roles."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from deploy.local.postgres_server import PostgresServer
from deploy.postgres.roles import CREATE_ROLE, SERVICE, database_url
from kernel.caller import Caller
from kernel.context import new_id
from kernel.database import Database, OutboxState
from kernel.migration import upgrade
from kernel.service import Program, Service
from kernel.settings import ServiceSettings, SharedSettings
from kernel.tokens import SigningKey
from tests.integration.kernel.fleet import Fleet, LogKey
from tests.integration.kernel.relay_stage import Stage
from tests.integration.kernel.support import Urls, someone
from tests.unit.kernel import sample

PACKAGE = "tests.integration.kernel.services"
TEMPLATE = "kernel_template"
PASSWORD = secrets.token_urlsafe()  # roles belong to the server, so all databases share it


def urls_of(server: PostgresServer, name: str) -> Urls:
    app, worker = (
        database_url(server.url(role, PASSWORD), name) for role in ("sample_app", "sample_worker")
    )
    return Urls(app, worker, admin=database_url(server.admin_url, name))


async def provision(server: PostgresServer, name: str) -> Urls:
    """A database with the empty schema `sample` and its roles."""
    root = await asyncpg.connect(server.admin_url)
    await root.execute(f"CREATE DATABASE {name}")
    await root.close()
    urls = urls_of(server, name)
    connection = await asyncpg.connect(urls.admin)
    await connection.execute(CREATE_ROLE.format(role="sample_owner", login="NOLOGIN"))
    for role in ("sample_app", "sample_worker"):
        await connection.execute(CREATE_ROLE.format(role=role, login="LOGIN"))
        await connection.execute(f"ALTER ROLE {role} PASSWORD '{PASSWORD}'")
    async with connection.transaction():
        await connection.execute(SERVICE.format(service="sample", database=name))
    await connection.close()
    return urls


@pytest.fixture(scope="package")
async def clone(postgres_server: PostgresServer) -> Callable[[], Awaitable[Urls]]:
    """Makes databases with the migrated schema `sample`, each for one test."""
    template = await provision(postgres_server, TEMPLATE)
    await upgrade("sample", template.admin, package=PACKAGE)

    async def make() -> Urls:
        name = f"kernel_{new_id().replace('-', '')[-12:]}"
        root = await asyncpg.connect(postgres_server.admin_url)
        await root.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        await root.execute(f"GRANT CONNECT ON DATABASE {name} TO sample_app, sample_worker")
        await root.close()
        return urls_of(postgres_server, name)

    return make


@pytest.fixture(scope="package")
async def urls(clone: Callable[[], Awaitable[Urls]]) -> Urls:
    """One database for all tests that need none of their own."""
    return await clone()


@pytest.fixture
async def outbox_state() -> OutboxState:
    return OutboxState()


@pytest.fixture
async def database(urls: Urls, outbox_state: OutboxState) -> AsyncIterator[Database]:
    made = await Database.connect(urls.app, schema="sample", pool_size=8, outbox=outbox_state)
    yield made
    await made.close()


@pytest.fixture
async def worker(urls: Urls, outbox_state: OutboxState) -> AsyncIterator[Database]:
    made = await Database.connect(urls.worker, schema="sample", pool_size=4, outbox=outbox_state)
    yield made
    await made.close()


@pytest.fixture
async def admin(urls: Urls) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(urls.admin)
    yield connection
    await connection.close()


@pytest.fixture
async def make_stage(
    clone: Callable[[], Awaitable[Urls]],
) -> AsyncIterator[Callable[..., Awaitable[Stage]]]:
    opened: list[Database] = []

    async def make(**settings: Any) -> Stage:
        urls, state = await clone(), OutboxState()
        app = await Database.connect(urls.app, schema="sample", outbox=state)
        worker = await Database.connect(urls.worker, schema="sample", outbox=state)
        opened.extend((app, worker))
        return Stage(urls, app, worker, SharedSettings(**settings))

    yield make
    for database in opened:
        await database.close()


@pytest.fixture
async def stage(make_stage: Callable[..., Awaitable[Stage]]) -> Stage:
    return await make_stage()


@pytest.fixture
def caller() -> Caller:
    return someone()


@pytest.fixture
def log_key() -> LogKey:
    return LogKey()


@pytest.fixture
async def fleet(urls: Urls, nats_url: str, tmp_path: Path, log_key: LogKey) -> AsyncIterator[Fleet]:
    issuer = sample.Issuer(SigningKey.generate(tmp_path / "identity.pem"))
    SigningKey.generate(tmp_path / "sample.pem")
    (tmp_path / "log.vkey").write_text(f"{log_key.verifier}\n")
    servicer = sample.Servicer()

    async def assemble(service: Service[ServiceSettings]) -> None:
        service.keys.source = issuer.jwks
        service.add_servicer(sample.add_servicer, servicer)

    shared = SharedSettings(
        keys_dir=tmp_path, nats_url=nats_url, drain_seconds=0.2, grace_seconds=1
    )
    settings = ServiceSettings(
        listen="127.0.0.1:0", database_url=urls.app, worker_database_url=urls.worker
    )
    service = await Service.start(Program("sample", ServiceSettings, assemble), shared, settings)
    made = Fleet(service, servicer, issuer)
    yield made
    await made.channel.close()
    await service.stop()
