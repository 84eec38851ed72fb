"""A whole service on real PostgreSQL and NATS: start, serve, audit its denials, release, drain."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import asyncpg
import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chenu.events.v1 import source_service_pb2 as source
from chenu.events.v1.bundle_pb2 import Manifest, Receipt
from chenu.events.v1.source_service_pb2_grpc import SourceServiceStub
from kernel import denials as denials_module
from kernel import receipts, telemetry
from kernel.context import new_id
from kernel.database import Database
from kernel.errors import Forbidden, reason_of
from kernel.receipts import TreeHead, VerifierKey, leaf_hash, node_hash
from kernel.service import Program, Service, run
from kernel.settings import ServiceSettings, SharedSettings
from kernel.tokens import SigningKey
from tests.integration.kernel.conftest import Urls, until
from tests.integration.kernel.test_relay import make_event
from tests.unit.kernel import sample
from tests.unit.kernel.sample import Request, bearer

ORIGIN = "log.example"


class LogKey:
    """Stands in for audit: signs tree heads."""

    def __init__(self) -> None:
        self.private = Ed25519PrivateKey.generate()
        self.verifier = VerifierKey(ORIGIN, self.private.public_key().public_bytes_raw())

    def sign(self, head: TreeHead) -> str:
        from base64 import b64encode

        signature = self.private.sign(str(head).encode())
        line = b64encode(self.verifier.id + signature).decode()
        return f"{head}\n— {ORIGIN} {line}\n"


class Fleet:
    """The running sample service, and what a test needs to talk to it."""

    def __init__(self, service: Service[Any], servicer: sample.Servicer, issuer: sample.Issuer):
        self.service, self.servicer, self.issuer = service, servicer, issuer
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{service.port}")
        self.stub = sample.Stub(self.channel)
        self.source = SourceServiceStub(self.channel)
        self.audit = bearer("", issuer.service("audit"))


@pytest.fixture
def log_key() -> LogKey:
    return LogKey()


@pytest.fixture
async def fleet(urls: Urls, nats_url: str, tmp_path: Path, log_key: LogKey) -> AsyncIterator[Fleet]:
    issuer = sample.Issuer(SigningKey.generate(tmp_path / "identity.pem"))
    SigningKey.generate(tmp_path / "sample.pem")
    (tmp_path / "log.vkey").write_text(f"{log_key.verifier}\n")
    servicer = sample.Servicer()

    async def assemble(service: Service[ServiceSettings]) -> None:
        service.keys.source = issuer.jwks
        service.add_servicer(sample.add_servicer, servicer)

    shared = SharedSettings(
        keys_dir=tmp_path, nats_url=nats_url, drain_seconds=0.2, grace_seconds=1
    )
    settings = ServiceSettings(
        listen="127.0.0.1:0", database_url=urls.app, worker_database_url=urls.worker
    )
    service = await Service.start(Program("sample", ServiceSettings, assemble), shared, settings)
    made = Fleet(service, servicer, issuer)
    yield made
    await made.channel.close()
    await service.stop()


async def events(admin: asyncpg.Connection, **facts: str) -> list[dict[str, Any]]:
    """Audit events in the outbox whose data has these values."""
    rows = await admin.fetch("SELECT event FROM sample.outbox ORDER BY seq")
    found = [json.loads(row["event"]) for row in rows]
    return [e for e in found if all(e["data"].get(k) == v for k, v in facts.items())]


async def refused(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return error.value


async def test_health_and_reflection_need_no_token(fleet: Fleet) -> None:
    health = health_pb2_grpc.HealthStub(fleet.channel)
    for name in ("", sample.SERVICE, "chenu.events.v1.SourceService"):
        answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

    stub = reflection_pb2_grpc.ServerReflectionStub(fleet.channel)
    ask = reflection_pb2.ServerReflectionRequest(list_services="")
    async for answer in stub.ServerReflectionInfo(iter([ask])):
        names = {service.name for service in answer.list_services_response.service}
    assert {sample.SERVICE, "grpc.health.v1.Health"} <= names


async def test_a_denial_is_recorded_before_the_client_hears_of_it(
    fleet: Fleet, admin: asyncpg.Connection
) -> None:
    person, thread = new_id(), new_id()

    def deny(_: Any) -> None:
        raise Forbidden(subject=f"thread/{thread}")

    fleet.servicer.behave = deny
    token = fleet.issuer.access(sub=person)
    error = await refused(fleet.stub.Echo(Request(text="x"), metadata=bearer(token)))
    assert error.details() == "not yours, or it does not exist"
    (event,) = [
        e
        for e in await events(admin, reason="FORBIDDEN")
        if e["data"]["actor"].get("person") == person
    ]
    assert event["data"]["action"] == "AUDIT_ACTION_DENY"
    assert event["data"]["outcome"] == "PERMISSION_DENIED"
    assert event["data"]["details"]["subjects"] == f"thread/{thread}"
    assert event["subject"] == f"method/{sample.SERVICE}/Echo"


async def test_repeated_denials_become_one_event_that_counts_them(
    fleet: Fleet, admin: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(denials_module, "WINDOW_SECONDS", 1.0)
    person = new_id()

    def deny(request: Any) -> None:
        raise Forbidden(subject=f"thread/{request.number}")

    fleet.servicer.behave = deny
    token = fleet.issuer.access(sub=person)
    for number in range(6):
        await refused(fleet.stub.Echo(Request(number=number), metadata=bearer(token)))

    async def recorded() -> list[dict[str, str]]:
        return [
            e["data"]["details"]
            for e in await events(admin, reason="FORBIDDEN")
            if e["data"]["actor"].get("person") == person
        ]

    assert [d["count"] for d in await recorded()] == ["1"]

    async def counted() -> bool:
        return len(await recorded()) == 2

    await until(counted)
    details = (await recorded())[1]
    assert details["count"] == "5"
    assert details["subjects"] == ",".join(f"thread/{n}" for n in range(1, 6))


async def test_a_call_without_a_token_is_recorded_under_the_system_tenant(
    fleet: Fleet, admin: asyncpg.Connection
) -> None:
    error = await refused(fleet.stub.Echo(Request()))
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert any(
        e["tenant"] == "00000000-0000-0000-0000-000000000000" and "identity" not in e
        for e in await events(admin, outcome="UNAUTHENTICATED")
    )


async def test_only_audit_may_use_the_source_interface(fleet: Fleet) -> None:
    for metadata in (
        bearer(fleet.issuer.access()),
        bearer("", fleet.issuer.service("nova")),
        bearer(fleet.issuer.access(), fleet.issuer.service("audit")),
    ):
        call = fleet.source.GetBundle(source.GetBundleRequest(number=1), metadata=metadata)
        assert (await refused(call)).code() is grpc.StatusCode.PERMISSION_DENIED


async def write(fleet: Fleet) -> bytes:
    event = make_event()
    database: Database = fleet.service.database
    from kernel.caller import Caller

    async with database.transaction(Caller.system()) as tx:
        tx.emit(event)
    return event.bytes


async def bundle_with(fleet: Fleet, event: bytes) -> source.GetBundleResponse:
    """The bundle that holds the event, found as audit would fill a hole."""
    found: list[source.GetBundleResponse] = []

    async def look() -> bool:
        last = await fleet.source.GetBundle(source.GetBundleRequest(number=1), metadata=fleet.audit)
        for number in range(1, last.last_number + 1):
            request = source.GetBundleRequest(number=number)
            answer = await fleet.source.GetBundle(request, metadata=fleet.audit)
            if event in answer.bundle.events:
                found.append(answer)
                return True
        return False

    await until(look)
    return found[0]


def receipt_for(bundle: Any, log_key: LogKey, **changes: Any) -> Receipt:
    """A good receipt over a tree of two leaves, the manifest being the second."""
    manifest = Manifest.FromString(bundle.manifest)
    other = leaf_hash(b"another entry")
    head = TreeHead(ORIGIN, 2, node_hash(other, leaf_hash(bundle.manifest)))
    good = {
        "source": manifest.source,
        "number": manifest.number,
        "manifest_index": 1,
        "inclusion_path": [other],
        "tree_head": log_key.sign(head),
    }
    return Receipt(**(good | changes))


async def test_a_receipt_releases_and_may_come_twice(
    fleet: Fleet, log_key: LogKey, admin: asyncpg.Connection
) -> None:
    bundle = (await bundle_with(fleet, await write(fleet))).bundle
    receipt = receipt_for(bundle, log_key)
    for _ in range(2):
        answer = await fleet.source.ReleaseBundles(
            source.ReleaseBundlesRequest(receipt=receipt), metadata=fleet.audit
        )
        assert answer.released_number == receipt.number
    kept = await admin.fetchval(
        "SELECT tree_head FROM sample.receipts WHERE number = $1", receipt.number
    )
    assert kept == receipt.tree_head


@pytest.mark.parametrize(
    "forgery",
    [
        lambda good, _: receipt_for_other_key(good),
        lambda _, __: {"source": "chenu/other"},
        lambda _, __: {"manifest_index": 0},
        lambda _, __: {"manifest_index": 5},
        lambda _, __: {"inclusion_path": [leaf_hash(b"not it")]},
        lambda _, __: {"inclusion_path": []},
        lambda good, _: {"inclusion_path": [*good.inclusion_path, b"\0" * 32]},
        lambda good, _: {"number": good.number + 1_000_000},
        lambda good, _: {"tree_head": good.tree_head.replace("\n2\n", "\n3\n")},
        lambda _, __: {"tree_head": ""},
        lambda _, key: {"tree_head": key.sign(TreeHead("log.elsewhere", 2, b"\1" * 32))},
    ],
)
async def test_a_forged_receipt_releases_nothing(
    fleet: Fleet, log_key: LogKey, admin: asyncpg.Connection, forgery: Any
) -> None:
    bundle = (await bundle_with(fleet, await write(fleet))).bundle
    good = receipt_for(bundle, log_key)
    forged = receipt_for(bundle, log_key, **forgery(good, log_key))
    before = await admin.fetchval("SELECT coalesce(max(number), 0) FROM sample.receipts")
    error = await refused(
        fleet.source.ReleaseBundles(
            source.ReleaseBundlesRequest(receipt=forged), metadata=fleet.audit
        )
    )
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert reason_of(error) == "RECEIPT_INVALID"
    assert await admin.fetchval("SELECT coalesce(max(number), 0) FROM sample.receipts") == before


def receipt_for_other_key(good: Receipt) -> dict[str, str]:
    head = receipts.TreeHead.parse(receipts.split_note(good.tree_head)[0])
    return {"tree_head": LogKey().sign(head)}


async def test_versions_of_a_stream_can_be_listed_from_any_of_them(fleet: Fleet) -> None:
    from chenu.events.v1.audit_event_pb2 import AUDIT_ACTION_UPDATE
    from kernel.audit_event import record
    from kernel.caller import Caller
    from kernel.context import background

    stream = f"note/{new_id()}"
    with background("test", caller=Caller.system()):
        made = [
            record(source="sample", type="note.changed", action=AUDIT_ACTION_UPDATE,
                   subject=stream, stream=stream, version=n)
            for n in (1, 2, 3)
        ]  # fmt: skip
    async with fleet.service.database.transaction(Caller.system()) as tx:
        for event in made:
            tx.emit(event)
    answer = await fleet.source.ListVersions(
        source.ListVersionsRequest(stream=stream, from_version=2), metadata=fleet.audit
    )
    assert list(answer.events) == [made[1].bytes, made[2].bytes]


async def test_a_bundle_that_was_never_given_out_is_not_found(fleet: Fleet) -> None:
    call = fleet.source.GetBundle(source.GetBundleRequest(number=10**9), metadata=fleet.audit)
    error = await refused(call)
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.NOT_FOUND, "BUNDLE_NOT_FOUND")


async def test_a_draining_service_finishes_its_calls_and_says_not_serving(fleet: Fleet) -> None:
    release = asyncio.Event()

    async def slow(_: Any) -> None:
        await release.wait()

    fleet.servicer.behave = slow
    token = bearer(fleet.issuer.access())
    call = asyncio.create_task(asyncio.wait_for(fleet.stub.Echo(Request(), metadata=token), 5))
    await asyncio.sleep(0.1)
    stopping = asyncio.create_task(fleet.service.stop())
    await asyncio.sleep(0.05)
    health = health_pb2_grpc.HealthStub(fleet.channel)
    answer = await health.Check(health_pb2.HealthCheckRequest(service=sample.SERVICE))
    assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
    assert fleet.service.stopping.is_set()
    await asyncio.sleep(0.3)  # the server is stopping now, within its grace
    release.set()
    assert (await call).text == ""
    await stopping
    fleet.service.port = 0
    error = await refused(fleet.stub.Echo(Request(), metadata=token, timeout=5))
    assert error.code() is grpc.StatusCode.UNAVAILABLE


async def test_several_services_share_a_process_until_it_is_told_to_stop(
    nats_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Service[Any]] = []

    async def assemble(service: Service[ServiceSettings]) -> None:
        service.add_servicer(sample.add_servicer, sample.Servicer())
        started.append(service)

    class Settings(ServiceSettings):
        listen: str = "127.0.0.1:0"

    monkeypatch.setenv("CHENU_NATS_URL", nats_url)
    monkeypatch.setenv("CHENU_KEYS_DIR", str(tmp_path))
    monkeypatch.setenv("CHENU_DRAIN_SECONDS", "0")
    monkeypatch.setattr("kernel.telemetry.configure", lambda *_: None)
    running = asyncio.create_task(
        run(Program("one", Settings, assemble), Program("two", Settings, assemble))
    )
    await until(lambda: len(started) == 2 and all(service.port for service in started))
    for service in started:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{service.port}") as channel:
            assert (await sample.Stub(channel).Public(Request(text="here"))).text == "here"
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(running, 10)
    assert all(service.stopping.is_set() for service in started)


async def test_what_was_opened_is_closed_when_a_service_cannot_start(
    urls: Urls, nats_url: str, tmp_path: Path, admin: asyncpg.Connection
) -> None:
    closed: list[str] = []

    async def assemble(service: Service[ServiceSettings]) -> None:
        async def close() -> None:
            closed.append(service.name)

        service.on_stop(close)
        raise RuntimeError("cannot be put together")

    shared = SharedSettings(keys_dir=tmp_path, nats_url=nats_url)
    settings = ServiceSettings(database_url=urls.app, worker_database_url=urls.worker)
    with pytest.raises(RuntimeError, match="put together"):
        await Service.start(Program("sample", ServiceSettings, assemble), shared, settings)
    assert closed == ["sample"]


async def test_metrics_are_served_where_asked(fleet: Fleet) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    await fleet.stub.Public(Request())
    stop = telemetry.serve_metrics(listen)
    text = await asyncio.to_thread(lambda: urlopen(f"http://{listen}/metrics").read().decode())
    await asyncio.to_thread(stop)
    assert f'chenu_calls_total{{code="OK",method="/{sample.SERVICE}/Public"}}' in text
    assert 'chenu_outbox_unreleased{service="sample"}' in text


async def test_a_denial_that_cannot_be_recorded_is_still_a_denial(
    fleet: Fleet, admin: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(denials_module, "WRITE_SECONDS", 0.2)
    await admin.execute("BEGIN; LOCK TABLE sample.outbox IN ACCESS EXCLUSIVE MODE")
    token = bearer(fleet.issuer.access())
    error = await refused(fleet.stub.ForAudit(Request(), metadata=token))
    await admin.execute("COMMIT")
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_a_background_task_that_fails_is_started_again(fleet: Fleet) -> None:
    runs: list[int] = []

    async def fails_twice() -> None:
        runs.append(len(runs))
        if len(runs) < 3:
            raise RuntimeError("again")
        await asyncio.Event().wait()

    fleet.service.background("test", fails_twice)
    await until(lambda: len(runs) == 3)


async def test_the_database_going_away_is_unavailable_and_then_it_works_again(
    fleet: Fleet, admin: asyncpg.Connection
) -> None:
    from kernel.caller import Caller
    from kernel.statement import Statement

    async def query(_: Any) -> None:
        async with fleet.service.database.transaction(Caller.system()) as tx:
            await tx.fetch(Statement("SELECT pg_sleep(0.5)"))

    fleet.servicer.behave = query
    token = bearer(fleet.issuer.access())
    call = asyncio.ensure_future(fleet.stub.Echo(Request(), metadata=token))
    await asyncio.sleep(0.2)
    await admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'sample_app'"
    )
    error = await refused(call)
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")
    await fleet.stub.Echo(Request(), metadata=token)
