"""Fixtures of the whole suite: real PostgreSQL and NATS, started once a run, on first use."""

import re
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from deploy.local.backends import Backends, running_backends
from deploy.local.nats_server import NatsServer
from deploy.local.ports import Ports
from deploy.local.postgres_server import PostgresServer
from deploy.local.provision import Choices, provision
from deploy.local.simulator.server import serving
from deploy.postgres.roles import LOGINS, SERVICES, database_url, provision_database
from tests.support.database_urls import DatabaseUrls
from tests.support.fleet import Client, Fleet

UUID_IN = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-")

# How long an example takes says more about what else the machine does than about the code.
settings.register_profile("chenu", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("chenu")

pytest_plugins = ["tests.support.reached"]
TOGETHER = {
    "stack": ("tests/end_to_end",),
    "stage": ("tests/faults",),
    "fleet": (
        *("tests/contract/test_rpcs", "tests/contract/test_grpc_tools", "tests/laws"),
        *("tests/integration/gateway", "tests/integration/nova"),
    ),
}
"""By the servers that they share: the tests that need them."""


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


@pytest.fixture(scope="session")
def fleet_backends() -> Iterator[Backends]:
    """A PostgreSQL and a NATS of the fleet's own, so that no other test meets its bundles."""
    with (
        tempfile.TemporaryDirectory(prefix="chenu-fleet-") as folder,
        running_backends(Path(folder)) as started,
    ):
        yield started


@pytest.fixture(scope="session")
def fleet_environment(fleet_backends: Backends) -> Mapping[str, str]:
    """The variables of a fleet that is provisioned and quick to stop."""
    ports = Ports.free()
    quick = {
        "CHENU_DRAIN_SECONDS": "0",
        "CHENU_GRACE_SECONDS": "1",
        "CHENU_ENVIRONMENT": "test",
        "CHENU_NOVA_LEASE_SECONDS": "2",
        "CHENU_NOVA_SWEEP_SECONDS": "0.3",
        "CHENU_IDENTITY_ARGON2_TIME_COST": "1",
        "CHENU_IDENTITY_ARGON2_MEMORY_KIB": "64",
        "CHENU_IDENTITY_REGISTRATIONS_PER_ADDRESS": "100000",
    }
    choices = Choices(allow_private=["127.0.0.1/32"], settings=quick)
    state = fleet_backends.postgres.folder.parent
    return provision(state, fleet_backends, ports, choices)


@pytest.fixture(scope="session")
async def fleet(fleet_environment: Mapping[str, str]) -> AsyncIterator[Fleet]:
    """All services in this process, before the model simulator."""
    port = int(fleet_environment["CHENU_LLM_SIMULATOR_HOST"].rpartition(":")[2])
    async with serving("127.0.0.1", port), Fleet(fleet_environment) as started:
        yield started


@pytest.fixture
async def me(fleet: Fleet) -> Client:
    """A person of the test's own, logged in to the fleet."""
    return await fleet.register()


@pytest.hookimpl(tryfirst=True)
def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Ids that are new in each process would give each process other names of the same tests."""
    return argname if isinstance(val, str) and UUID_IN.search(val) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What starts the same servers runs in one process, where several share the work (xdist).

    The longest comes first, so that no process is left with it when the others are done.
    """
    places = {item: item.nodeid.partition("::")[0] for item in items}
    order = {name: place for place, name in enumerate(TOGETHER)}
    groups = {
        item: next((name for name, them in TOGETHER.items() if place.startswith(them)), place)
        for item, place in places.items()
    }
    for item, name in groups.items():
        item.add_marker(pytest.mark.xdist_group(name))
    items.sort(key=lambda item: order.get(groups[item], len(order)))
