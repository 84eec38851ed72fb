"""A stream of checkpoints as they are made and change."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Final

from chenu.governance.v1.checkpoint_pb2 import Checkpoint
from chenu.governance.v1.checkpoint_service_pb2 import WatchCheckpointsRequest
from kernel.caller import Caller
from kernel.pagination import PageTokens
from kernel.watching import POLL_SECONDS, Changes
from services.governance.review.checkpoints import Checkpoints

# Page tokens are bound to their request; cursors go from one watch to the next.
_BOUND_TO: Final = WatchCheckpointsRequest()


class Watch:
    """Follows changes for a bounded time; the cursor of one stream is where the next goes on."""

    def __init__(
        self,
        checkpoints: Checkpoints,
        pages: PageTokens,
        changes: Changes,
        stopping: asyncio.Event,
        *,
        seconds: float,
        heartbeat: float,
    ) -> None:
        self._checkpoints, self._pages, self._changes = checkpoints, pages, changes
        self._stopping, self._seconds, self._heartbeat = stopping, seconds, heartbeat

    async def follow(
        self, caller: Caller, cursor: str
    ) -> AsyncIterator[tuple[Checkpoint | None, str]]:
        """Each change with the cursor to go on from; None in place of a change is a heartbeat."""
        decoded = self._pages.decode(cursor, _BOUND_TO)
        since = str(decoded["snapshot"]) if decoded else ""
        end = time.monotonic() + min(self._seconds, caller.claims["exp"] - time.time())
        heard = 0.0
        while not self._stopping.is_set() and time.monotonic() < end:
            changed, snapshot = await self._checkpoints.changed(caller, since)
            reached = self._pages.encode({"snapshot": snapshot}, _BOUND_TO)
            for position, checkpoint in enumerate(changed, 1):
                # Before the last of them, going on means getting the others again.
                yield checkpoint, reached if position == len(changed) else cursor
            if not changed and time.monotonic() - heard >= self._heartbeat:
                yield None, reached
                heard = time.monotonic()
            if changed:
                heard = time.monotonic()
            since, cursor = snapshot, reached
            await self._changes.wait(caller.tenant, POLL_SECONDS)
