"""What a service proves itself with: its own token, and mutual TLS."""

import asyncio
import datetime as dt
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from google.protobuf.wrappers_pb2 import StringValue

from kernel.channels import Channels, open_channel
from kernel.context import background
from kernel.server import Server
from kernel.settings import SharedSettings
from kernel.tokens import SigningKey
from tests.support.waiting import PATIENCE
from tests.unit.kernel import sample
from tests.unit.kernel.conftest import Running
from tests.unit.kernel.sample import Request


class Identity:
    """Trades assertions for service tokens, as identity does."""

    def __init__(self, issuer: sample.Issuer) -> None:
        self.issuer, self.assertions = issuer, list[dict[str, Any]]()

    async def start(self, key: SigningKey) -> tuple[grpc.aio.Server, int]:
        import jwt

        async def issue(request: StringValue, _: Any) -> StringValue:
            public = key.private.public_key()
            claims = jwt.decode(request.value, public, ["EdDSA"], audience="identity")
            self.assertions.append(claims)
            return StringValue(value=self.issuer.service(claims["sub"]))

        handler = grpc.unary_unary_rpc_method_handler(
            issue, StringValue.FromString, StringValue.SerializeToString
        )
        server = grpc.aio.server()
        generic = grpc.method_handlers_generic_handler(
            "chenu.identity.v1.TokenService", {"IssueServiceToken": handler}
        )
        server.add_generic_rpc_handlers((generic,))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        return server, port


async def test_a_service_trades_its_key_for_a_token_once(running: Running, tmp_path: Path) -> None:
    key, identity = SigningKey.generate(tmp_path / "own.pem"), Identity(running.issuer)
    server, port = await identity.start(key)
    settings = SharedSettings(threads_address=running.address, identity_address=f"127.0.0.1:{port}")
    channels = Channels(settings, "courier", key)
    stub = sample.Stub(channels.channel("threads"))
    with background("test"):
        for _ in range(3):
            await stub.Echo(Request())
        assert len(identity.assertions) == 1
        credentials: Any = channels.credentials
        credentials._renewed -= 451
        await asyncio.gather(*(stub.Echo(Request()) for _ in range(5)))
        assert len(identity.assertions) == 2
        await server.stop(0)
        credentials._renewed -= 451  # identity is away, and the token is good for a while
        await stub.Echo(Request())
        credentials._renewed -= 140
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.Echo(Request())
    assert [c.service for c in running.servicer.callers] == ["courier"] * 9
    assert identity.assertions[0]["exp"] - identity.assertions[0]["iat"] == 60
    assert len({a["jti"] for a in identity.assertions}) == 2
    await channels.close()


async def test_while_one_asks_for_the_next_token_the_others_go_on_with_the_last(
    running: Running, tmp_path: Path
) -> None:
    key, identity = SigningKey.generate(tmp_path / "own.pem"), Identity(running.issuer)
    server, port = await identity.start(key)
    channels = Channels(SharedSettings(identity_address=f"127.0.0.1:{port}"), "courier", key)
    credentials: Any = channels.credentials
    first = await credentials()
    credentials._renewed -= 451
    async with credentials._lock:  # as by one who waits for identity's answer
        assert await asyncio.wait_for(credentials(), PATIENCE) == first
    assert await credentials() != first
    await channels.close()
    await server.stop(0)


def certificate(name: str, signer: Any = None) -> tuple[Any, Any]:
    """A key and a certificate for 127.0.0.1, signed by the signer or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    issuer = signer[1].subject if signer else subject
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(signer[0] if signer else key, hashes.SHA256())
    )
    return key, made


def tls_settings(folder: Path, authority: Any, pair: Any) -> dict[str, Any]:
    """The three files, as settings."""
    folder.mkdir()
    paths = {
        name: folder / f"{name}.pem"
        for name in ("tls_ca_file", "tls_certificate_file", "tls_key_file")
    }
    pem = serialization.Encoding.PEM
    paths["tls_ca_file"].write_bytes(authority[1].public_bytes(pem))
    paths["tls_certificate_file"].write_bytes(pair[1].public_bytes(pem))
    paths["tls_key_file"].write_bytes(
        pair[0].private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


async def test_with_mutual_tls_only_our_own_certificates_get_in(
    issuer: sample.Issuer, tmp_path: Path
) -> None:
    ours, theirs = certificate("our authority"), certificate("another authority")
    good = SharedSettings(**tls_settings(tmp_path / "a", ours, certificate("threads", ours)))
    bad = SharedSettings(**tls_settings(tmp_path / "b", ours, certificate("mallory", theirs)))
    server, servicer = Server("sample", issuer.key_set(), None), sample.Servicer()
    server.add(sample.add_servicer, servicer)
    address = f"127.0.0.1:{await server.start('127.0.0.1:0', good)}"
    for settings, admitted in ((good, True), (bad, False), (SharedSettings(), False)):
        async with open_channel(address, settings) as channel:
            call = sample.Stub(channel).Public(Request(text="t"), timeout=30)
            if admitted:
                assert (await call).text == "t"
            else:
                with pytest.raises(grpc.aio.AioRpcError):
                    await call
    await server.drain(0, 0)
