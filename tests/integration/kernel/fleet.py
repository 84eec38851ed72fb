"""The sample service as a whole, and whoever signs for audit."""

from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chenu.events.v1.source_service_pb2_grpc import SourceServiceStub
from kernel.receipts import TreeHead, VerifierKey
from kernel.service import Service
from tests.unit.kernel import sample
from tests.unit.kernel.sample import bearer

ORIGIN = "log.example"


class LogKey:
    """Stands in for audit: signs tree heads."""

    def __init__(self) -> None:
        self.private = Ed25519PrivateKey.generate()
        self.verifier = VerifierKey(ORIGIN, self.private.public_key().public_bytes_raw())

    def sign(self, head: TreeHead) -> str:
        from base64 import b64encode

        signature = self.private.sign(str(head).encode())
        line = b64encode(self.verifier.id + signature).decode()
        return f"{head}\n— {ORIGIN} {line}\n"


class Fleet:
    """The running sample service, and what a test needs to talk to it."""

    def __init__(self, service: Service[Any], servicer: sample.Servicer, issuer: sample.Issuer):
        self.service, self.servicer, self.issuer = service, servicer, issuer
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{service.port}")
        self.stub = sample.Stub(self.channel)
        self.source = SourceServiceStub(self.channel)
        self.audit = bearer("", issuer.service("audit"))


async def refused(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return error.value
