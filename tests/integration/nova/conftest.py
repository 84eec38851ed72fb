"""What the model is asked, as it receives it; and the whole database."""

import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from deploy.local.backends import Backends
from deploy.local.simulator import wire
from deploy.postgres.roles import database_url
from tests.support.fleet import Fleet


@pytest.fixture
async def superuser(fleet: Fleet, fleet_backends: Backends) -> AsyncIterator[Any]:
    """Whoever holds the whole database."""
    connection = await asyncpg.connect(database_url(fleet_backends.postgres.admin_url))
    yield connection
    await connection.close()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The bodies of all requests to the model since the test began."""
    bodies: list[dict[str, Any]] = []
    read = wire.read_request

    def recorded(body: bytes, **how: Any) -> dict[str, Any]:
        bodies.append(json.loads(body))
        return read(body, **how)

    monkeypatch.setattr(wire, "read_request", recorded)
    return bodies
