"""The simulator on a port of its own, and Anthropic's own client for it."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from anthropic import AsyncAnthropic

from deploy.local.simulator.server import serving


@pytest.fixture(scope="package")
async def simulator_url() -> AsyncIterator[str]:
    """Base URL of a running simulator."""
    async with serving() as url:
        yield url


@pytest.fixture(scope="package")
async def client(simulator_url: str) -> AsyncIterator[AsyncAnthropic]:
    """The official client, as services use it: no retries of its own."""
    async with AsyncAnthropic(api_key="test", base_url=simulator_url, max_retries=0) as made:
        yield made


@pytest.fixture(scope="package")
async def http(simulator_url: str) -> AsyncIterator[httpx2.AsyncClient]:
    """A plain client, for what the official one never sends."""
    headers = {"x-api-key": "test", "anthropic-version": "2023-06-01"}
    async with httpx2.AsyncClient(base_url=simulator_url, headers=headers) as made:
        yield made
