"""Sends what is queued, and tries again for days; each channel by itself."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

import structlog

from kernel.caller import Caller
from kernel.context import background
from kernel.database import Database, Record
from services.courier import channels, notifications
from services.courier.notifications import Tried
from services.courier.outlets import Outlets

_log: Final = structlog.get_logger(component="notifier")


class Notifier:
    """Several may run: each attempt is claimed in the database before it is made."""

    def __init__(
        self,
        database: Database,
        worker: Database,
        outlets: Outlets,
        *,
        every: float,
        lease: timedelta,
        offset: timedelta = timedelta(0),
    ) -> None:
        self._database, self._worker, self._outlets = database, worker, outlets
        self._every, self._lease = every, lease
        self.offset = offset
        """How far its clock is ahead of the database's."""
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """There is something to send."""
        self._woken.set()

    async def run(self) -> None:
        """A background task of the service."""
        while True:
            if await self.send_due():
                continue
            try:
                async with asyncio.timeout(self._every):
                    await self._woken.wait()
            except TimeoutError:
                pass
            self._woken.clear()

    async def send_due(self) -> int:
        """Try all that is due, side by side; how much there was."""
        async with self._worker.work() as tx:
            rows = await notifications.due(tx, self.offset)
        made = await asyncio.gather(*(self._attempt(row) for row in rows))
        return sum(made)

    async def _attempt(self, due: Record) -> bool:
        """Whether an attempt was made and noted."""
        owner = Caller.system(service="courier", tenant=due["tenant"], identity=due["identity"])
        with background("courier.notify", owner):
            try:
                return await self._one(owner, due["notification_id"])
            except Exception as error:  # noqa: BLE001 - the others must not wait for this one
                _log.warning(
                    "attempt not noted", notification=due["notification_id"], error=repr(error)
                )
                return False

    async def _one(self, owner: Caller, notification_id: str) -> bool:
        async with self._database.transaction(owner) as tx:
            claimed = await notifications.claim(
                tx, notification_id, offset=self.offset, lease=self._lease
            )
            if claimed is None:
                return False
            channel = await channels.get(tx, claimed["channel_id"])
            sent = await notifications.sent(tx, claimed)
        try:
            tried = await self._outlets.send(channel, claimed, sent)
        except Exception as error:  # noqa: BLE001 - it is tried again, as after any other failure
            _log.error("sending broke", notification=notification_id, exc_info=error)
            tried = Tried("INTERNAL")
        async with self._database.transaction(owner) as tx:
            await notifications.settle(tx, claimed, tried, self.offset)
            if tried.gone:
                await channels.disable(tx, channel["channel_id"], tried.reason)
        self.wake()  # something else about the same checkpoint may have waited for it
        return True
