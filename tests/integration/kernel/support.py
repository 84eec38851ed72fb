"""What the kernel's integration tests share."""

import asyncio
from dataclasses import dataclass

from kernel.caller import Caller
from kernel.context import new_id
from tests.support.waiting import PATIENCE


@dataclass(frozen=True)
class Urls:
    """How to reach the schema `sample`."""

    app: str
    worker: str
    admin: str


def someone() -> Caller:
    """A caller with ids of its own."""
    return Caller(tenant=new_id(), person=new_id(), identity=new_id(), actor="human")


async def until(condition: object, seconds: float = PATIENCE) -> None:
    """Wait until an async or plain condition holds."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        held = condition()  # type: ignore[operator]
        if asyncio.iscoroutine(held):
            held = await held
        if held:
            return
        assert asyncio.get_running_loop().time() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)
