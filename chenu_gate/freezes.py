"""Freezes as an executor knows them: which permits are void before their seconds are over.

    freezes = FreezeWatch(gatekeeper, fetch)
    task = asyncio.create_task(freezes.run())          # polls; `refresh` when something says so

An executor that hears of no freeze is stopped all the same, by the end of the permits' life:
that is the `effective_time` that a freeze is answered with. One that listens stops at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from chenu.governance.v1.freeze_pb2 import FreezeScope
from chenu.governance.v1.freeze_service_pb2 import FreezeInForce, GetFreezeStateResponse
from chenu_gate.action import Action

_log = logging.getLogger(__name__)
POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Freeze:
    """A stop: permits of a lower epoch are void for every action that it covers.

    `scope` is tenant, agent, tool, kind or all; `tenant` is whose it is.
    """

    scope: str
    value: str
    tenant: str
    epoch: int

    def covers(self, action: Action) -> bool:
        """Whether the action is of what was stopped."""
        if self.scope == "all":
            return True
        named = {
            "tenant": "",
            "agent": action.principal.agent,
            "tool": action.tool.name,
            "kind": action.kind.value,
        }
        # A scope that is not known here stops all of the tenant rather than nothing.
        named_so = named.get(self.scope, self.value) == self.value
        return self.tenant == action.principal.tenant and named_so


class Frozen(Protocol):
    """What is told of freezes: a `Gatekeeper`."""

    freezes: tuple[Freeze, ...]


class FreezeWatch:
    """Keeps a gatekeeper's freezes as governance has them."""

    def __init__(
        self,
        gatekeeper: Frozen,
        fetch: Callable[[], Awaitable[GetFreezeStateResponse]],
        *,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._gatekeeper, self._fetch, self._poll_seconds = gatekeeper, fetch, poll_seconds

    async def refresh(self, _hint: bytes = b"") -> None:
        """Ask governance now; a wake-up can be handed straight to this."""
        self._gatekeeper.freezes = freezes((await self._fetch()).freezes)

    async def run(self) -> None:
        """Ask every second until cancelled. What was heard stays, while governance is away."""
        while True:
            try:
                await self.refresh()
            except Exception as error:  # noqa: BLE001 - the permits' life stops what this misses
                _log.warning("freezes not known: %s", type(error).__name__)
            await asyncio.sleep(self._poll_seconds)


def freezes(told: Iterable[FreezeInForce]) -> tuple[Freeze, ...]:
    """The freezes in governance's answer."""
    return tuple(
        Freeze(
            FreezeScope.Name(one.scope).removeprefix("FREEZE_SCOPE_").lower(),
            one.value,
            one.tenant_id,
            one.epoch,
        )
        for one in told
    )
