"""Governance's public keys at hand, for whoever checks permits."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable

from chenu_gate.permit import PermitKeys, key_id, permit_keys
from chenu_gate.refusal import Refused

# A forged key id must not make us ask governance each time.
REFRESH_SECONDS = 3.0
KEYS_SECONDS = 60.0
"""For so long keys are believed unasked: governance may have withdrawn one."""
_PATIENCE_SECONDS = 1.0  # whose key is known waits no longer for governance, and goes on with it


class PermitKeysUnavailable(Refused):
    """Governance's public keys cannot be had now; try again."""

    code = "UNAVAILABLE"
    reason = "UNAVAILABLE"

    def __init__(self) -> None:
        super().__init__("the keys that permits are checked with are not available")


class Keyring:
    """The key set, fetched when a permit names a key that is not known yet, or known for long.

    `fetch` returns it as JWKS text. While governance is away, known keys go on being believed.
    """

    def __init__(self, fetch: Callable[[], Awaitable[str]]) -> None:
        self._fetch = fetch
        self._keys: PermitKeys = {}
        self._fetched = self._read = float("-inf")
        self._lock = asyncio.Lock()

    async def for_permit(self, token: str) -> PermitKeys:
        """The keys to check this permit with; raises PermitRefused or PermitKeysUnavailable."""
        await self._know(key_id(token))
        return self._keys

    async def refresh(self) -> None:
        """Read the key set again; keys that it no longer names are forgotten."""
        self._fetched = time.monotonic()
        self._keys = permit_keys(json.loads(await self._fetch()))
        self._read = time.monotonic()

    async def _know(self, kid: str) -> None:
        """Fetch the keys unless this one is known, not more often than every few seconds."""
        if self._knows(kid):
            return
        async with self._lock:
            if self._knows(kid) or time.monotonic() < self._fetched + REFRESH_SECONDS:
                return
            known = kid in self._keys
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS if known else None):
                    await self.refresh()
            except Exception as error:
                self._fetched = float("-inf") if not self._keys else self._fetched
                if not known:
                    raise PermitKeysUnavailable from error

    def _knows(self, kid: str) -> bool:
        return kid in self._keys and time.monotonic() < self._read + KEYS_SECONDS
