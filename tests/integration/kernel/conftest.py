"""The schema `sample` in a database of its own, and both of its roles."""

import asyncio
import secrets
from collections.abc import AsyncIterator
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
DATABASE = "kernel_test"


@dataclass(frozen=True)
class Urls:
    """How to reach the schema `sample`."""

    app: str
    worker: str
    admin: str


async def provision(server: PostgresServer, name: str) -> Urls:
    """A database with the empty schema `sample` and its roles."""
    password = secrets.token_urlsafe()
    root = await asyncpg.connect(server.admin_url)
    await root.execute(f"CREATE DATABASE {name}")
    await root.close()
    admin = database_url(server.admin_url, name)
    connection = await asyncpg.connect(admin)
    await connection.execute(CREATE_ROLE.format(role="sample_owner", login="NOLOGIN"))
    for role in ("sample_app", "sample_worker"):
        await connection.execute(CREATE_ROLE.format(role=role, login="LOGIN"))
        await connection.execute(f"ALTER ROLE {role} PASSWORD '{password}'")
    async with connection.transaction():
        await connection.execute(SERVICE.format(service="sample", database=name))
    await connection.close()
    urls = [
        database_url(server.url(role, password), name) for role in ("sample_app", "sample_worker")
    ]
    return Urls(*urls, admin=admin)


@pytest.fixture(scope="session")
async def urls(postgres_server: PostgresServer) -> Urls:
    made = await provision(postgres_server, DATABASE)
    await upgrade("sample", made.admin, package=PACKAGE)
    return made


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
