"""Waiting for what must come, on a machine that may have ten other things to do."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

T = TypeVar("T")
PATIENCE: Final = float(os.environ.get("CHENU_TEST_PATIENCE", "45"))
"""Seconds. Only what fails takes so long; a test that hangs has 300."""


async def soon(look: Callable[[], Awaitable[T]], what: str, seconds: float = PATIENCE) -> T:
    """The first look that shows something; AssertionError after so many seconds."""
    clock = asyncio.get_running_loop().time
    end, pause = clock() + seconds, 0.01
    while not (seen := await look()):
        assert clock() < end, f"still not so: {what}"
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.05)
    return seen
