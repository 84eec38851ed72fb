"""Endpoints' signing secrets: made here, shown once, encrypted wherever they rest."""

import hmac
import os
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = 32
_NONCE_BYTES: Final = 12


class VaultKeyMissing(Exception):
    """No key that is known here opens the secret."""


class Vault:
    """Seals and opens secrets. The first key seals; all of them open, so that keys can change.

    A sealed secret opens only for the endpoint that it was sealed for.
    """

    def __init__(self, keys: list[bytes]) -> None:
        if not keys or any(len(key) != 32 for key in keys):
            raise ValueError("a vault needs keys of 32 bytes")
        self._counted_by = hmac.digest(keys[0], b"fingerprints", "sha256")
        self._ciphers = {sha256(key).digest()[:4]: AESGCM(key) for key in keys}

    @classmethod
    def open_file(cls, path: Path) -> Self:
        """The keys in a file, base64, one a line; a file with a new key where there is none."""
        if not path.exists():
            line = b64encode(os.urandom(32)) + b"\n"
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(line)
        return cls([b64decode(line) for line in path.read_bytes().split()])

    def new_secret(self) -> str:
        """A secret in the form of Standard Webhooks."""
        return PREFIX + b64encode(os.urandom(_SECRET_BYTES)).decode()

    def seal(self, secret: str, endpoint_id: str) -> bytes:
        """Key id, nonce and ciphertext."""
        key_id, cipher = next(iter(self._ciphers.items()))
        nonce = os.urandom(_NONCE_BYTES)
        return key_id + nonce + cipher.encrypt(nonce, secret.encode(), endpoint_id.encode())

    def fingerprint(self, text: str) -> bytes:
        """What stands for a text that is only counted; without the key it tells nothing."""
        return hmac.digest(self._counted_by, text.encode(), "sha256")

    def unseal(self, sealed: bytes, endpoint_id: str) -> str:
        """The secret; VaultKeyMissing where it cannot be had."""
        key_id, nonce = sealed[:4], sealed[4 : 4 + _NONCE_BYTES]
        try:
            plain = self._ciphers[key_id].decrypt(
                nonce, sealed[4 + _NONCE_BYTES :], endpoint_id.encode()
            )
        except (KeyError, InvalidTag):
            raise VaultKeyMissing(f"the secret of endpoint {endpoint_id}") from None
        return plain.decode()
