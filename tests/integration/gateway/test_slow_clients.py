"""Clients that are slow on purpose: a head, a body, an answer that never comes to its end."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from kernel.channels import Channels
from kernel.settings import SharedSettings
from services.gateway import patience
from services.gateway.app import Gateway
from services.gateway.patience import PatientProtocol
from services.gateway.settings import GatewaySettings
from tests.support.waiting import soon

BIG = b"x" * (64 << 20)
"""More than any system keeps for a connection."""


@asynccontextmanager
async def served(
    application: ASGIApp, most: int | None = None
) -> AsyncIterator[tuple[uvicorn.Server, int]]:
    """A server of our own, so that no other test's connections are cut."""
    config = uvicorn.Config(
        application, port=0, http=PatientProtocol, log_config=None, lifespan="off",
        timeout_keep_alive=600, timeout_graceful_shutdown=1, limit_concurrency=most,
    )  # fmt: skip
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    await seen(lambda: server.started, "it listens")
    try:
        yield server, server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await serving


async def answer(_: Scope, receive: Receive, send: Send) -> None:
    """Says yes without reading anything."""
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]}
    )
    await send({"type": "http.response.body", "body": b""})


async def seen(look: Callable[[], object], what: str) -> None:
    """It comes true."""

    async def looked() -> object:
        return look()

    await soon(looked, what)


async def dribble(writer: asyncio.StreamWriter, piece: bytes) -> None:
    """Piece after piece, until nobody takes them any more."""
    try:
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
    except ConnectionError:
        return


@pytest.mark.parametrize(
    ("begun", "piece"),
    [
        (b"", b""),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", b"X-A: b\r\n"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n", b"X-A: b\r\n"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", b"x"),
    ],
    ids=["says nothing", "a head", "a second head", "the body of what was answered"],
)
async def test_what_never_becomes_whole_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, begun: bytes, piece: bytes
) -> None:
    monkeypatch.setattr(patience, "HEAD_SECONDS", 0.2)
    async with served(answer) as (server, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        await seen(lambda: server.server_state.connections, "it is connected")
        writer.write(begun)
        dribbling = asyncio.create_task(dribble(writer, piece))
        whole = begun.count(b"\r\n\r\n")
        await seen(lambda: server.server_state.total_requests >= whole, "what is whole is answered")
        await seen(lambda: not server.server_state.connections, "it is let go")
        dribbling.cancel()
        writer.close()


async def test_an_answer_that_takes_its_time_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "HEAD_SECONDS", 1)

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(1.5)
        await answer(scope, receive, send)

    async with served(slow) as (_, port), httpx2.AsyncClient(timeout=30) as http:
        assert (await http.get(f"http://127.0.0.1:{port}/")).status_code == 200


@pytest.mark.parametrize("more", [False, True], ids=["a whole answer", "a stream"])
async def test_who_does_not_read_the_answer_is_let_go(
    monkeypatch: pytest.MonkeyPatch, *, more: bool
) -> None:
    monkeypatch.setattr(patience, "UNREAD_SECONDS", 0.2)

    async def much(_: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": BIG, "more_body": more})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async with served(much) as (server, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await seen(lambda: server.server_state.total_requests or server.server_state.tasks, "asked")
        await seen(lambda: not server.server_state.connections, "it is let go")
        writer.close()


async def test_who_reads_slowly_gets_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "HEAD_SECONDS", 1)

    async def much(_: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": BIG})

    async with served(much) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
        await asyncio.sleep(1.5)
        assert (await reader.read()).endswith(b"\r\n\r\n" + BIG)
        writer.close()


async def test_a_body_that_does_not_come_in_time_is_408_and_the_end(
    fleet_environment: Mapping[str, str],
) -> None:
    shared = SharedSettings(keys_dir=Path(fleet_environment["CHENU_KEYS_DIR"]))
    channels = Channels(shared, "gateway", None)
    application = Gateway(channels, GatewaySettings(body_seconds=0.05)).application()
    async with served(application) as (_, port):
        for path in (b"/api/v2/auth/login", b"/decide"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
            answer = (await reader.read()).lower()  # to the end of the connection
            assert answer.startswith(b"http/1.1 408 ")
            assert b"content-type: application/problem+json" in answer
            writer.close()
    await channels.close()


def problem(told: bytes) -> dict[str, object]:
    """The body of an answer, which must be a problem."""
    head, _, body = told.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower()
    assert b"connection: close" in head.lower()
    found: dict[str, object] = json.loads(body)
    assert head.startswith(f"HTTP/1.1 {found['status']} ".encode())
    return found


async def test_what_is_no_http_is_told_so_as_a_problem() -> None:
    async with served(answer) as (_, port):
        for sent in (b"NONSENSE\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            assert problem(await reader.read())["status"] == 400
            writer.close()


async def test_one_connection_too_many_is_told_to_come_again_as_a_problem() -> None:
    async with served(answer, most=2) as (server, port):
        _, first = await asyncio.open_connection("127.0.0.1", port)
        await seen(lambda: server.server_state.connections, "it is connected")
        reader, second = await asyncio.open_connection("127.0.0.1", port)
        second.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        told = await reader.read()
        assert b"retry-after: 1\r\n" in told.lower()
        assert problem(told)["status"] == 503
        first.close()
        second.close()
        await seen(lambda: not server.server_state.connections, "there is room")
        reader, third = await asyncio.open_connection("127.0.0.1", port)
        third.write(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        third.close()
