"""Wrong requests, and faults that a request asks for."""

import time
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic import AsyncAnthropic

from deploy.local.simulator.server import serving

MODEL = "claude-sonnet-5-5"
GOOD = {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]}


async def create(client: AsyncAnthropic, words: str, **options: Any) -> Any:
    messages = [{"role": "user", "content": words}]
    return await client.messages.create(
        **{"model": MODEL, "max_tokens": 100, "messages": messages, **options}
    )


def assert_error(response: httpx2.Response, status: int, kind: str) -> None:
    assert response.status_code == status
    body = response.json()
    assert (body["type"], body["error"]["type"]) == ("error", kind)
    assert body["request_id"] == response.headers["request-id"]
    assert response.headers["x-chenu-simulator"] == "1"


async def test_a_request_without_a_key_is_not_authenticated(http: httpx2.AsyncClient) -> None:
    for headers in ({"x-api-key": ""}, {"x-api-key": "", "authorization": "Basic test"}):
        response = await http.post("/v1/messages", json=GOOD, headers=headers)
        assert_error(response, 401, "authentication_error")


async def test_the_key_may_come_in_either_header(http: httpx2.AsyncClient) -> None:
    for headers in ({}, {"x-api-key": "", "authorization": "Bearer test"}):
        response = await http.post("/v1/messages", json=GOOD, headers=headers)
        assert response.status_code == 200


@pytest.mark.parametrize("version", ["", "latest", "2023-06-01x"])
async def test_a_request_without_a_version_is_refused(
    http: httpx2.AsyncClient, version: str
) -> None:
    headers = {"anthropic-version": version}
    response = await http.post("/v1/messages", json=GOOD, headers=headers)
    assert_error(response, 400, "invalid_request_error")


async def test_an_unknown_place_is_not_found(http: httpx2.AsyncClient) -> None:
    for method, place in (
        ("GET", "/v1/messages"),
        ("POST", "/v1/complete"),
        ("GET", "/v1/models/gpt-6"),
        ("GET", "/"),
    ):
        assert_error(await http.request(method, place), 404, "not_found_error")


async def test_a_body_beyond_the_limit_is_too_large(http: httpx2.AsyncClient) -> None:
    body = b'{"model": "' + b"x" * (32 * 1024 * 1024) + b'"}'
    response = await http.post("/v1/messages", content=body)
    assert_error(response, 413, "request_too_large")


async def test_a_large_body_within_the_limit_is_read(http: httpx2.AsyncClient) -> None:
    messages = [{"role": "user", "content": "x " * 600_000}]
    response = await http.post("/v1/messages", json={**GOOD, "messages": messages})
    assert response.status_code == 200


@pytest.mark.parametrize("depth", [100, 700, 5_000, 100_000])
async def test_what_is_nested_deeply_is_read_or_refused(
    http: httpx2.AsyncClient, depth: int
) -> None:
    use = {"type": "tool_use", "id": "u1", "name": "thread_search", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "u1", "content": "[" * depth + "]" * depth}
    messages = [
        {"role": "user", "content": "Search for threads about rent"},
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [result]},
    ]
    response = await http.post("/v1/messages", json={**GOOD, "messages": messages})
    if response.status_code != 200:  # how deep is too deep is the interpreter's to say
        assert depth > 100
        assert_error(response, 400, "invalid_request_error")


async def test_health_needs_no_key(simulator_url: str) -> None:
    async with httpx2.AsyncClient() as nobody:
        assert (await nobody.get(f"{simulator_url}/health")).status_code == 200


async def test_the_official_client_raises_its_own_errors(client: AsyncAnthropic) -> None:
    with pytest.raises(anthropic.NotFoundError, match="model: claude"):
        await create(client, "Hello", model="claude")
    with pytest.raises(anthropic.BadRequestError, match=r"messages\.0\.role"):
        await create(client, "", messages=[{"role": "robot", "content": "x"}])
    with pytest.raises(anthropic.BadRequestError, match="#simulate"):
        await create(client, "Hello\n#simulate: {")
    with pytest.raises(anthropic.BadRequestError, match="surrogates not allowed"):
        await create(client, 'Hello\n#simulate: {"text": "\\ud83d"}')


async def test_an_overload_is_played(client: AsyncAnthropic) -> None:
    for _ in range(2):
        with pytest.raises(anthropic.OverloadedError) as refused:
            await create(client, "Hello\n#simulate-fault: overloaded")
        assert refused.value.status_code == 529


async def test_an_overload_passes_after_so_many_times(client: AsyncAnthropic) -> None:
    words = "Hello again\n#simulate-fault: overloaded:2"
    for _ in range(2):
        with pytest.raises(anthropic.OverloadedError):
            await create(client, words)
    assert (await create(client, words)).stop_reason == "end_turn"


async def test_a_slow_answer_takes_its_time(client: AsyncAnthropic) -> None:
    begun = time.monotonic()
    await create(client, "Hello\n#simulate-fault: slow:200")
    assert time.monotonic() - begun >= 0.2
    with pytest.raises(anthropic.APITimeoutError):
        await create(client, "Hello\n#simulate-fault: slow:5000", timeout=0.2)


async def test_a_slow_stream_comes_in_pieces(client: AsyncAnthropic) -> None:
    stream = await create(client, "Hello\n#simulate-fault: slow:20", stream=True)
    times = [time.monotonic() async for _ in stream]
    assert times[-1] - times[0] >= 0.05


async def test_a_truncated_answer_breaks_off(client: AsyncAnthropic) -> None:
    with pytest.raises(anthropic.APIConnectionError):
        await create(client, "Hello\n#simulate-fault: truncate")


async def test_a_truncated_stream_never_says_that_it_ended(client: AsyncAnthropic) -> None:
    stream = await create(client, "Hello\n#simulate-fault: truncate", stream=True)
    kinds = [event.type async for event in stream]
    assert kinds[0] == "message_start"
    assert "message_stop" not in kinds


async def test_another_vendors_model_may_answer(client: AsyncAnthropic) -> None:
    message = await create(client, "Hello\n#simulate-fault: wrong_model")
    assert not message.model.startswith("claude-")


async def test_garbage_may_come_with_status_200(client: AsyncAnthropic) -> None:
    raw = await client.messages.with_raw_response.create(
        model=MODEL,
        max_tokens=100,
        messages=[{"role": "user", "content": "Hello\n#simulate-fault: garbage"}],
    )
    assert raw.http_response.status_code == 200
    with pytest.raises(ValueError, match="Expecting value"):
        raw.http_response.json()
    stream = await create(client, "Hello\n#simulate-fault: garbage", stream=True)
    with pytest.raises(ValueError, match="Expecting property name"):
        [event async for event in stream]


async def test_a_set_latency_delays_every_answer() -> None:
    async with (
        serving(latency=0.1) as url,
        AsyncAnthropic(api_key="test", base_url=url, max_retries=0) as client,
    ):
        begun = time.monotonic()
        await create(client, "Hello")
        assert time.monotonic() - begun >= 0.1
