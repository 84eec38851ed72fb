"""Event streams: how long they live, where they go on, and what becomes of those who leave."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import uuid4

import httpx2
import pytest

from tests.integration.gateway.test_http import blocked, events
from tests.support.fleet import Fleet
from tests.support.waiting import soon

STREAM = "/api/v2/nova/query/stream"


@pytest.fixture
async def watch(logged_in: httpx2.AsyncClient) -> str:
    """The stream of a run that waits for a person."""
    run = (await blocked(logged_in, f"Waiting {uuid4().hex[:8]}")).json()["run_id"]
    return f"/api/v2/nova/runs/{run}/watch"


async def until_it_waits(lines: AsyncIterator[str]) -> None:
    async for line in lines:
        if line == "event: pipeline.blocked":
            return


async def test_a_stream_outlives_the_time_that_a_single_answer_may_take(
    logged_in: httpx2.AsyncClient, watch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kernel.channels.DEFAULT_DEADLINE_SECONDS", 1.0)
    async with logged_in.stream("GET", watch) as answer:
        monkeypatch.undo()  # nothing else shall have so little time
        lines = answer.aiter_lines()
        await until_it_waits(lines)
        await asyncio.sleep(1.5)
        run = watch.split("/")[-2]
        ended = await logged_in.post(f"/api/v2/nova/runs/{run}/cancel", json={})
        assert ended.status_code == 200, ended.text
        told = [line async for line in lines if line.startswith("event: ")]
    assert "event: error" not in told
    assert told[-1] == "event: pipeline.error"  # the run's own: it was cancelled


async def test_who_leaves_makes_room_whether_they_were_reading_or_not(
    logged_in: httpx2.AsyncClient, watch: str
) -> None:
    async with AsyncExitStack() as open_ones:
        for _ in range(20):
            answer = await open_ones.enter_async_context(logged_in.stream("GET", watch))
            assert answer.status_code == 200
        full = await logged_in.get(watch)
        assert (full.status_code, full.json()["reason"]) == (429, "TOO_MANY_STREAMS")
        assert full.headers["retry-after"]

    async def has_room() -> bool:
        async with logged_in.stream("GET", watch) as answer:
            return answer.status_code == 200

    await soon(has_room, "those who left are forgotten")


async def test_a_service_that_stops_ends_its_streams_and_is_away_without_an_address(
    logged_in: httpx2.AsyncClient, watch: str, fleet: Fleet
) -> None:
    async def is_back() -> bool:
        return (await logged_in.get("/api/v2/nova/history")).status_code == 200

    async with logged_in.stream("GET", watch) as answer:
        lines = answer.aiter_lines()
        await until_it_waits(lines)
        await fleet.stop("nova")
        try:
            rest = [line async for line in lines]
            away = await logged_in.get(watch)
        finally:
            await fleet.start("nova")
            await soon(is_back, "the gateway has found it again")
    assert {line for line in rest if line.startswith("event: ")} <= {"event: error"}
    assert fleet.address("nova").rpartition(":")[2] not in "".join(rest)
    assert (away.status_code, away.json()["reason"]) == (503, "UNAVAILABLE")
    assert away.headers["retry-after"] == "1"
    assert fleet.address("nova").rpartition(":")[2] not in away.text
    assert away.json()["detail"] == "a service it needs is not available"


async def test_a_request_that_streams_goes_on_instead_of_being_run_again(
    logged_in: httpx2.AsyncClient,
) -> None:
    asked = {"text": "What is a stream?", "request_id": str(uuid4())}
    async with logged_in.stream("GET", STREAM, params=asked) as answer:
        first = [event async for event in events(answer)]
    last = {"last-event-id": first[1][0]}
    async with logged_in.stream("GET", STREAM, params=asked, headers=last) as answer:
        assert [event async for event in events(answer)] == first[2:]
    unnamed = await logged_in.get(STREAM, params={"text": asked["text"]}, headers=last)
    assert (unnamed.status_code, unnamed.json()["reason"]) == (400, "INVALID_REQUEST")
    assert "request_id" in json.dumps(unnamed.json())
    assert len((await logged_in.get("/api/v2/nova/history")).json()["runs"]) == 1


async def test_records_are_streamed_also_those_of_a_time_when_nobody_listened(
    logged_in: httpx2.AsyncClient,
) -> None:
    watch = "/api/v2/audit/watch"
    async with logged_in.stream("GET", watch) as answer:
        place = await anext(line async for line in answer.aiter_lines() if line)
    assert place.startswith("id: ")  # the heartbeat that it opens with
    body = {"title": "Unheard", "founding_intent": "to be told later"}
    made = (await logged_in.post("/api/v2/threads", json=body)).json()["thread"]["thread_id"]
    async with logged_in.stream("GET", watch, headers={"last-event-id": place[4:]}) as answer:
        lines = answer.aiter_lines()
        told = ""
        while made not in told:
            told = await anext(line async for line in lines if line.startswith("event: "))
            data = await anext(lines)
            told += data
    assert told.startswith("event: chenu.threads.")
    assert json.loads(data.removeprefix("data: "))["entry"]["leaf_hash"]
