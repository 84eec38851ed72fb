"""The fleet as those see it who would break its laws."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import asyncpg
import pytest

from deploy.local.backends import Backends
from deploy.postgres.roles import database_url
from tests.laws.hands import Hands
from tests.support.fleet import Client, Fleet


@pytest.fixture
async def superuser(fleet: Fleet, fleet_backends: Backends) -> AsyncIterator[Any]:
    """Whoever holds the whole database."""
    connection = await asyncpg.connect(database_url(fleet_backends.postgres.admin_url))
    yield connection
    await connection.close()


@pytest.fixture(scope="session")
def hands(fleet: Fleet, fleet_environment: Mapping[str, str]) -> Hands:
    return Hands(fleet, fleet_environment)


@pytest.fixture
async def stranger(fleet: Fleet) -> Client:
    """Somebody else, in a tenant of their own."""
    return await fleet.register("Stranger")
