"""A provider that sends too much, too slowly, or packed: one bounded call, and a typed error."""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from pydantic import SecretStr

from kernel.errors import ServiceError
from services.llm.anthropic_client import AnthropicClient
from services.llm.settings import LlmSettings

MESSAGE = json.dumps({"type": "message", "model": "claude-x", "content": []}).encode()
Answer = Callable[[web.StreamResponse], Awaitable[None]]


@asynccontextmanager
async def provider(
    answer: Answer, *, seconds: float = 30, headers: Mapping[str, str] | None = None
) -> AsyncIterator[AnthropicClient]:
    """A client of a provider that answers so, which waits so long for a whole answer."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        await answer(response)
        return response

    runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    settings = LlmSettings.model_construct(
        anthropic_url=f"http://127.0.0.1:{runner.addresses[0][1]}",
        anthropic_api_key=SecretStr("key"),
        timeout_seconds=seconds,
    )
    client = AnthropicClient(settings)
    try:
        yield client
    finally:
        await client.close()
        await runner.cleanup()


async def whole(client: AnthropicClient) -> object:
    return await client.create(b"{}")


async def streamed(client: AnthropicClient) -> object:
    return [event async for event in client.stream(b"{}")]


BOTH = pytest.mark.parametrize(("ask", "before"), [(whole, b""), (streamed, b"data: ")])
Ask = Callable[[AnthropicClient], Awaitable[object]]


@BOTH
async def test_an_answer_that_is_too_long_is_not_read_to_its_end(ask: Ask, before: bytes) -> None:
    async def much(response: web.StreamResponse) -> None:
        await response.write(before + b" " * 2_000_000 + MESSAGE)

    async with provider(much) as client:
        with pytest.raises(ServiceError) as refused:
            await ask(client)
    assert refused.value.reason == "ANSWER_UNUSABLE"


@BOTH
async def test_the_time_for_an_answer_counts_for_all_of_it(ask: Ask, before: bytes) -> None:
    async def drip(response: web.StreamResponse) -> None:
        """Many times as long as it may take, with never a long pause."""
        await response.write(before)
        for _ in range(200):
            await response.write(b" ")
            await asyncio.sleep(0.02)
        await response.write(MESSAGE + b"\n")

    async with provider(drip, seconds=0.5) as client:
        with pytest.raises(ServiceError) as refused:
            await ask(client)
    assert refused.value.reason == "PROVIDER_UNAVAILABLE"


@BOTH
async def test_a_packed_answer_was_not_asked_for_and_is_not_unpacked(
    ask: Ask, before: bytes
) -> None:
    async def packed(response: web.StreamResponse) -> None:
        await response.write(zlib.compress(before + MESSAGE + b"\n"))

    async with provider(packed, headers={"content-encoding": "deflate"}) as client:
        try:
            answer = await ask(client)
        except ServiceError as refused:
            answer = refused.reason
    assert answer in ("PROVIDER_UNAVAILABLE", [])  # no line of the stream is an event


@BOTH
async def test_an_answer_with_two_readings_is_none(ask: Ask, before: bytes) -> None:
    async def twice(response: web.StreamResponse) -> None:
        await response.write(before + b'{"type": "message", "type": "message"}\n')

    async with provider(twice) as client:
        with pytest.raises(ServiceError) as refused:
            await ask(client)
    assert refused.value.reason == "ANSWER_UNUSABLE"


async def test_a_stream_is_the_same_wherever_it_is_cut_and_however_its_lines_end() -> None:
    async def pieces(response: web.StreamResponse) -> None:
        for byte in b'event: a\r\ndata: {"a": "\xc3\xa9"}\r\n\r\ndata:{"b": 1}\n\n':
            await response.write(bytes([byte]))
            await asyncio.sleep(0)

    async with provider(pieces) as client:
        assert await streamed(client) == [{"a": "é"}, {"b": 1}]


async def test_no_proxy_of_the_environment_comes_between(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(response: web.StreamResponse) -> None:
        await response.write(MESSAGE)

    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with provider(answer) as client:
        assert await client.create(b"{}") == json.loads(MESSAGE)
