"""Everything an executor checks before it touches anything: permit, asker, tool, arguments.

    gatekeeper = Gatekeeper("threads", TOOLBOX, fetch_key_set)
    permitted = await gatekeeper.admit(token, action_bytes, asker=principal)

Offline but for the keys: they are fetched when a permit names one that is not known yet.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from chenu_gate.action import Principal
from chenu_gate.freezes import Freeze
from chenu_gate.permit import (
    PermitForAnotherIdentity,
    PermitRefused,
    PermittedAction,
    key_id,
    permit_keys,
    verify,
)
from chenu_gate.refusal import ActionRefused, Refused
from chenu_gate.tools import Toolbox, ToolRefused

__all__ = [
    "ActionRefused",
    "Gatekeeper",
    "PermitKeysUnavailable",
    "PermitRefused",
    "Refused",
    "ToolRefused",
]

# A forged key id must not make us ask governance each time.
REFRESH_SECONDS = 3.0


class PermitKeysUnavailable(Refused):
    """Governance's public keys cannot be had now; try again."""

    code = "UNAVAILABLE"
    reason = "UNAVAILABLE"

    def __init__(self) -> None:
        super().__init__("the keys that permits are checked with are not available")


class Gatekeeper:
    """Admits what one executor may do now.

    `freezes` are those that this executor has heard of: permits minted before them are void.
    `fetch` returns governance's key set as JWKS text.
    """

    def __init__(
        self,
        executor: str,
        toolbox: Toolbox,
        fetch: Callable[[], Awaitable[str]],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.freezes: tuple[Freeze, ...] = ()
        self._executor, self._toolbox, self._fetch, self._now = executor, toolbox, fetch, now
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._fetched = float("-inf")
        self._lock = asyncio.Lock()

    async def admit(self, token: str, action_bytes: bytes, *, asker: Principal) -> PermittedAction:
        """The action, if the asker may have it executed here now.

        Raises Refused: PermitRefused, ActionRefused, ToolRefused or PermitKeysUnavailable.
        """
        await self._know(key_id(token))
        permitted = verify(
            token,
            self._keys,
            audience=self._executor,
            action_bytes=action_bytes,
            now=self._now(),
            freezes=self.freezes,
        )
        if permitted.action.principal != asker:
            raise PermitForAnotherIdentity
        self._toolbox.check(permitted.action)
        return permitted

    async def refresh(self) -> None:
        """Read the key set again; keys that it no longer names are forgotten."""
        self._fetched = time.monotonic()
        self._keys = permit_keys(json.loads(await self._fetch()))

    async def _know(self, kid: str) -> None:
        """Fetch the keys where this one is unknown, not more often than every few seconds."""
        if kid in self._keys:
            return
        async with self._lock:
            if kid not in self._keys and time.monotonic() >= self._fetched + REFRESH_SECONDS:
                try:
                    await self.refresh()
                except Exception as error:
                    self._fetched = float("-inf") if not self._keys else self._fetched
                    raise PermitKeysUnavailable from error
