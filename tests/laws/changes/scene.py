"""Somebody who changes things, and all hands that may act for them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tests.laws.hands import Hands
from tests.support.fleet import Client
from tests.support.receiver import Receiver

Call = Callable[[], Awaitable[Any]]
Prepare = Callable[["Scene"], Awaitable[Call]]
"""Sets a change up, and returns the call that makes it: it may be made again after it failed."""


@dataclass(frozen=True)
class Scene:
    """What a change takes."""

    me: Client
    hands: Hands
    superuser: Any
    outside: Receiver

    def stub(self, kind: Any, service: str) -> Any:
        return kind(self.me.fleet.channel(service))


async def whole(stream: Any) -> list[Any]:
    """All that a stream sends."""
    return [answer async for answer in stream]
