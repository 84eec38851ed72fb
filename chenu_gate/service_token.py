"""Who an executor is, said with its calls to governance: a token that its own key buys.

    key = signing_key(Path("letters.pem"))
    token = ServiceToken("letters", key, grpc.aio.insecure_channel(identity))
    channel = grpc.aio.insecure_channel(governance, interceptors=[token])
    reporter = OutcomeReporter(executions, work, OutcomeServiceStub(channel))

Identity knows the key by its public half, `letters.pub.pem` in its keys folder.
"""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode
from hashlib import sha256
from math import inf
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf.wrappers_pb2 import StringValue

_ISSUE = "/chenu.identity.v1.TokenService/IssueServiceToken"
_HEADER = "x-chenu-service-authorization"
_RENEW_SECONDS = 450.0  # a token lives 600


class ServiceToken(grpc.aio.UnaryUnaryClientInterceptor):
    """Sends the token of a registered service along, and gets the next one in time."""

    def __init__(self, service: str, key: Ed25519PrivateKey, identity: grpc.aio.Channel) -> None:
        # Field 1 of the request is the assertion, field 1 of the answer the token: a StringValue
        # reads and writes both, so no stub of identity is needed.
        self._issue: Any = identity.unary_unary(
            _ISSUE, StringValue.SerializeToString, StringValue.FromString
        )
        self._service, self._key = service, key
        self._token, self._issued = "", -inf

    async def intercept_unary_unary(
        self, continuation: Any, client_call_details: Any, request: Any
    ) -> Any:
        """The call, with the token in its metadata."""
        metadata = grpc.aio.Metadata(*(client_call_details.metadata or ()))
        metadata.add(_HEADER, f"Bearer {await self._current()}")
        return await continuation(client_call_details._replace(metadata=metadata), request)

    async def _current(self) -> str:
        now = time.monotonic()
        if now - self._issued > _RENEW_SECONDS:
            answer = await self._issue(StringValue(value=self._assertion()), timeout=10)
            self._token, self._issued = answer.value, now
        return self._token

    def _assertion(self) -> str:
        now = int(time.time())
        claims = {
            "iss": "chenu",
            "aud": "identity",
            "sub": self._service,
            "iat": now,
            "exp": now + 60,
            "jti": str(uuid4()),
        }
        headers = {"typ": "assertion+jwt", "kid": _key_id(self._key)}
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers=headers)


def signing_key(path: Path) -> Ed25519PrivateKey:
    """Read a PKCS 8 PEM file; TypeError where it holds no Ed25519 key."""
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError(f"{path} holds no Ed25519 key")
    return key


def _key_id(key: Ed25519PrivateKey) -> str:
    """The thumbprint of the public key (RFC 7638)."""
    x = _text(key.public_key().public_bytes_raw())
    jwk = {"crv": "Ed25519", "kty": "OKP", "x": x}
    return _text(sha256(json.dumps(jwk, separators=(",", ":")).encode()).digest())


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
