"""What the model is asked, as it receives it; and the whole database."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest

from deploy.local.backends import Backends
from deploy.local.simulator import wire
from deploy.local.simulator.server import Simulator
from deploy.postgres.roles import database_url
from tests.support.fleet import Fleet
from tests.support.hostile_model import Model


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


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[Model]:
    """A model that answers what the test says, over HTTP, until the test ends."""
    playing = Model()
    monkeypatch.setattr(Simulator, "_messages", playing.messages)
    yield playing
    assert not playing.answers, "the model was asked less often than the test says"
