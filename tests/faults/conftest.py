"""One stage for all faults; every test leaves it whole."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local.backends import running_backends
from deploy.local.choices import Choices
from deploy.local.ports import Ports
from deploy.local.provision import provision
from deploy.local.simulator.server import serving
from tests.faults.stage import Stage
from tests.support.fleet import Client

QUICK = {
    "CHENU_DRAIN_SECONDS": "0",
    "CHENU_GRACE_SECONDS": "1",
    "CHENU_ENVIRONMENT": "test",
    "CHENU_RELAY_REPUBLISH_SECONDS": "2",
    "CHENU_NOVA_LEASE_SECONDS": "2",
    "CHENU_NOVA_SWEEP_SECONDS": "0.3",
    "CHENU_GOVERNANCE_SWEEP_SECONDS": "0.3",
    "CHENU_IDENTITY_ARGON2_TIME_COST": "1",
    "CHENU_IDENTITY_ARGON2_MEMORY_KIB": "64",
    "CHENU_IDENTITY_REGISTRATIONS_PER_ADDRESS": "100000",
}


@pytest.fixture(scope="package")
async def stage() -> AsyncIterator[Stage]:
    """All services as processes, before the model simulator, on servers of their own."""
    ports = replace(Ports.free(), witness=0)
    choices = Choices(allow_private=["127.0.0.1/32"], settings=QUICK)
    with tempfile.TemporaryDirectory(prefix="chenu-faults-") as folder:
        state = Path(folder)
        with running_backends(state) as backends:
            # `provision` runs loops of its own, which this one does not bear in its thread.
            environment = await asyncio.to_thread(provision, state, backends, ports, choices)
            simulator = serving("127.0.0.1", ports.simulator)
            async with simulator, Stage(environment, state, backends) as started:
                yield started


@pytest.fixture
async def me(stage: Stage) -> Client:
    """A person of the test's own."""
    return await stage.register()
