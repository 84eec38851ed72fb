"""The official SDK in raw mode: its transport and headers, our reading of the answers."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Final

from anthropic import (
    APIConnectionError,
    APIStatusError,
    AsyncAnthropic,
    DefaultAioHttpClient,
)

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


class AnthropicClient:
    """Asks Anthropic's Messages API once, and never by itself a second time."""

    def __init__(self, settings: LlmSettings) -> None:
        self._key = settings.anthropic_api_key.get_secret_value()
        # The address is pinned here: no variable of the environment can point the SDK elsewhere.
        self._client = AsyncAnthropic(
            api_key=self._key or "unset",
            base_url=settings.anthropic_url,
            max_retries=0,
            timeout=settings.timeout_seconds,
            http_client=DefaultAioHttpClient(),
            open_telemetry=False,
        )

    async def close(self) -> None:
        """Close its connections."""
        await self._client.close()

    async def create(self, body: dict[str, Any]) -> dict[str, Any]:
        """The provider's message; one of the classes of `errors` where there is none."""
        self._check_configured()
        try:
            # Not `messages.create`: that walks and copies the body key by key, then does so again.
            message = await self._client.post(
                _PATH, content=json.dumps(body).encode(), cast_to=object
            )
        except (APIStatusError, APIConnectionError) as error:
            raise _translated(error) from None
        except ValueError:
            raise ProviderUnavailable("the provider's answer is not JSON") from None
        if not isinstance(message, dict) or message.get("type") != "message":
            raise ProviderUnavailable("the provider answered with something that is no message")
        return message

    async def stream(self, body: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """The provider's stream events as they come."""
        self._check_configured()
        try:
            async with self._client.messages.with_streaming_response.create(
                **body, stream=True
            ) as raw:
                async for line in raw.iter_lines():
                    if line.startswith("data:"):
                        yield json.loads(line.removeprefix("data:"))
        except (APIStatusError, APIConnectionError) as error:
            raise _translated(error) from None
        except ValueError:
            raise ProviderUnavailable("an event of the provider's stream is not JSON") from None

    def _check_configured(self) -> None:
        if not self._key:
            raise ProviderNotConfigured(
                "there is no key for Claude: set CHENU_LLM_ANTHROPIC_API_KEY, "
                "or start the local stack, which brings its simulator"
            )


def _translated(error: APIStatusError | APIConnectionError) -> ServiceError:
    if not isinstance(error, APIStatusError):
        return ProviderUnavailable("the provider cannot be reached")
    status = error.status_code
    answered = str(status)
    if status == 429:
        return ProviderRateLimited(
            "the provider's rate limit is reached",
            retry_after=_retry_after(error),
            http_status=answered,
        )
    if status in (408, 409, _OVERLOADED) or status >= 500:
        return ProviderUnavailable("the provider is overloaded or failing", http_status=answered)
    return ProviderRefused("the provider refused the call", http_status=answered)


def _retry_after(error: APIStatusError) -> timedelta:
    try:
        seconds = float(error.response.headers.get("retry-after", ""))
    except ValueError:
        seconds = _RETRY_SECONDS
    return timedelta(seconds=min(max(seconds, 0.0), 120.0))
