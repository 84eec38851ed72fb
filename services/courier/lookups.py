"""Names looked up in threads, of which nobody has more than a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from socket import SOCK_STREAM, getaddrinfo
from typing import Any, Final
from weakref import WeakValueDictionary

from kernel.context import call_in_hand
from services.courier.addresses import Address

_THREADS: Final = 32
_FOR_ONE_TENANT: Final = 4
_SECONDS: Final = 3.0


class Lookups:
    """A lookup cannot be ended, only left alone: its thread is lost until the resolver gives up.

    Whose name servers do not answer keeps their own tenant waiting, and not everybody.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="lookup")
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def find(self, host: str, port: int) -> Sequence[Address]:
        """The host's addresses; OSError where there are none, TimeoutError after 3 s."""
        call = call_in_hand()
        tenant = call.caller.tenant if call else ""
        turns = self._turns.setdefault(tenant, asyncio.Semaphore(_FOR_ONE_TENANT))
        async with asyncio.timeout(_SECONDS):
            await turns.acquire()
            lookup = asyncio.get_running_loop().run_in_executor(
                self._threads, getaddrinfo, host, port, 0, SOCK_STREAM
            )

            def ended(found: asyncio.Future[Any]) -> None:
                turns.release()
                if not found.cancelled():
                    found.exception()  # nobody may be waiting for it any more

            lookup.add_done_callback(ended)
            return [ip_address(entry[4][0]) for entry in await asyncio.shield(lookup)]
