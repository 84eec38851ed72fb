"""Sends what is queued, and tries again for days; each channel by itself."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Final, NamedTuple

import structlog

from kernel.caller import Caller
from kernel.context import background
from kernel.database import Database, Record
from services.courier import channels, notifications
from services.courier.notifications import Tried
from services.courier.outlets import Outlets

_MOST_AT_ONCE: Final = 500
_MOST_FOR_A_TENANT: Final = 50
_log: Final = structlog.get_logger(component="notifier")


class _Claim(NamedTuple):
    """One attempt that is to be made, and what it takes."""

    owner: Caller
    channel: Record
    notification: Record
    sent: list[str]


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
        self._busy: Counter[str] = Counter()
        """Attempts under way, by tenant."""

    def wake(self) -> None:
        """There is something to send."""
        self._woken.set()

    async def run(self) -> None:
        """A background task of the service. Whoever does not answer holds up nobody else."""
        async with asyncio.TaskGroup() as sending:
            while True:
                if await self._begin(sending):
                    continue
                try:
                    async with asyncio.timeout(self._every):
                        await self._woken.wait()
                except TimeoutError:
                    pass
                self._woken.clear()

    async def send_due(self) -> int:
        """Try all that is due, side by side, to the end; how much there was."""
        async with asyncio.TaskGroup() as sending:
            return await self._begin(sending)

    async def _begin(self, sending: asyncio.TaskGroup) -> int:
        """Claim what is due, and go on to send it; how much that is."""
        if self._busy.total() >= _MOST_AT_ONCE:
            return 0
        busy = [tenant for tenant, many in self._busy.items() if many >= _MOST_FOR_A_TENANT]
        async with self._worker.work() as tx:
            rows = await notifications.due(tx, self.offset, busy)
        claims = await asyncio.gather(*(self._claim(row) for row in rows))
        begun = [claim for claim in claims if claim is not None]
        for claim in begun:
            self._busy[claim.owner.tenant] += 1
            sending.create_task(self._attempt(claim))
        return len(begun)

    async def _claim(self, due: Record) -> _Claim | None:
        """The right to make one attempt; None where there is none to be made, or it broke."""
        owner = Caller.system(service="courier", tenant=due["tenant"], identity=due["identity"])
        with background("courier.notify", owner):
            try:
                async with self._database.transaction(owner) as tx:
                    claimed = await notifications.claim(
                        tx, due["notification_id"], offset=self.offset, lease=self._lease
                    )
                    if claimed is None:
                        return None
                    channel = await channels.get(tx, claimed["channel_id"])
                    return _Claim(owner, channel, claimed, await notifications.sent(tx, claimed))
            except Exception as error:  # noqa: BLE001 - the others must not wait for this one
                _log.warning(
                    "attempt not made", notification=due["notification_id"], error=repr(error)
                )
                return None

    async def _attempt(self, claim: _Claim) -> None:
        """Send it, and note how that went."""
        notification_id = claim.notification["notification_id"]
        with background("courier.notify", claim.owner):
            try:
                await self._settle(claim, await self._send(claim))
            except Exception as error:  # noqa: BLE001 - its lease runs out, and it is tried again
                _log.warning("attempt not noted", notification=notification_id, error=repr(error))
            finally:
                self._busy -= Counter((claim.owner.tenant,))
                self.wake()  # something else about the same checkpoint may have waited for it

    async def _send(self, claim: _Claim) -> Tried:
        try:
            return await self._outlets.send(claim.channel, claim.notification, claim.sent)
        except Exception as error:  # noqa: BLE001 - it is tried again, as after any other failure
            notification_id = claim.notification["notification_id"]
            _log.error("sending broke", notification=notification_id, exc_info=error)
            return Tried("INTERNAL")

    async def _settle(self, claim: _Claim, tried: Tried) -> None:
        async with self._database.transaction(claim.owner) as tx:
            await notifications.settle(tx, claim.notification, tried, self.offset)
            if tried.gone:
                await channels.disable(tx, claim.channel["channel_id"], tried.reason)
