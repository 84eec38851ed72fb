"""The chain around every call, seen from the wire."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from structlog.testing import capture_logs

from kernel import interceptors
from kernel.context import current
from kernel.errors import (
    NotFound,
    detail,
    reason_of,
)
from kernel.server import PortTaken, Server
from kernel.settings import SharedSettings
from tests.support.waiting import PATIENCE, soon
from tests.unit.kernel import sample
from tests.unit.kernel.conftest import Running
from tests.unit.kernel.sample import Request, bearer


async def _all_of(call: Any) -> list[Any]:
    return [answer async for answer in call]


async def refused(call: Any) -> grpc.aio.AioRpcError:
    """The error of a call; a stream is read to its end."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await (_all_of(call) if hasattr(call, "__aiter__") else call)
    assert reason_of(error.value), "every error carries ErrorInfo"
    return error.value


def call(running: Running, kind: str, metadata: Any, *requests: Any) -> Any:
    """A call of any kind with these requests."""

    async def each() -> AsyncIterator[Any]:
        for request in requests:
            yield request

    streams = sample.KINDS[kind][0]
    return getattr(running.stub, kind)(each() if streams else requests[0], metadata=metadata)


async def calls_told(logs: list[Any], count: int) -> list[Any]:
    """The lines of so many calls of ours: one is written after its client has the answer."""
    ours = f"/{sample.SERVICE}/Echo"  # other services of the run may live in this process

    async def look() -> list[Any]:
        lines = [log for log in logs if log["event"] == "call" and log["method"] == ours]
        return lines if len(lines) >= count else []

    return await soon(look, f"{count} calls told")


FOUR = ["Echo", "Count", "Collect", "Converse"]


def test_the_chain_stands_in_its_order() -> None:
    names = [interceptor.__name__ for interceptor in interceptors.CHAIN]
    assert names == ["open_context", "log_access", "map_errors", "authenticate", "validate"]


async def test_all_four_kinds_answer(running: Running) -> None:
    token = bearer(running.issuer.access())
    requests = [Request(text=f"{n}", number=n) for n in (2, 3)]
    assert (await call(running, "Echo", token, requests[0])).text == "2"
    assert [r.number async for r in call(running, "Count", token, requests[1])] == [0, 1, 2]
    assert (await call(running, "Collect", token, *requests)).number == 5
    assert [r.text async for r in call(running, "Converse", token, *requests)] == ["2", "3"]


@pytest.mark.parametrize("kind", FOUR)
async def test_every_kind_refuses_a_caller_without_a_token(running: Running, kind: str) -> None:
    error = await refused(call(running, kind, (), Request()))
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("kind", FOUR)
async def test_every_kind_names_the_field_that_breaks_its_rule(running: Running, kind: str) -> None:
    token = bearer(running.issuer.access())
    error = await refused(call(running, kind, token, Request(text="x" * 21)))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    violations = detail(error, BadRequest)
    assert violations is not None
    assert [v.field for v in violations.field_violations] == ["text"]
    assert "20" in violations.field_violations[0].description


@pytest.mark.parametrize("kind", FOUR)
async def test_every_kind_maps_what_is_raised_inside(running: Running, kind: str) -> None:
    class NoteNotFound(NotFound):
        reason = "NOTE_NOT_FOUND"

    def fail(_: Any) -> None:
        raise NoteNotFound("no such note", note_id="7")

    running.servicer.behave = fail
    error = await refused(call(running, kind, bearer(running.issuer.access()), Request(number=1)))
    info = detail(error, ErrorInfo)
    assert info is not None
    assert (error.code(), info.reason, info.domain) == (
        grpc.StatusCode.NOT_FOUND, "NOTE_NOT_FOUND", "chenu",
    )  # fmt: skip
    assert dict(info.metadata) == {"note_id": "7"}


async def test_an_anonymous_caller_learns_nothing_about_the_contract(running: Running) -> None:
    error = await refused(running.stub.Echo(Request(text="x" * 21)))
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert detail(error, BadRequest) is None


async def test_bytes_that_are_no_message_are_an_invalid_argument(running: Running) -> None:
    raw: Any = running.channel.unary_unary(f"/{sample.SERVICE}/Echo")
    metadata = bearer(running.issuer.access())
    for data in (b"\xff\xff\xff", b"\x0a\xff", b"\x0a\x02\xff\xfe"):
        error = await refused(raw(data, metadata=metadata))
        assert (error.code(), reason_of(error)) == (
            grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_REQUEST",
        )  # fmt: skip


async def test_the_context_knows_the_call(running: Running) -> None:
    seen: dict[str, Any] = {}

    def look(_: Any) -> None:
        call = current()
        seen.update(
            method=call.method, request_id=call.request_id, ip=call.peer_ip,
            remaining=call.remaining(), trace=call.trace_id,
        )  # fmt: skip

    running.servicer.behave = look
    trace = "0af7651916cd43dd8448eb211c80319c"
    metadata = [
        *bearer(running.issuer.access()),
        ("x-request-id", "mine-1"),
        ("traceparent", f"00-{trace}-b7ad6b7169203331-01"),
    ]
    await running.stub.Echo(Request(), metadata=metadata, timeout=70)
    assert seen["method"] == f"/{sample.SERVICE}/Echo"
    assert (seen["request_id"], seen["ip"], seen["trace"]) == ("mine-1", "127.0.0.1", trace)
    assert 10 < seen["remaining"] < 70.1
    await running.stub.Echo(Request(), metadata=bearer(running.issuer.access()))
    assert seen["remaining"] is None
    assert len(seen["request_id"]) == 36


async def test_a_request_id_that_could_forge_a_log_line_is_replaced(running: Running) -> None:
    seen: list[str] = []
    running.servicer.behave = lambda _: seen.append(current().request_id)
    for forged in ("a b", "x" * 65, '{"level":"info"}'):
        metadata = [*bearer(running.issuer.access()), ("x-request-id", forged)]
        await running.stub.Echo(Request(), metadata=metadata)
    assert all(len(request_id) == 36 for request_id in seen)


async def test_each_call_leaves_one_line_with_the_status_that_the_client_got(
    running: Running,
) -> None:
    with capture_logs() as logs:
        await running.stub.Echo(Request(), metadata=bearer(running.issuer.access()))
        await refused(running.stub.Echo(Request()))
        lines = await calls_told(logs, 2)
    assert [(line["code"], line["reason"]) for line in lines] == [
        ("OK", ""), ("UNAUTHENTICATED", "TOKEN_INVALID"),
    ]  # fmt: skip


async def test_work_stops_when_the_caller_is_gone(running: Running) -> None:
    began, stopped = asyncio.Event(), asyncio.Event()

    async def wait(_: Any) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    running.servicer.behave = wait
    with capture_logs() as logs:
        call = running.stub.Echo(Request(), metadata=bearer(running.issuer.access()))
        await began.wait()
        call.cancel()
        await asyncio.wait_for(stopped.wait(), PATIENCE)
        (line,) = await calls_told(logs, 1)
    assert line["code"] == "CANCELLED"


async def test_a_stream_that_its_reader_leaves_is_closed(running: Running) -> None:
    closed = asyncio.Event()
    running.servicer.behave = lambda _: time.sleep(0.001)
    original = running.servicer.Count

    async def count(request: Any, context: Any) -> Any:
        try:
            async for answer in original(request, context):
                yield answer
                await asyncio.sleep(0.01)
        finally:
            closed.set()

    running.servicer.Count = count  # type: ignore[method-assign]
    server = Server("sample", running.issuer.key_set(), None)
    server.add(sample.add_servicer, running.servicer)
    port = await server.start("127.0.0.1:0", SharedSettings())
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stream = sample.Stub(channel).Count(
            Request(number=10_000), metadata=bearer(running.issuer.access())
        )
        async for _ in stream:
            break
        stream.cancel()
        await asyncio.wait_for(closed.wait(), PATIENCE)
    await server.drain(0, 0)


async def test_an_rpc_without_a_policy_is_refused_at_start(running: Running) -> None:
    server = Server("sample", running.issuer.key_set(), None)
    with pytest.raises(ValueError, match=r"LawlessService\.Echo has no .*policy"):
        server.add_registered_method_handlers("chenu.sample.v1.LawlessService", {})


async def test_a_port_in_use_is_told_in_words(running: Running) -> None:
    server = Server("sample", running.issuer.key_set(), None)
    with pytest.raises(PortTaken, match="in use"):
        await server.start(running.address, SharedSettings())


async def test_a_message_that_is_too_large_is_refused(running: Running) -> None:
    raw: Any = running.channel.unary_unary(f"/{sample.SERVICE}/Echo")
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await raw(b"\x0a" + b"x" * (5 << 20), metadata=bearer(running.issuer.access()))
    assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
