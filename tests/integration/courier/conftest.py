"""The courier service on a free port, between stand-ins for all that it talks to."""

import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import grpc
import pytest

from chenu.identity.v1.channel_grant_service_pb2_grpc import ChannelGrantServiceStub
from kernel.database import Database
from kernel.migration import upgrade
from kernel.service import Service
from kernel.settings import SharedSettings
from kernel.tokens import SigningKey
from services.courier.__main__ import PROGRAM
from services.courier.ballots import Ballots
from services.courier.dialing import Dialer
from services.courier.mailing import Mailer
from services.courier.notifier import Notifier
from services.courier.outlets import Outlets
from services.courier.settings import CourierSettings
from services.courier.vault import Vault
from tests.support.courier import CourierClient
from tests.support.database_urls import DatabaseUrls
from tests.support.governance import StandInGovernance
from tests.support.identity import StandInIdentity
from tests.support.mailbox import Mailbox
from tests.support.receiver import Receiver
from tests.support.slack import SlackServer


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
    """The schema `courier`, migrated."""
    await upgrade("courier", database_urls["courier"].admin)
    return database_urls["courier"]


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
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as listening:
        yield listening


@pytest.fixture(scope="package")
def nobody() -> Iterator[int]:
    """A port at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture(scope="package")
async def slack() -> AsyncIterator[SlackServer]:
    async with SlackServer() as listening:
        yield listening


@pytest.fixture(scope="package")
async def mailbox() -> AsyncIterator[Mailbox]:
    async with Mailbox() as listening:
        yield listening


@pytest.fixture(scope="package")
def settings(
    shared: SharedSettings,
    urls: DatabaseUrls,
    receiver: Receiver,
    nobody: int,
    mailbox: Mailbox,
    slack: SlackServer,
) -> CourierSettings:
    key_file = Path(shared.keys_dir) / "courier.pem"
    SigningKey.generate(key_file)
    return CourierSettings(
        listen="127.0.0.1:0",
        database_url=urls.app,
        worker_database_url=urls.worker,
        key_file=key_file,
        allowed_private=",".join(
            f"127.0.0.1:{port}" for port in (receiver.port, nobody, slack.port)
        ),
        timeout_seconds=20,
        retry_seconds=0.01,
        sweep_seconds=0.2,
        notify_seconds=0.1,
        notify_timeout_seconds=1.5,
        smtp_host="127.0.0.1",
        smtp_port=mailbox.port,
        smtp_security="none",
        mail_from="chenu@example.org",
        decide_uri="https://chenu.example/decide?ballot={ballot}",
    )


@pytest.fixture(scope="package")
async def service(
    shared: SharedSettings, settings: CourierSettings
) -> AsyncIterator[Service[CourierSettings]]:
    running = await Service.start(PROGRAM, shared, settings)
    yield running
    await running.stop()


@pytest.fixture(scope="package")
async def channel(service: Service[CourierSettings]) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{service.port}") as opened:
        yield opened


@pytest.fixture(scope="package")
def client(
    channel: grpc.aio.Channel, identity: StandInIdentity, governance: StandInGovernance
) -> CourierClient:
    return CourierClient(channel, identity, governance)


@pytest.fixture
async def database(urls: DatabaseUrls) -> AsyncIterator[Database]:
    """The app role's own connections, for what no RPC would do."""
    opened = await Database.connect(urls.app, schema="courier", pool_size=2)
    yield opened
    await opened.close()


@pytest.fixture
def later(service: Service[CourierSettings]) -> Notifier:
    """Another notifier on the same rows, whose clock a test may move."""
    settings = service.settings
    outlets = Outlets(
        Vault.open_file(service.shared.keys_dir / "courier.secrets"),
        Dialer(settings.policy, settings.notify_timeout_seconds),
        Mailer(settings.mail, settings.notify_timeout_seconds),
        Ballots(ChannelGrantServiceStub(service.channels.channel("identity"))),
        settings.decide_uri,
    )
    return Notifier(service.database, service.worker, outlets, every=1, lease=timedelta(seconds=10))
