"""The audit service on a free port, and sources of events that the tests play."""

import random
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from uuid import uuid4

import grpc
import pytest

from chenu.audit.v1 import log_service_pb2 as log_pb
from chenu.audit.v1.entry_service_pb2_grpc import EntryServiceStub
from chenu.audit.v1.export_service_pb2_grpc import ExportServiceStub
from chenu.audit.v1.log_service_pb2_grpc import LogServiceStub
from cli.verification.export import verify_export
from cli.verification.keys import Keys
from cli.verification.verdict import Verdict
from deploy.local.nats_server import NatsServer
from kernel.receipts import VerifierKey
from kernel.service import Service
from kernel.settings import SharedSettings
from services.audit import consumer, streams
from services.audit.__main__ import PROGRAM
from services.audit.settings import AuditSettings
from tests.integration.audit.exports import KINDS, MINE, Check, exported
from tests.integration.audit.listing import Publish, listed
from tests.support.database_urls import DatabaseUrls
from tests.support.identity import Person, StandInIdentity
from tests.support.running import running, shared_settings
from tests.support.source import StandInSource, an_event


@pytest.fixture(scope="package")
def nats_url(state_folder: Path) -> Iterator[str]:
    """A NATS of its own: a service that other tests run would speak for the same source."""
    server = NatsServer(state_folder / "audit" / "nats", state_folder / "logs" / "audit-nats.log")
    server.start()
    yield server.url
    server.stop()


@pytest.fixture(scope="package")
async def identity() -> AsyncIterator[StandInIdentity]:
    async with StandInIdentity() as stand_in:
        yield stand_in


@pytest.fixture(scope="package")
def urls(database_urls: Mapping[str, DatabaseUrls]) -> DatabaseUrls:
    return database_urls["audit"]


@pytest.fixture(scope="package")
async def source() -> AsyncIterator[StandInSource]:
    async with StandInSource("threads") as stand_in:
        yield stand_in


@pytest.fixture(scope="package")
async def restored() -> AsyncIterator[StandInSource]:
    """A source of its own for who restores one, so that its rewinding disturbs nobody."""
    async with StandInSource("courier") as stand_in:
        yield stand_in


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As long as the database: the service may be started twice on it, and its log has one key."""
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="package")
def shared(
    keys: Path,
    nats_url: str,
    identity: StandInIdentity,
    source: StandInSource,
    restored: StandInSource,
) -> SharedSettings:
    return shared_settings(
        keys, nats_url, identity, threads=source.address, courier=restored.address
    )


@pytest.fixture(scope="package")
def system_auditor() -> Person:
    """Whom the settings name."""
    return Person()


@pytest.fixture(scope="package")
async def service(
    shared: SharedSettings, urls: DatabaseUrls, system_auditor: Person
) -> AsyncIterator[Service[AuditSettings]]:
    quick = {"receipt_seconds": 0.2, "watch_seconds": 0.3}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(consumer, "_AGAIN_SECONDS", 0.3)
        patched.setattr(streams, "_PATIENCE_SECONDS", 0.5)
        async with running(
            PROGRAM, shared, urls, system_auditors=system_auditor.person, **quick
        ) as started:
            yield started


@pytest.fixture(scope="package")
def publish(service: Service[AuditSettings], source: StandInSource) -> Publish:
    async def publish(data: bytes) -> None:
        # The stream swallows what it has seen: an id that never was.
        await service.messaging.publish_bundle(source.service, uuid4().int, 1, data)

    return publish


@pytest.fixture(scope="package")
async def channel(service: Service[AuditSettings]) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{service.port}") as opened:
        yield opened


@pytest.fixture(scope="package")
def entries(channel: grpc.aio.Channel) -> EntryServiceStub:
    return EntryServiceStub(channel)


@pytest.fixture(scope="package")
def log(channel: grpc.aio.Channel) -> LogServiceStub:
    return LogServiceStub(channel)


@pytest.fixture(scope="package")
def exports(channel: grpc.aio.Channel) -> ExportServiceStub:
    return ExportServiceStub(channel)


@pytest.fixture(scope="package")
def owner() -> Person:
    return Person(roles=("owner",))


@pytest.fixture(scope="package")
async def log_key(log: LogServiceStub) -> VerifierKey:
    answer = await log.GetLogKey(log_pb.GetLogKeyRequest())
    return VerifierKey.parse(answer.verifier_key)


@pytest.fixture(scope="package")
async def files(
    exports: ExportServiceStub,
    entries: EntryServiceStub,
    identity: StandInIdentity,
    owner: Person,
    source: StandInSource,
    publish: Publish,
) -> dict[tuple[str, bool], bytes]:
    """Each verifiable form, whole and filtered, of one log among whose records are 300 of ours."""
    others = [an_event(Person(), sphere="business") for _ in range(40)]
    mine = [an_event(owner, sphere="personal" if n % 3 else "social") for n in range(MINE)]
    mixed = mine + others
    random.Random(6962).shuffle(mixed)
    for start in range(0, len(mixed), 100):
        bundle = source.bundle(mixed[start : start + 100])
        await publish(bundle)
    await listed(entries, identity, owner, MINE)
    me = identity.as_human(owner)
    found = {}
    for form, whole in KINDS:
        filters = {} if whole else {"sphere": "social"}
        found[form, whole] = (await exported(exports, me, form, **filters))[0]
    return found


@pytest.fixture(scope="package")
def check(tmp_path_factory: pytest.TempPathFactory, log_key: VerifierKey) -> Check:
    folder = tmp_path_factory.mktemp("exports")

    def check(data: bytes, *keys: VerifierKey, pinned: bool = True) -> Verdict:
        path: Path = folder / "export"
        path.write_bytes(data)
        return verify_export(path, Keys(keys or ([log_key] if pinned else [])), lambda *_: None)

    return check
