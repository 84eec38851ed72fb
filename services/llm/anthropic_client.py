"""The official SDK's headers over its HTTP client, and our own reading of the answers.

The SDK's own calls put the same headers and options together anew each time, copy the body key by
key, and wrap what comes back: that is about half of what a call costs this service.
"""

import json
import math
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any, Final

import aiohttp
import httpx2
from anthropic import AsyncAnthropic, DefaultAioHttpClient

from kernel.errors import ServiceError
from services.llm.errors import (
    ProviderNotConfigured,
    ProviderRateLimited,
    ProviderRefused,
    ProviderUnavailable,
)
from services.llm.settings import LlmSettings

_PATH: Final = "/v1/messages"
_OVERLOADED: Final = 529
_RETRY_SECONDS: Final = 5.0
# Its transport translates aiohttp's errors, but not all of them.
_UNREACHABLE: Final = (httpx2.HTTPError, aiohttp.ClientError)


class AnthropicClient:
    """Asks Anthropic's Messages API once, and never by itself a second time."""

    def __init__(self, settings: LlmSettings) -> None:
        self._key = settings.anthropic_api_key.get_secret_value()
        # The address is pinned here: no variable of the environment can point the SDK elsewhere,
        # and no redirect takes the key there.
        self._http = DefaultAioHttpClient(
            base_url=settings.anthropic_url,
            timeout=settings.timeout_seconds,
            follow_redirects=False,
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
        # Merged once: a request of the client merges address, headers and timeouts each time.
        empty = self._http.build_request("POST", _PATH)
        self._url, self._extensions = empty.url, empty.extensions

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def create(self, body: bytes) -> dict[str, Any]:
        """The provider's message; one of the classes of `errors` where there is none."""
        response = await self._send(body)
        try:
            message = json.loads(response.content)
        except (ValueError, RecursionError):
            raise ProviderUnavailable("the provider's answer is not JSON") from None
        if not isinstance(message, dict) or message.get("type") != "message":
            raise ProviderUnavailable("the provider answered with something that is no message")
        return message

    async def stream(self, body: bytes) -> AsyncIterator[dict[str, Any]]:
        """The provider's stream events as they come, to a body that asks for a stream."""
        response = await self._send(body, stream=True)
        try:
            async for line in response.aiter_lines():
                if line.startswith("data:"):
                    yield json.loads(line.removeprefix("data:"))
        except _UNREACHABLE:
            raise ProviderUnavailable("the provider's stream broke off") from None
        except (ValueError, RecursionError):
            raise ProviderUnavailable("an event of the provider's stream is not JSON") from None
        finally:
            await response.aclose()

    async def _send(self, body: bytes, *, stream: bool = False) -> httpx2.Response:
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
            response = await self._http.send(request, stream=stream)
        except _UNREACHABLE:
            raise ProviderUnavailable("the provider cannot be reached") from None
        if not response.is_success:
            await response.aclose()
            raise refusal(response.status_code, response.headers)
        return response


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
