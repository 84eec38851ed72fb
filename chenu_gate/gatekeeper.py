"""Everything an executor checks before it touches anything: permit, asker, tool, arguments.

    gatekeeper = Gatekeeper("threads", TOOLBOX, fetch_key_set)
    permitted = await gatekeeper.admit(token, action_bytes, asker=principal)

Offline but for the keys: they are fetched when a permit names one that is not known yet, and
once a minute, so that one that governance has withdrawn opens nothing any more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from chenu_gate.action import Principal
from chenu_gate.freezes import Freeze
from chenu_gate.keyring import Keyring, PermitKeysUnavailable
from chenu_gate.permit import (
    PermitForAnotherIdentity,
    PermitRefused,
    PermittedAction,
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
        self._executor, self._toolbox, self._now = executor, toolbox, now
        self._keyring = Keyring(fetch)

    async def admit(self, token: str, action_bytes: bytes, *, asker: Principal) -> PermittedAction:
        """The action, if the asker may have it executed here now.

        Raises Refused: PermitRefused, ActionRefused, ToolRefused or PermitKeysUnavailable.
        """
        permitted = verify(
            token,
            await self._keyring.for_permit(token),
            audience=self._executor,
            action_bytes=action_bytes,
            now=self._now(),
            freezes=self.freezes,
        )
        if permitted.action.principal != asker:
            raise PermitForAnotherIdentity
        self._toolbox.check(permitted.action)
        return permitted
