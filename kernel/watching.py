"""Wake-ups inside a process, for streams that watch something.

    changes = Changes()
    changes.notify(thread_id)                       # after the commit
    while not service.stopping.is_set():
        await changes.wait(thread_id, timeout=POLL_SECONDS)
        ...read what is new since the cursor and yield it...

Only a hint: another process may have made the change, so the timeout's poll is
the truth.
"""

import asyncio
from typing import Final

POLL_SECONDS: Final = 0.5


class Changes:
    """Who waits for which key."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}

    def notify(self, key: str) -> None:
        """Wake all that wait for the key now."""
        for event in self._waiting.get(key, ()):
            event.set()

    async def wait(self, key: str, timeout: float = POLL_SECONDS) -> bool:
        """Until the key is notified (True) or the time is over."""
        event = asyncio.Event()
        waiting = self._waiting.setdefault(key, set())
        waiting.add(event)
        try:
            async with asyncio.timeout(timeout):
                await event.wait()
        except TimeoutError:
            return False
        else:
            return True
        finally:
            waiting.discard(event)
            if not waiting and self._waiting.get(key) is waiting:
                del self._waiting[key]
