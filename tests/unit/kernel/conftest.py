"""A sample service behind the kernel's server, on a port of its own."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from kernel.server import Server
from kernel.settings import SharedSettings
from kernel.tokens import KeySet, SigningKey
from tests.unit.kernel import sample


@dataclass
class Running:
    """The served sample, its stub without any token, and who issues tokens for it."""

    server: Server
    servicer: sample.Servicer
    stub: sample.Stub
    channel: grpc.aio.Channel
    issuer: sample.Issuer
    address: str
    keys: KeySet


@pytest.fixture
def issuer(tmp_path: Path) -> sample.Issuer:
    return sample.Issuer(SigningKey.generate(tmp_path / "identity.pem"))


@pytest.fixture
async def running(issuer: sample.Issuer) -> AsyncIterator[Running]:
    keys, servicer = issuer.key_set(), sample.Servicer()
    server = Server("sample", keys, None)
    server.add(sample.add_servicer, servicer)
    port = await server.start("127.0.0.1:0", SharedSettings())
    address = f"127.0.0.1:{port}"
    async with grpc.aio.insecure_channel(address) as channel:
        yield Running(server, servicer, sample.Stub(channel), channel, issuer, address, keys)
    await server.drain(0, 0)
