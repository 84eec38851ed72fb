"""The keys that sign tokens: files, of which one signs and the others still, or already, verify.

`<keys_dir>/tokens/<time made>.pem` is a private key, `<time made>.pub.pem` what
is left of one after its time. A new key is published for a while before it
signs, so that every service knows it when its first token comes; when it
begins to sign the one before it is retired, and is published until the overlap
has passed. Every replica reads the same folder and notices when it changes.
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

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kernel.tokens import SigningKey, public_jwk
from services.identity.key_files import PRIVATE, PUBLIC, load_public, make_private, write_public

_STAMP: Final = "%Y%m%dT%H%M%S.%fZ"
_SETTLED_SECONDS: Final = 0.05
_READ_ATTEMPTS: Final = 5


class _Key(NamedTuple):
    """A key of the folder; `private` is missing once its time is over."""

    public: Ed25519PublicKey
    private: SigningKey | None
    begins: datetime


class TokenKeys:
    """The keys in one folder."""

    def __init__(
        self, folder: Path, *, lead: timedelta, overlap: timedelta, offset: timedelta = timedelta()
    ) -> None:
        self._folder, self._lead, self._overlap, self._offset = folder, lead, overlap, offset
        self._read_at = 0.0
        self._keys: list[_Key] = []

    def ensure(self) -> None:
        """Make the first key where there is none; otherwise the folder may be read-only."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._privates():
            return
        with self._alone():
            if not self._privates():
                self._make()

    def rotate(self) -> tuple[str, datetime]:
        """Publish a further key; its kid, and when it begins to sign."""
        self.ensure()
        with self._alone():
            begins = self._make() + self._lead
            self._read_at = 0.0
            return public_jwk(self._known()[-1].public)["kid"], begins

    def retire(self) -> None:
        """Delete private keys whose time is over, and public ones whose overlap is."""
        if not os.access(self._folder, os.W_OK):
            return  # then whoever rotates elsewhere also retires
        with self._alone():
            self._read_at = 0.0
            published, signing = self.published(), self.signing.kid
            for path in self._privates():
                key = SigningKey.load(path)
                if key.kid == signing:
                    break  # the later ones have not begun
                write_public(key, path.with_name(path.name.removesuffix(PRIVATE) + PUBLIC))
                path.unlink()
            for path in self._publics():
                if public_jwk(load_public(path))["kid"] not in published:
                    path.unlink()

    @property
    def signing(self) -> SigningKey:
        """The key that signs now: the newest that has begun, or the only one."""
        privates = [key for key in self._known() if key.private is not None]
        now = self._now()
        begun = [key for key in privates if key.begins <= now]
        chosen = (begun[-1:] or privates)[0].private
        if chosen is None:
            raise LookupError("no key signs")
        return chosen

    def published(self) -> Mapping[str, Ed25519PublicKey]:
        """What tokens may be verified with, by kid, the newest first."""
        keys, now = self._known(), self._now()
        retired = [key.begins for key in keys[1:]]
        return {
            public_jwk(key.public)["kid"]: key.public
            for key, until in reversed([*zip(keys, [*retired, None], strict=True)])
            if until is None or now < until + self._overlap
        }

    async def key_set(self) -> str:
        """The JWKS document (RFC 7517)."""
        return json.dumps({"keys": [public_jwk(key) for key in self.published().values()]})

    def _now(self) -> datetime:
        return datetime.now(UTC) + self._offset

    def _known(self) -> list[_Key]:
        """The oldest first; read again when the folder may have changed since."""
        # A change within one tick of the file system's clock leaves no later time behind.
        if self._folder.stat().st_mtime + _SETTLED_SECONDS < self._read_at:
            return self._keys
        for attempt in range(_READ_ATTEMPTS):
            read_at = time.time()
            try:
                self._keys = self._read()
            except FileNotFoundError:  # retired between the listing and the reading
                if attempt + 1 == _READ_ATTEMPTS:
                    raise
            else:
                self._read_at = read_at
                break
        return self._keys

    def _read(self) -> list[_Key]:
        keys: dict[datetime, _Key] = {}
        for path in self._publics():
            keys[_made(path)] = _Key(load_public(path), None, _made(path) + self._lead)
        for path in self._privates():  # after the others: while one is retired both are there
            private = SigningKey.load(path)
            public = private.private.public_key()
            keys[_made(path)] = _Key(public, private, _made(path) + self._lead)
        return [keys[made] for made in sorted(keys)]

    def _privates(self) -> list[Path]:
        """The oldest first, since the names begin with the time."""
        return sorted(set(self._folder.glob(f"[0-9]*{PRIVATE}")) - set(self._publics()))

    def _publics(self) -> list[Path]:
        return sorted(self._folder.glob(f"[0-9]*{PUBLIC}"))

    def _make(self) -> datetime:
        made = self._now()
        for path in (*self._privates(), *self._publics()):  # newer, even if the clock went back
            made = max(made, _made(path) + timedelta(microseconds=1))
        make_private(self._folder / f"{made.strftime(_STAMP)}{PRIVATE}")
        return made

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time changes the folder."""
        with (self._folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _made(path: Path) -> datetime:
    stamp = path.name.removesuffix(PUBLIC).removesuffix(PRIVATE)
    return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
