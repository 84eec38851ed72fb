"""What a hop passes on, seen by the service at its other end."""

import asyncio
import datetime as dt
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from opentelemetry import trace as otel

from deploy.local.server import free_port
from kernel import channels as channels_module
from kernel.caller import Caller
from kernel.channels import MARGIN_SECONDS, OPTIONS, Channels, acting_as, alone
from kernel.context import CallContext, background, current, enter
from kernel.errors import DeadlineExceeded, NotFound, Unavailable
from kernel.settings import SharedSettings
from tests.support.waiting import PATIENCE
from tests.unit.kernel import sample
from tests.unit.kernel.conftest import Running
from tests.unit.kernel.sample import AGENT, DELEGATION, HUMAN, VOTER, Request


@pytest.fixture
async def channels(running: Running) -> AsyncIterator[Channels]:
    made = Channels(SharedSettings(threads_address=running.address), "sample", None)
    yield made
    await made.close()


@pytest.fixture
async def stub(channels: Channels) -> sample.Stub:
    return sample.Stub(channels.channel("threads"))


def seen(running: Running) -> list[CallContext]:
    """The contexts of the calls that arrive from now on."""
    found: list[CallContext] = []
    running.servicer.behave = lambda _: found.append(current())
    return found


def person(running: Running, kind: int = HUMAN) -> Caller:
    """A caller with a token of its own kind."""
    token = running.issuer.access()
    return Caller(
        tenant="", person="", identity="", actor="human", kind=kind, token=token  # type: ignore[arg-type]
    )  # fmt: skip


async def within(call: CallContext, work: Any) -> Any:
    """Run it as the handler of this call would."""

    async def handle() -> Any:
        enter(call)
        return await work()

    return await asyncio.create_task(handle())


async def test_the_deadline_goes_on_with_a_margin(running: Running, stub: sample.Stub) -> None:
    calls = seen(running)
    call = CallContext("/test", caller=person(running), deadline=time.monotonic() + 9)
    await within(call, lambda: stub.Echo(Request()))
    await within(call, lambda: stub.Echo(Request(), timeout=3))
    await within(call, lambda: stub.Echo(Request(), timeout=60))
    remaining = [c.remaining() or 0 for c in calls]
    assert 3.1 < remaining[0] <= 8.96
    assert remaining[1] <= 3.01
    assert 3.1 < remaining[2] <= 8.96


async def test_without_a_deadline_there_is_one_of_thirty_seconds(
    running: Running, stub: sample.Stub
) -> None:
    calls = seen(running)
    with background("test", caller=person(running)):
        await stub.Echo(Request())
    assert 10 < (calls[0].remaining() or 0) < 30.1


async def test_after_the_deadline_nothing_is_sent(running: Running, stub: sample.Stub) -> None:
    calls = seen(running)
    call = CallContext("/test", caller=person(running), deadline=time.monotonic() + 0.04)
    with pytest.raises(DeadlineExceeded):
        await within(call, lambda: stub.Echo(Request()))
    assert not calls


async def test_work_two_hops_away_stops_at_the_first_callers_deadline(
    running: Running, channels: Channels
) -> None:
    stub = sample.Stub(channels.channel("threads"))
    left: list[float] = []
    stopped = asyncio.Event()

    async def hop(request: Any) -> None:
        if request.number:
            await stub.Echo(Request(number=request.number - 1))
        left.append(current().remaining() or 0)
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    running.servicer.behave = hop
    for seconds in (0.6, 6.0):  # the longer one where a machine is too busy to get there before
        call = CallContext("/test", caller=person(running), deadline=time.monotonic() + seconds)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await within(call, lambda: stub.Echo(Request(number=1)))
        assert error.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        if left:
            break
    await asyncio.wait_for(stopped.wait(), PATIENCE)
    assert left[0] < seconds - 2 * MARGIN_SECONDS + 0.01  # gRPC rounds up


@pytest.mark.parametrize(
    ("kind", "passed"), [(HUMAN, True), (AGENT, True), (DELEGATION, True), (VOTER, False)]
)
async def test_the_callers_token_goes_on_but_a_vote_never_does(
    running: Running,
    stub: sample.Stub,
    kind: int,
    passed: bool,
) -> None:
    calls = seen(running)
    caller = person(running, kind)
    with background("test", caller=caller):
        if passed:
            await stub.Echo(Request())
            assert calls[0].metadata["authorization"] == f"Bearer {caller.token}"
        else:
            with pytest.raises(grpc.aio.AioRpcError, match="a token is required"):
                await stub.Echo(Request())


async def test_a_call_may_carry_another_token_or_none(
    running: Running, channels: Channels, stub: sample.Stub
) -> None:
    calls, own, other = seen(running), running.issuer.service("nova"), running.issuer.access()

    async def credentials() -> str:
        return own

    channels.credentials = credentials
    with background("test", caller=person(running)):
        with acting_as(other):
            await stub.Echo(Request())
        with alone():
            await stub.Echo(Request())
        await stub.Echo(Request())
    assert [c.metadata.get("authorization", "") == f"Bearer {other}" for c in calls] == [
        True, False, False,
    ]  # fmt: skip
    assert "authorization" not in calls[1].metadata
    assert calls[1].caller.actor == "service"
    assert {c.metadata["x-chenu-service-authorization"] for c in calls} == {f"Bearer {own}"}


async def test_request_id_and_trace_go_on(running: Running, stub: sample.Stub) -> None:
    calls = seen(running)
    context = otel.SpanContext(
        trace_id=0xABC, span_id=0xDEF, is_remote=True, trace_flags=otel.TraceFlags(1)
    )
    with (
        background("test", caller=person(running)) as call,
        otel.use_span(otel.NonRecordingSpan(context)),
    ):
        await stub.Echo(Request())
    assert calls[0].request_id == call.request_id
    assert calls[0].trace_id == f"{0xABC:032x}"


async def test_streams_pass_on_the_same(running: Running, stub: sample.Stub) -> None:
    caller = person(running)

    async def requests() -> AsyncIterator[Any]:
        for number in (1, 2):
            yield Request(number=number, text=str(number))

    with background("test", caller=caller):
        assert [r.number async for r in stub.Count(Request(number=3), timeout=30)] == [0, 1, 2]
        assert (await stub.Collect(requests())).number == 3
        assert [r.text async for r in stub.Converse(requests())] == ["1", "2"]


async def test_leaving_a_stream_ends_the_call(running: Running, stub: sample.Stub) -> None:
    with background("test", caller=person(running)):
        answers = stub.Count(Request(number=1_000_000))
        assert (await anext(answers)).number == 0
        await answers.aclose()


async def test_only_unavailable_is_retried_and_at_most_twice(
    running: Running, stub: sample.Stub
) -> None:
    attempts: list[int] = []

    def fail(request: Any) -> None:
        attempts.append(request.number)
        if request.number == 1:
            raise NotFound("no")
        if request.number == 2 or len(attempts) < 3:
            raise Unavailable("not now")

    running.servicer.behave = fail
    with background("test", caller=person(running)):
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.Echo(Request(number=1))
        assert len(attempts) == 1
        attempts.clear()
        await stub.Echo(Request(number=3))
        assert len(attempts) == 3
        attempts.clear()
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await stub.Echo(Request(number=2))
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE
    assert len(attempts) == 3


async def test_a_retry_waits_as_long_as_the_server_says(
    running: Running, stub: sample.Stub
) -> None:
    attempts: list[float] = []

    def fail(_: Any) -> None:
        attempts.append(time.monotonic())
        if len(attempts) == 1:
            raise Unavailable("busy", retry_after=dt.timedelta(seconds=0.7))

    running.servicer.behave = fail
    with background("test", caller=person(running)):
        await stub.Echo(Request())
    assert attempts[1] - attempts[0] >= 0.65


async def test_a_wait_that_is_longer_than_the_deadline_is_not_begun(
    running: Running, stub: sample.Stub
) -> None:
    def fail(_: Any) -> None:
        attempts.append(1)
        raise Unavailable("busy", retry_after=dt.timedelta(seconds=60))

    attempts: list[int] = []
    running.servicer.behave = fail
    with (
        background("test", caller=person(running)),
        pytest.raises(grpc.aio.AioRpcError) as error,
    ):
        await stub.Echo(Request(), timeout=20)
    # Where it had waited, its deadline would have passed.
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE
    assert len(attempts) == 1


async def seconds_away() -> float:
    """How long after a refused attempt a channel of ours tries again."""
    address = f"127.0.0.1:{free_port()}"
    channels = Channels(SharedSettings(threads_address=address), "sample", None)
    channel = channels.bare("threads")
    state = channel.get_state(try_to_connect=True)
    while state is not grpc.ChannelConnectivity.TRANSIENT_FAILURE:
        await channel.wait_for_state_change(state)
        state = channel.get_state()
    refused = time.monotonic()
    server = grpc.aio.server()
    server.add_insecure_port(address)
    await server.start()
    await channel.channel_ready()
    seconds = time.monotonic() - refused
    await channels.close()
    await server.stop(None)
    return seconds


async def test_a_service_that_was_away_is_found_again_at_once() -> None:
    pauses: list[float] = []
    while len(pauses) < 5 and min(pauses, default=1) >= 0.7:  # a busy machine only adds to one
        pauses.append(await seconds_away())
    assert min(pauses) < 0.7, "gRPC's own first pause is 0.8 s or more"
    assert dict(OPTIONS)["grpc.max_reconnect_backoff_ms"] <= 2_000


def test_the_retry_policy_is_what_grpc_reads() -> None:
    config = json.loads(channels_module._SERVICE_CONFIG)
    assert config["methodConfig"][0]["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]
