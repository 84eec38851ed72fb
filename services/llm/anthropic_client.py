"""The official SDK's headers over its HTTP client, and our own reading of the answers.

The SDK's own calls put the same headers and options together anew each time, copy the body key by
key, and wrap what comes back: that is about half of what a call costs this service.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from datetime import timedelta
from typing import Any, Final

import aiohttp
import httpx2
from anthropic import AsyncAnthropic, DefaultAioHttpClient

from kernel.errors import ServiceError
from services.llm.errors import (
    AnswerUnusable,
    ProviderNotConfigured,
    ProviderRateLimited,
    ProviderRefused,
    ProviderUnavailable,
)
from services.llm.settings import LlmSettings
from services.llm.wire import Ambiguous, read_json

_PATH: Final = "/v1/messages"
_OVERLOADED: Final = 529
_RETRY_SECONDS: Final = 5.0
# Its transport translates aiohttp's errors, but not all of them. TimeoutError: ours.
_UNREACHABLE: Final = (httpx2.HTTPError, aiohttp.ClientError, TimeoutError)
# 100,000 tokens, the most that can be asked for, are some 400 kB; a stream sends a few hundred
# bytes around each of them.
_LONGEST_ANSWER: Final = 1 << 20
_LONGEST_STREAM: Final = 32 << 20
_TOO_LONG: Final = "the provider's answer is longer than any that was asked for"


class AnthropicClient:
    """Asks Anthropic's Messages API once, and never by itself a second time."""

    def __init__(self, settings: LlmSettings) -> None:
        self._key = settings.anthropic_api_key.get_secret_value()
        self._seconds = settings.timeout_seconds
        # The address is pinned here: no variable of the environment can point the SDK elsewhere or
        # put a proxy between, and no redirect takes the key there.
        self._http = DefaultAioHttpClient(
            base_url=settings.anthropic_url,
            timeout=settings.timeout_seconds,
            follow_redirects=False,
            trust_env=False,
        )
        sdk = AsyncAnthropic(
            api_key=self._key or "unset",
            base_url=settings.anthropic_url,
            http_client=self._http,
            open_telemetry=False,
        )
        self._http.headers.update(
            {k: v for k, v in sdk.default_headers.items() if isinstance(v, str)}
        )
        # What comes is counted as it comes; a few packed bytes could be gigabytes.
        self._http.headers["accept-encoding"] = "identity"
        # Merged once: a request of the client merges address, headers and timeouts each time.
        empty = self._http.build_request("POST", _PATH)
        self._url, self._extensions = empty.url, empty.extensions

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def create(self, body: bytes) -> dict[str, Any]:
        """The provider's message; one of the classes of `errors` where there is none."""
        try:
            async with asyncio.timeout(self._seconds):
                content = await self._whole(body)
        except TimeoutError:
            raise ProviderUnavailable("the provider took too long to answer") from None
        message = _json(content)
        if not isinstance(message, dict) or message.get("type") != "message":
            raise ProviderUnavailable("the provider answered with something that is no message")
        return message

    async def stream(self, body: bytes) -> AsyncGenerator[dict[str, Any], None]:
        """The provider's stream events as they come, to a body that asks for a stream."""
        end = asyncio.get_running_loop().time() + self._seconds
        lines = self._lines(body)
        try:
            while True:
                # Not around the whole: between events it is the reader's own time.
                async with asyncio.timeout_at(end):
                    line = await anext(lines, None)
                if line is None:
                    return
                if line.startswith(b"data:"):
                    yield _json(line.removeprefix(b"data:"))
        except _UNREACHABLE:
            raise ProviderUnavailable("the provider's stream broke off") from None
        finally:
            await lines.aclose()

    async def _whole(self, body: bytes) -> bytes:
        response = await self._send(body)
        try:
            return b"".join([chunk async for chunk in _bounded(response, _LONGEST_ANSWER)])
        except _UNREACHABLE:
            raise ProviderUnavailable("the provider's answer broke off") from None
        finally:
            await response.aclose()

    async def _lines(self, body: bytes) -> AsyncGenerator[bytes, None]:
        response, rest = await self._send(body), b""
        try:
            async for chunk in _bounded(response, _LONGEST_STREAM):
                *lines, rest = (rest + chunk).split(b"\n")
                if len(rest) > _LONGEST_ANSWER:
                    raise AnswerUnusable(_TOO_LONG)
                for line in lines:
                    yield line
        finally:
            await response.aclose()

    async def _send(self, body: bytes) -> httpx2.Response:
        if not self._key:
            raise ProviderNotConfigured(
                "there is no key for Claude: set CHENU_LLM_ANTHROPIC_API_KEY, "
                "or start the local stack, which brings its simulator"
            )
        request = httpx2.Request(
            "POST",
            self._url,
            headers=self._http.headers,
            content=body,
            extensions=self._extensions,
        )
        try:
            response = await self._http.send(request, stream=True)
        except _UNREACHABLE:
            raise ProviderUnavailable("the provider cannot be reached") from None
        if not response.is_success:
            await response.aclose()
            raise refusal(response.status_code, response.headers)
        return response


async def _bounded(response: httpx2.Response, limit: int) -> AsyncIterator[bytes]:
    size = 0
    async for chunk in response.aiter_raw():
        size += len(chunk)
        if size > limit:
            raise AnswerUnusable(_TOO_LONG)
        yield chunk


def _json(data: bytes) -> Any:
    try:
        return read_json(data)
    except (Ambiguous, RecursionError):
        raise AnswerUnusable("the provider's answer has no single reading") from None
    except ValueError:
        raise ProviderUnavailable("the provider's answer is not JSON") from None


def refusal(status: int, headers: Mapping[str, str]) -> ServiceError:
    """What an answer that is no success means to who asked."""
    answered = str(status)
    if status == 429:
        return ProviderRateLimited(
            "the provider's rate limit is reached",
            retry_after=_retry_after(headers),
            http_status=answered,
        )
    if status in (408, 409, _OVERLOADED) or status >= 500:
        return ProviderUnavailable("the provider is overloaded or failing", http_status=answered)
    return ProviderRefused("the provider refused the call", http_status=answered)


def _retry_after(headers: Mapping[str, str]) -> timedelta:
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        seconds = _RETRY_SECONDS
    if math.isnan(seconds):
        seconds = _RETRY_SECONDS
    return timedelta(seconds=min(max(seconds, 0.0), 120.0))
