"""Fixtures of the whole suite: real PostgreSQL and NATS, started once a run, on first use."""

import gc
import os
import random
import re
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, settings

from deploy.local import server as local_server
from deploy.local.backends import Backends, running_backends
from deploy.local.choices import Choices
from deploy.local.nats_server import NatsServer
from deploy.local.ports import Ports
from deploy.local.postgres_server import PostgresServer
from deploy.local.provision import provision
from deploy.local.server import free_port
from deploy.local.simulator.server import serving
from deploy.postgres.roles import LOGINS, SERVICES, database_url, provision_database
from tests.support.database_urls import DatabaseUrls
from tests.support.fleet import Client, Fleet
from tests.support.identity import SYSTEM_AUDITOR

# How long an example takes says more about what else the machine does than about the code, and how
# many are thrown away is a matter of luck.
# Each run tries other examples: `--hypothesis-profile thorough` tries many at once. Where it is
# judged whether a change may go in, they are always the same: luck has no say in it.
lenient = settings(
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large,
    ],
)  # fmt: skip
settings.register_profile("chenu", lenient, max_examples=50, derandomize="CI" in os.environ)
settings.register_profile("thorough", lenient, max_examples=2000)
settings.load_profile("chenu")

# Collecting makes some hundred thousand objects that stay: nothing of them is garbage.
gc.disable()

pytest_plugins = ["tests.support.reached"]
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
TOGETHER = {
    "stack": ("tests/end_to_end",),
    "stage": ("tests/faults",),
    "fleet": (
        *("tests/contract/test_rpcs", "tests/contract/test_grpc_tools", "tests/laws"),
        *("tests/integration/gateway", "tests/integration/nova"),
    ),
}
"""By the servers that they share: the tests that need them."""
APART = ("tests/faults/test_every_boundary",)
"""What starts servers of its own all the same, so that no process has all of the longest."""
OF_THE_MOMENT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9]{10,}")
"""What a parameter may hold that is another at each collection."""

# The usual way to print an exception shows all locals, which costs half a second each.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S.%f", utc=True),
        structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        ),
    ]
)


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
    ports = replace(Ports.free(), witness=0)
    quick = {
        "CHENU_DRAIN_SECONDS": "0",
        "CHENU_GRACE_SECONDS": "1",
        "CHENU_ENVIRONMENT": "test",
        "CHENU_AUDIT_SYSTEM_AUDITORS": SYSTEM_AUDITOR,
        "CHENU_GOVERNANCE_PROMOTION_DELAY_MINUTES": "5",
        "CHENU_NOVA_LEASE_SECONDS": "2",
        "CHENU_NOVA_SWEEP_SECONDS": "0.3",
        "CHENU_IDENTITY_ARGON2_TIME_COST": "1",
        "CHENU_IDENTITY_ARGON2_MEMORY_KIB": "64",
        "CHENU_IDENTITY_REGISTRATIONS_PER_ADDRESS": "100000",
        # Who wants mails listens there: tests.support.mailbox.
        "CHENU_COURIER_SMTP_HOST": "127.0.0.1",
        "CHENU_COURIER_SMTP_PORT": str(free_port()),
        "CHENU_COURIER_SMTP_SECURITY": "none",
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


def pytest_configure() -> None:
    """The processes of a run choose their free ports apart: each may use them much later."""
    apart = SimpleNamespace(
        randrange=lambda first, end: random.randrange(first + WORKER, end, WORKERS)
    )
    local_server.random = apart  # type: ignore[attr-defined, assignment]


class Folder(pytest.Package):
    """A folder of tests: what they share (`scope="package"`) ends with them, not with the run.

    Servers that nobody asks any more cost a tenth of a core and more, each fleet of them.
    """

    def setup(self) -> None:
        """There is no `__init__.py` to import."""


def pytest_collect_directory(path: Path, parent: pytest.Collector) -> pytest.Collector:
    """Each folder, and not only those of a package."""
    folder: Folder = Folder.from_parent(parent, path=path)
    return folder


def pytest_make_parametrize_id(val: object) -> str | None:
    """All processes must give a test the same name, whenever they collect it."""
    steady = OF_THE_MOMENT.sub("<…>", val) if isinstance(val, str) else val
    return str(steady) if steady != val else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, so that no process is left with it when the others are done."""
    order = {name: place for place, name in enumerate((*TOGETHER, *APART))}
    items.sort(key=lambda item: order.get(servers_of(item.nodeid), len(order)))


def pytest_collection_finish() -> None:
    """Keep what was collected out of every later search for garbage, as services do."""
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """What starts the same servers runs in one process, where several share the work."""
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return servers_of(nodeid)

    return Together(config, log)


def servers_of(nodeid: str) -> str:
    """A name for the servers that a test needs: one of TOGETHER, or its file's own."""
    place = nodeid.partition("::")[0]
    if place.startswith(APART):
        return APART[0]
    return next((name for name, them in TOGETHER.items() if place.startswith(them)), place)
