"""The llm service on a free port, in front of the simulator."""

from collections.abc import AsyncIterator, Mapping

import grpc
import pytest

from chenu.llm.v1.completion_service_pb2_grpc import CompletionServiceStub
from chenu.llm.v1.ledger_service_pb2_grpc import LedgerServiceStub
from deploy.local.simulator.server import serving
from kernel.service import Service
from kernel.settings import SharedSettings
from services.llm.__main__ import PROGRAM
from services.llm.settings import LlmSettings
from tests.support.database_urls import DatabaseUrls
from tests.support.identity import StandInIdentity
from tests.support.running import running, shared_settings


@pytest.fixture(scope="package")
async def identity() -> AsyncIterator[StandInIdentity]:
    async with StandInIdentity() as stand_in:
        yield stand_in


@pytest.fixture(scope="package")
async def simulator() -> AsyncIterator[str]:
    """The simulator's URL."""
    async with serving("127.0.0.1", 0, 0) as url:
        yield url


@pytest.fixture(scope="package")
def urls(database_urls: Mapping[str, DatabaseUrls]) -> DatabaseUrls:
    return database_urls["llm"]


@pytest.fixture(scope="package")
def shared(
    tmp_path_factory: pytest.TempPathFactory, nats_url: str, identity: StandInIdentity
) -> SharedSettings:
    return shared_settings(tmp_path_factory.mktemp("keys"), nats_url, identity)


@pytest.fixture(scope="package")
async def service(
    shared: SharedSettings, urls: DatabaseUrls, simulator: str
) -> AsyncIterator[Service[LlmSettings]]:
    async with running(
        PROGRAM,
        shared,
        urls,
        anthropic_url=simulator,
        simulator_host=simulator.removeprefix("http://"),
        anthropic_api_key="simulator",
        timeout_seconds=3,
    ) as started:
        yield started


@pytest.fixture(scope="package")
async def channel(service: Service[LlmSettings]) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{service.port}") as opened:
        yield opened


@pytest.fixture(scope="package")
def completions(channel: grpc.aio.Channel) -> CompletionServiceStub:
    return CompletionServiceStub(channel)


@pytest.fixture(scope="package")
def ledger(channel: grpc.aio.Channel) -> LedgerServiceStub:
    return LedgerServiceStub(channel)
