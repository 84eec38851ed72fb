"""Fixtures of the whole suite: real PostgreSQL and NATS, started once a run, on first use."""

import secrets
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from deploy.local.nats_server import NatsServer
from deploy.local.postgres_server import PostgresServer
from deploy.postgres.roles import LOGINS, SERVICES, database_url, provision_database
from tests.support.database_urls import DatabaseUrls


@pytest.fixture(scope="session")
def state_folder() -> Iterator[Path]:
    """A folder for the servers of this run, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="chenu-test-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def postgres_server(state_folder: Path) -> Iterator[PostgresServer]:
    """PostgreSQL itself, for tests that stop, kill or restart it; leave it running."""
    server = PostgresServer(state_folder / "postgres", state_folder / "logs" / "postgres.log")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def nats_server(state_folder: Path) -> Iterator[NatsServer]:
    """NATS itself, for tests that stop, kill, wipe or restart it; leave it running."""
    server = NatsServer(state_folder / "nats", state_folder / "logs" / "nats.log")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres(postgres_server: PostgresServer) -> str:
    """The superuser's URL of a PostgreSQL without any of our databases or roles."""
    return postgres_server.admin_url


@pytest.fixture(scope="session")
def nats_url(nats_server: NatsServer) -> str:
    """The URL of a NATS with JetStream, its token included."""
    return nats_server.url


@pytest.fixture(scope="session")
async def database_urls(postgres_server: PostgresServer) -> Mapping[str, DatabaseUrls]:
    """By service: the URLs of its roles in the database `chenu`, its schema still empty."""
    passwords = {login: secrets.token_urlsafe() for login in LOGINS}
    await provision_database(postgres_server.admin_url, passwords)
    urls = {login: postgres_server.url(login, passwords[login]) for login in LOGINS}
    return {
        service: DatabaseUrls(
            app=urls[f"{service}_app"],
            worker=urls[f"{service}_worker"],
            admin=database_url(postgres_server.admin_url),
        )
        for service in SERVICES
    }
