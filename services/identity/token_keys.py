"""The keys that sign tokens: files, of which the newest signs and the others still verify.

`<keys_dir>/tokens/<time made>.pem` is a private key, `<time made>.pub.pem` what
is left of one after its rotation. A key is retired when the next one is made,
and is published until the overlap has passed. Every replica reads the same
folder and notices by itself when it changes.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kernel.tokens import SigningKey, public_jwk

_STAMP: Final = "%Y%m%dT%H%M%S.%fZ"
_PRIVATE: Final = ".pem"
_PUBLIC: Final = ".pub.pem"
_SETTLED_SECONDS: Final = 0.05
_READ_ATTEMPTS: Final = 5


class _Known(NamedTuple):
    public: Ed25519PublicKey
    retired: datetime | None


class TokenKeys:
    """The keys in one folder."""

    def __init__(self, folder: Path, overlap: timedelta, offset: timedelta = timedelta()) -> None:
        self._folder, self._overlap, self._offset = folder, overlap, offset
        self._read_at = 0.0
        self._signing: SigningKey
        self._known: dict[str, _Known] = {}

    def ensure(self) -> None:
        """Make the first key where there is none; otherwise the folder may be read-only."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._privates():
            return
        with self._alone():
            if not self._privates():
                self._make()

    def rotate(self) -> tuple[str, str]:
        """Sign with a new key from now on; returns the kids of the old and of the new one.

        The private half of the old key is deleted, and so are the public halves
        whose overlap has passed.
        """
        self.ensure()
        with self._alone():
            old = self.signing.kid
            self._make()
            for path in self._privates()[:-1]:
                self._keep_public_half(path)
            self._read_at = 0.0
            new, published = self.signing.kid, self.published()
            for path in self._publics():
                if public_jwk(load_public(path))["kid"] not in published:
                    path.unlink()
        return old, new

    @property
    def signing(self) -> SigningKey:
        """The key that signs now."""
        self._refresh()
        return self._signing

    def published(self) -> Mapping[str, Ed25519PublicKey]:
        """What tokens may be verified with, by kid, the newest first."""
        self._refresh()
        since = datetime.now(UTC) + self._offset - self._overlap
        return {
            kid: key.public
            for kid, key in self._known.items()
            if key.retired is None or key.retired > since
        }

    async def key_set(self) -> str:
        """The JWKS document (RFC 7517)."""
        return json.dumps({"keys": [public_jwk(key) for key in self.published().values()]})

    def _refresh(self) -> None:
        """Read the folder again if it may have changed since it was read."""
        # A change within one tick of the file system's clock leaves no later time behind.
        if self._folder.stat().st_mtime + _SETTLED_SECONDS < self._read_at:
            return
        for attempt in range(_READ_ATTEMPTS):
            read_at = time.time()
            try:
                self._known, self._signing = self._read(), SigningKey.load(self._privates()[-1])
            except FileNotFoundError:  # rotated between the listing and the reading
                if attempt + 1 == _READ_ATTEMPTS:
                    raise
            else:
                self._read_at = read_at
                return

    def _read(self) -> dict[str, _Known]:
        """By kid, the newest first. During a rotation both halves of a key may be there."""
        keys = {_made(p): SigningKey.load(p).private.public_key() for p in self._privates()}
        keys |= {_made(p): load_public(p) for p in self._publics()}
        known: dict[str, _Known] = {}
        retired: datetime | None = None
        for made in sorted(keys, reverse=True):
            known[public_jwk(keys[made])["kid"]] = _Known(keys[made], retired)
            retired = made
        return known

    def _privates(self) -> list[Path]:
        """The oldest first, since the names begin with the time."""
        return sorted(set(self._folder.glob(f"[0-9]*{_PRIVATE}")) - set(self._publics()))

    def _publics(self) -> list[Path]:
        return sorted(self._folder.glob(f"[0-9]*{_PUBLIC}"))

    def _make(self) -> None:
        made = datetime.now(UTC) + self._offset
        for path in (
            *self._privates(),
            *self._publics(),
        ):  # the newest, even if the clock went back
            made = max(made, _made(path) + timedelta(microseconds=1))
        path = self._folder / f"{made.strftime(_STAMP)}{_PRIVATE}"
        unfinished = path.with_suffix(".new")
        SigningKey.generate(unfinished)
        _finish(unfinished, path)

    def _keep_public_half(self, private: Path) -> None:
        public = private.with_name(private.name.removesuffix(_PRIVATE) + _PUBLIC)
        write_public(SigningKey.load(private), public)
        private.unlink()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time changes the folder."""
        with (self._folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def write_public(key: SigningKey, path: Path) -> None:
    """The public half as a PEM file, whole or not at all."""
    pem = key.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    unfinished = path.with_suffix(".new")
    unfinished.write_bytes(pem)
    _finish(unfinished, path)


def _finish(unfinished: Path, path: Path) -> None:
    """Give a file its name; both it and its name must outlast a power cut."""
    _sync(unfinished)
    unfinished.rename(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _made(path: Path) -> datetime:
    stamp = path.name.removesuffix(_PUBLIC).removesuffix(_PRIVATE)
    return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)


def load_public(path: Path) -> Ed25519PublicKey:
    """Read a public PEM file; ValueError or TypeError where it holds no Ed25519 key."""
    key = serialization.load_pem_public_key(path.read_bytes())
    if not isinstance(key, Ed25519PublicKey):
        raise TypeError(f"{path} holds no Ed25519 key")
    return key
