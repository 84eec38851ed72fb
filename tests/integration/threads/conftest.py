"""The threads service on a free port, between a stand-in identity and a stand-in governance."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import grpc
import pytest

from kernel.database import Database
from kernel.migration import upgrade
from kernel.service import Service
from kernel.settings import SharedSettings
from kernel.tokens import SigningKey
from services.threads.__main__ import PROGRAM
from services.threads.settings import ThreadsSettings
from tests.support.database_urls import DatabaseUrls
from tests.support.governance import StandInGovernance
from tests.support.identity import StandInIdentity
from tests.support.threads import ThreadsClient


@pytest.fixture(scope="package")
async def identity() -> AsyncIterator[StandInIdentity]:
    async with StandInIdentity() as stand_in:
        yield stand_in


@pytest.fixture(scope="package")
async def governance() -> AsyncIterator[StandInGovernance]:
    async with StandInGovernance() as stand_in:
        yield stand_in


@pytest.fixture(scope="package")
async def urls(database_urls: Mapping[str, DatabaseUrls]) -> DatabaseUrls:
    """The schema `threads`, migrated."""
    await upgrade("threads", database_urls["threads"].admin)
    return database_urls["threads"]


@pytest.fixture(scope="package")
def shared(
    tmp_path_factory: pytest.TempPathFactory,
    nats_url: str,
    identity: StandInIdentity,
    governance: StandInGovernance,
) -> SharedSettings:
    return SharedSettings(
        environment="test",
        nats_url=nats_url,
        keys_dir=tmp_path_factory.mktemp("keys"),
        identity_address=identity.address,
        governance_address=governance.address,
        drain_seconds=0,
        grace_seconds=1,
    )


@pytest.fixture(scope="package")
def settings(shared: SharedSettings, urls: DatabaseUrls) -> ThreadsSettings:
    key_file = Path(shared.keys_dir) / "threads.pem"
    SigningKey.generate(key_file)
    return ThreadsSettings(
        listen="127.0.0.1:0",
        database_url=urls.app,
        worker_database_url=urls.worker,
        key_file=key_file,
        heartbeat_seconds=0.2,
    )


@pytest.fixture(scope="package")
async def service(
    shared: SharedSettings, settings: ThreadsSettings
) -> AsyncIterator[Service[ThreadsSettings]]:
    running = await Service.start(PROGRAM, shared, settings)
    yield running
    await running.stop()


@pytest.fixture(scope="package")
async def channel(service: Service[ThreadsSettings]) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{service.port}") as opened:
        yield opened


@pytest.fixture(scope="package")
def client(
    channel: grpc.aio.Channel, identity: StandInIdentity, governance: StandInGovernance
) -> ThreadsClient:
    return ThreadsClient(channel, identity, governance)


@pytest.fixture
async def database(urls: DatabaseUrls) -> AsyncIterator[Database]:
    """The app role's own connections, for what no RPC would do."""
    opened = await Database.connect(urls.app, schema="threads", pool_size=2)
    yield opened
    await opened.close()
