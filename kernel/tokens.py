"""Signed tokens: Ed25519 JWTs whose keys are known beforehand, by `kid` alone.

    key = SigningKey.load(settings.key_file)
    token = key.sign({"sub": "threads", "aud": "identity"}, typ="assertion+jwt", ttl=60)
    claims = await keys.verify(token, typ="access+jwt", audience="chenu")

A verified token is remembered by its full text until it expires. Headers that
would bring a key along (jku, x5u, jwk, ...) are refused, not ignored.
"""

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Self

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from jwt.utils import base64url_decode, base64url_encode

from kernel.context import new_id
from kernel.errors import Unauthenticated, Unavailable
from kernel.settings import SettingsError

ISSUER: Final = "chenu"
ALGORITHM: Final = "EdDSA"
MAX_TOKEN_BYTES: Final = 8192
LEEWAY_SECONDS: Final = 5
_REQUIRED: Final = ["iss", "aud", "sub", "exp", "iat", "jti"]
_CACHED: Final = 10_000
_REFRESH_SECONDS: Final = 3.0

Claims = Mapping[str, Any]


class TokenExpired(Unauthenticated):
    """The token was good once; get a new one."""

    reason = "TOKEN_EXPIRED"
    message = "the token has expired"


class SigningKey:
    """A private key in a file, and the tokens that it signs."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self.private = private
        self.jwk = public_jwk(private.public_key())
        self.kid = self.jwk["kid"]

    @classmethod
    def generate(cls, path: Path) -> Self:
        """Make a key and its file, readable by its owner only; never over an old one."""
        private = Ed25519PrivateKey.generate()
        pem = private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
        return cls(private)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a PKCS 8 PEM file; SettingsError where it holds no Ed25519 key."""
        with suppress(ValueError, TypeError):  # no PEM, one that is locked
            private = serialization.load_pem_private_key(path.read_bytes(), None)
            if isinstance(private, Ed25519PrivateKey):
                return cls(private)
        raise SettingsError(f"{path} holds no Ed25519 key")

    def sign(self, claims: Claims, *, typ: str, ttl: float) -> str:
        """A token with these claims; iss, iat, exp and jti are added unless given."""
        now = int(time.time())
        issued = {"iss": ISSUER, "iat": now, "exp": now + int(ttl), "jti": new_id(), **claims}
        headers = {"typ": typ, "kid": self.kid}
        return jwt.encode(issued, self.private, algorithm=ALGORITHM, headers=headers)

    def secret(self, purpose: str) -> bytes:
        """32 bytes derived from this key for a purpose, the same in every replica."""
        return sha256(purpose.encode() + b"\0" + self.private.private_bytes_raw()).digest()


class KeySet:
    """Public keys by `kid`, from a source that gives a JWKS document."""

    def __init__(self, source: Callable[[], Awaitable[str]]) -> None:
        self.source = source
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._verified: dict[tuple[str, str, str], Claims] = {}
        self.withdrawals = 0
        """How often keys went; what was believed before may be signed by one of them."""
        self._refreshed = 0.0
        self._lock = asyncio.Lock()

    async def verify(self, token: str, *, typ: str, audience: str) -> Claims:
        """The claims of a good token; Unauthenticated (or TokenExpired) for any other."""
        known = self._verified.get((token, typ, audience))
        if known is not None:
            if known["exp"] + LEEWAY_SECONDS > time.time():
                return known
            raise TokenExpired
        header = unverified_header(token)
        if header["typ"] != typ:
            raise Unauthenticated("the token is of another kind", typ=header["typ"])
        claims = decode(token, await self._key(header["kid"]), audience)
        if len(self._verified) >= _CACHED:
            del self._verified[next(iter(self._verified))]
        self._verified[token, typ, audience] = claims
        return claims

    def signer(self, token: str) -> str:
        """The public key (a JWK's `x`) that a token names, if it is known; else empty."""
        key = self._keys.get(unverified_header(token)["kid"])
        return public_jwk(key)["x"] if key is not None else ""

    async def refresh(self) -> None:
        """Read the source again; keys that it no longer names are forgotten, with their tokens."""
        keys = {
            jwk["kid"]: Ed25519PublicKey.from_public_bytes(base64url_decode(jwk["x"]))
            for jwk in json.loads(await self.source())["keys"]
            if jwk.get("kty") == "OKP" and jwk.get("crv") == "Ed25519"
        }
        if self._keys.keys() - keys.keys():
            self.withdrawals += 1
            self._verified.clear()
        self._keys = keys

    async def _key(self, kid: str) -> Ed25519PublicKey:
        if kid not in self._keys:
            async with self._lock:
                if kid not in self._keys and time.monotonic() > self._refreshed + _REFRESH_SECONDS:
                    await self._try_refresh()
                    self._refreshed = time.monotonic()
        if not self._keys:
            raise Unavailable("the keys that tokens are checked with are not available")
        if kid not in self._keys:
            raise Unauthenticated("the token is signed by an unknown key")
        return self._keys[kid]

    async def _try_refresh(self) -> None:
        try:
            await self.refresh()
        except Exception as error:
            if not self._keys:
                raise Unavailable("the keys that tokens are checked with cannot be read") from error


def unverified_header(token: str) -> dict[str, str]:
    """A token's header, refused unless it is exactly {alg: EdDSA, typ, kid}."""
    if len(token) > MAX_TOKEN_BYTES:
        raise Unauthenticated("the token is too long")
    return _header(token.partition(".")[0])


@lru_cache(maxsize=256)
def _header(segment: str) -> dict[str, str]:
    # The tokens of one key and kind have the same header, letter for letter.
    try:
        header = jwt.get_unverified_header(f"{segment}..")
    except jwt.PyJWTError:
        raise Unauthenticated("the token is malformed") from None
    texts = all(isinstance(v, str) and v.isascii() and v.isprintable() for v in header.values())
    if not texts or header.keys() != {"alg", "typ", "kid"} or header["alg"] != ALGORITHM:
        raise Unauthenticated("the token's header is not acceptable")
    return header


def public_jwk(public: Ed25519PublicKey) -> dict[str, str]:
    """A key as a JWKS holds it; its kid is the RFC 7638 thumbprint."""
    x = base64url_encode(public.public_bytes_raw()).decode()
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": x}
    thumbprint = sha256(json.dumps(jwk, sort_keys=True, separators=(",", ":")).encode()).digest()
    return jwk | {"kid": base64url_encode(thumbprint).decode(), "alg": ALGORITHM, "use": "sig"}


def decode(
    token: str, key: Ed25519PublicKey, audience: str, *, expired_too: bool = False
) -> Claims:
    """The claims of a token that this key signed; its header is the caller's to check."""
    options: Any = {"require": _REQUIRED, "strict_aud": True, "verify_exp": not expired_too}
    try:
        return jwt.decode(
            token, key, [ALGORITHM], options,
            audience=audience, issuer=ISSUER, leeway=LEEWAY_SECONDS,
        )  # fmt: skip
    except jwt.ExpiredSignatureError:
        raise TokenExpired from None
    except (jwt.PyJWTError, ValueError, TypeError):
        raise Unauthenticated("the token is not valid") from None
