"""The schema `sample` in a database of its own, and both of its roles."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import asyncpg
import pytest

from deploy.local.postgres_server import PostgresServer
from deploy.postgres.roles import CREATE_ROLE, SERVICE, database_url
from kernel.caller import Caller
from kernel.context import new_id
from kernel.database import Database, OutboxState
from kernel.migration import upgrade

PACKAGE = "tests.integration.kernel.services"
TEMPLATE = "kernel_template"
PASSWORD = secrets.token_urlsafe()  # roles belong to the server, so all databases share it


@dataclass(frozen=True)
class Urls:
    """How to reach the schema `sample`."""

    app: str
    worker: str
    admin: str


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


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
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
def caller() -> Caller:
    return someone()


def someone() -> Caller:
    """A caller with ids of its own."""
    return Caller(tenant=new_id(), person=new_id(), identity=new_id(), actor="human")


async def until(condition: object, seconds: float = 10) -> None:
    """Wait until an async or plain condition holds."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        held = condition()  # type: ignore[operator]
        if asyncio.iscoroutine(held):
            held = await held
        if held:
            return
        assert asyncio.get_running_loop().time() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)
