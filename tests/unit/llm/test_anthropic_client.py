"""What the provider's refusals mean to who asked."""

from datetime import timedelta

import pytest

from kernel.errors import ServiceError
from services.llm.anthropic_client import refusal
from services.llm.errors import ProviderRateLimited, ProviderRefused, ProviderUnavailable


@pytest.mark.parametrize(
    ("status", "meant"),
    [
        (302, ProviderRefused),
        (400, ProviderRefused),
        (401, ProviderRefused),
        (408, ProviderUnavailable),
        (409, ProviderUnavailable),
        (500, ProviderUnavailable),
        (529, ProviderUnavailable),
    ],
)
def test_each_status_has_its_error(status: int, meant: type[ServiceError]) -> None:
    error = refusal(status, {})
    assert type(error) is meant
    assert error.metadata["http_status"] == str(status)


@pytest.mark.parametrize(
    ("said", "waits"),
    [("7", 7), ("0.5", 0.5), ("", 5), ("soon", 5), ("-1", 0), ("9000", 120), ("nan", 5)],
)
def test_a_rate_limit_says_when_to_ask_again(said: str, waits: float) -> None:
    error = refusal(429, {"retry-after": said})
    assert type(error) is ProviderRateLimited
    assert error.retry_after == timedelta(seconds=waits)
