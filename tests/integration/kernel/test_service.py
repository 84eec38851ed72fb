"""A whole service on real PostgreSQL and NATS: start, serve, audit its denials, release, drain."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import asyncpg
import grpc
import pytest
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc

from deploy.local.server import free_port
from kernel import telemetry
from kernel.errors import reason_of
from kernel.service import Program, Service, run
from kernel.settings import ServiceSettings, SharedSettings
from tests.integration.kernel.fleet import Fleet, refused
from tests.integration.kernel.support import Urls, until
from tests.support.waiting import PATIENCE
from tests.unit.kernel import sample
from tests.unit.kernel.sample import Request, bearer


class Stateless(ServiceSettings):
    database_url: str = ""
    worker_database_url: str = ""


async def test_health_and_reflection_need_no_token(fleet: Fleet) -> None:
    health: Any = health_pb2_grpc.HealthStub(fleet.channel)
    for name in ("", sample.SERVICE, "chenu.events.v1.SourceService"):
        answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

    channel: Any = fleet.channel  # the stub's type knows no asyncio
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    ask = reflection_pb2.ServerReflectionRequest(list_services="")
    async for answer in stub.ServerReflectionInfo(iter([ask])):
        names = {service.name for service in answer.list_services_response.service}
    assert {sample.SERVICE, "grpc.health.v1.Health"} <= names


async def test_a_draining_service_finishes_its_calls_and_says_not_serving(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, looked, closing, release = (asyncio.Event() for _ in range(4))

    async def slow(_: Any) -> None:
        began.set()
        await release.wait()

    server = fleet.service._server._server
    stop = server.stop

    async def stop_after_the_look(grace: float) -> None:
        await looked.wait()
        closing.set()
        await stop(grace)

    monkeypatch.setattr(server, "stop", stop_after_the_look)
    patient = {"drain_seconds": 0, "grace_seconds": PATIENCE}
    fleet.service.shared = fleet.service.shared.model_copy(update=patient)
    fleet.servicer.behave = slow
    token = bearer(fleet.issuer.access())
    call = asyncio.ensure_future(fleet.stub.Echo(Request(), metadata=token))
    await began.wait()
    stopping = asyncio.create_task(fleet.service.stop())
    health: Any = health_pb2_grpc.HealthStub(fleet.channel)

    async def not_serving() -> bool:
        answer = await health.Check(health_pb2.HealthCheckRequest(service=sample.SERVICE))
        return bool(answer.status == health_pb2.HealthCheckResponse.NOT_SERVING)

    await until(not_serving)
    assert fleet.service.stopping.is_set()
    looked.set()
    await closing.wait()
    release.set()
    assert (await call).text == ""
    await stopping
    fleet.service.port = 0
    error = await refused(fleet.stub.Echo(Request(), metadata=token, timeout=30))
    assert error.code() is grpc.StatusCode.UNAVAILABLE


async def test_several_services_share_a_process_until_it_is_told_to_stop(
    nats_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Service[Any]] = []

    async def assemble(service: Service[ServiceSettings]) -> None:
        service.add_servicer(sample.add_servicer, sample.Servicer())
        started.append(service)

    class Settings(Stateless):
        listen: str = "127.0.0.1:0"

    monkeypatch.setenv("CHENU_NATS_URL", nats_url)
    monkeypatch.setenv("CHENU_KEYS_DIR", str(tmp_path))
    monkeypatch.setenv("CHENU_DRAIN_SECONDS", "0")
    monkeypatch.setattr("kernel.telemetry.configure", lambda *_: None)
    gc.disable()  # as whoever imports services does
    running = asyncio.create_task(
        run(Program("one", Settings, assemble), Program("two", Settings, assemble))
    )
    await until(lambda: len(started) == 2 and all(service.port for service in started))
    for service in started:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{service.port}") as channel:
            assert (await sample.Stub(channel).Public(Request(text="here"))).text == "here"
    assert gc.isenabled()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(running, PATIENCE)
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


async def test_work_that_does_not_end_when_told_is_named_and_keeps_nothing_open(
    nats_url: str, tmp_path: Path
) -> None:
    closed: list[str] = []
    working, free = asyncio.Event(), asyncio.Event()

    async def never() -> None:
        await asyncio.Event().wait()

    async def stubborn() -> None:
        while not free.is_set():
            try:
                working.set()
                await free.wait()
            except asyncio.CancelledError:
                continue

    async def note() -> None:
        closed.append("first")

    async def assemble(service: Service[ServiceSettings]) -> None:
        service.on_stop(note)
        service.on_stop(never)
        service.background("sample.stubborn", stubborn)

    shared = SharedSettings(keys_dir=tmp_path, nats_url=nats_url, drain_seconds=0, grace_seconds=0)
    program = Program("sample", ServiceSettings, assemble)
    service = await Service.start(program, shared, Stateless())
    await working.wait()
    with structlog.testing.capture_logs() as told:
        await asyncio.wait_for(service.stop(), PATIENCE)
    free.set()
    assert closed == ["first"]
    own = [line for line in told if line.get("service") == "sample" and line["event"] != "call"]
    assert [(line["event"], line.get("task", "")) for line in own] == [
        ("does not end", "sample.stubborn"),
        ("could not close", ""),
    ]


STUBBORN = """
import asyncio
from kernel.service import Program, Service, main
from kernel.settings import ServiceSettings

async def never() -> None:
    while True:
        try:
            print("working", flush=True)
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            continue

async def assemble(service: Service[ServiceSettings]) -> None:
    service.background("sample.stubborn", never)

class Stateless(ServiceSettings):
    database_url: str = ""
    worker_database_url: str = ""

main(Program("sample", Stateless, assemble))
"""


def test_a_process_with_work_that_never_ends_goes_all_the_same_and_says_which(
    nats_url: str, tmp_path: Path
) -> None:
    environment = {
        "CHENU_KEYS_DIR": str(tmp_path),
        "CHENU_NATS_URL": nats_url,
        "CHENU_DRAIN_SECONDS": "0",
        "CHENU_GRACE_SECONDS": "0",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", STUBBORN], env=environment, stdout=-1, stderr=-1, text=True
    )
    assert process.stdout is not None
    assert any("working" in line for line in process.stdout)
    process.terminate()
    _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "does not end" in told
    assert "sample.stubborn" in told


async def test_metrics_are_served_where_asked(fleet: Fleet) -> None:
    listen = f"127.0.0.1:{free_port()}"
    await fleet.stub.Public(Request())
    stop = telemetry.serve_metrics(listen)
    text = await asyncio.to_thread(lambda: urlopen(f"http://{listen}/metrics").read().decode())
    await asyncio.to_thread(stop)
    assert f'chenu_calls_total{{code="OK",method="/{sample.SERVICE}/Public"}}' in text
    assert 'chenu_outbox_unreleased{service="sample"}' in text


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
            await tx.fetch(Statement("SELECT pg_sleep(60)"))

    async def sleeping() -> bool:
        found = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%'"
        return bool(await admin.fetchval(f"{found} AND datname = current_database()"))

    async def works() -> bool:
        try:
            await fleet.stub.Echo(Request(), metadata=token)
        except grpc.aio.AioRpcError:
            return False
        return True

    fleet.servicer.behave = query
    token = bearer(fleet.issuer.access())
    call = asyncio.ensure_future(fleet.stub.Echo(Request(), metadata=token))
    await until(sleeping)
    await admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'sample_app'"
    )
    error = await refused(call)
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")
    fleet.servicer.behave = lambda _: None
    await until(works)
