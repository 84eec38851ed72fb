"""The keys that sign permits, and the signing: in memory, from files that rotate.

A folder of PEM files: `current.pem` signs, all others are only published. To rotate, rename
`current.pem` (a permit lives for seconds, so minutes later the old one can go) and put the
next key in its place; the folder is read again every few seconds.
"""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from chenu_gate.action import Action
from chenu_gate.permit import LIFETIME, Permit, PermitRefused, key_id, mint
from kernel.context import new_id
from kernel.tokens import SigningKey

CURRENT: Final = "current.pem"
RELOAD_SECONDS: Final = 5.0


class PermitKeys:
    """What signs permits now, and what is published to verify them."""

    def __init__(self, folder: Path, lifetime: timedelta = LIFETIME) -> None:
        self._folder, self._lifetime = folder, lifetime
        self._signing, self.jwks = _read(folder)

    @classmethod
    def open(cls, folder: Path, lifetime: timedelta = LIFETIME) -> PermitKeys:
        """The keys of a folder; the first key is made where there is none."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (folder / CURRENT).exists():
            _make_first(folder)
        return cls(folder, lifetime)

    def permit(
        self, action: Action, decision_id: str, freeze_epoch: int, issued_at: datetime
    ) -> tuple[str, datetime]:
        """A fresh permit to execute the decision, and the end of its seconds.

        They begin at the moment that was read before the freezes were: however late it is
        signed, it is over in time for what committed after that.
        """
        # The real time, not the clock of checkpoints: executors go by theirs.
        permit = Permit.for_action(
            action,
            permit_id=new_id(),
            decision=decision_id,
            freeze_epoch=freeze_epoch,
            now=min(issued_at, datetime.now(UTC)),
            lifetime=self._lifetime,
        )
        return mint(permit, self._signing.private, self._signing.kid), permit.expires_at

    def key_of(self, token: str) -> str:
        """The public key (a JWK's `x`) that a permit names, if it is still known; else empty."""
        try:
            kid = key_id(token)
        except PermitRefused:
            return ""
        keys = json.loads(self.jwks)["keys"]
        return next((str(jwk["x"]) for jwk in keys if jwk["kid"] == kid), "")

    async def reload(self) -> None:
        """Read the folder again; where that fails, things stay as they were."""
        self._signing, self.jwks = await asyncio.to_thread(_read, self._folder)

    async def reload_forever(self) -> None:
        """A background task of the service."""
        while True:
            await asyncio.sleep(RELOAD_SECONDS)
            await self.reload()


def _read(folder: Path) -> tuple[SigningKey, str]:
    keys = {path.name: SigningKey.load(path) for path in sorted(folder.glob("*.pem"))}
    return keys[CURRENT], json.dumps({"keys": [key.jwk for key in keys.values()]})


def _make_first(folder: Path) -> None:
    """Of several processes that start at once, one makes the key that all then use."""
    made = folder / f".{new_id()}"
    SigningKey.generate(made)
    try:
        os.link(made, folder / CURRENT)
    except FileExistsError:
        return
    finally:
        made.unlink()
