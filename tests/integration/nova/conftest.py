"""What the model is asked, as it receives it."""

import json
from typing import Any

import pytest

from deploy.local.simulator import wire


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
