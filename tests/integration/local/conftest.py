"""Servers of their own for tests that break them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.backends import Backends
from deploy.local.nats_server import NatsServer
from deploy.local.postgres_server import PostgresServer


@pytest.fixture
def backends(tmp_path: Path) -> Iterator[Backends]:
    """Both servers of a new state folder, not started."""
    backends = Backends(tmp_path / "state")
    yield backends
    backends.stop()


@pytest.fixture(scope="package")
def made_postgres(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a PostgreSQL that ran once; making data takes longer than copying it."""
    folder = tmp_path_factory.mktemp("made")
    server = PostgresServer(folder / "postgres", folder / "log")
    server.start()
    server.stop()
    return server.folder


@pytest.fixture
def own_postgres(backends: Backends, made_postgres: Path) -> PostgresServer:
    """PostgreSQL with data of its own, not started."""
    shutil.copytree(made_postgres, backends.postgres.folder)
    return backends.postgres


@pytest.fixture
def own_nats(backends: Backends) -> NatsServer:
    """NATS of a new state folder, not started."""
    return backends.nats
