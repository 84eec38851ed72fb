"""What came before a question that people are asked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from chenu_gate.action import Action
from kernel.caller import Caller
from kernel.database import Database
from kernel.grouped_write import GroupedWriter
from services.governance.clock import Clock
from services.governance.errors import AskedTooOften
from services.governance.policy.today import Likes, start_of_day

WINDOW: Final = timedelta(hours=1)


class Asking:
    """Reads it for all questions of a plan by one statement, `governance.before`."""

    def __init__(self, database: Database, clock: Clock, asks_per_hour: int) -> None:
        self._before = GroupedWriter(database, "governance.before")
        self._clock, self._most = clock, asks_per_hour

    async def before(
        self,
        caller: Caller,
        actions: Sequence[Action],
        moment: datetime,
        request_ids: Sequence[str] = (),
    ) -> Likes:
        """What of the likes of these actions was permitted on the day of `moment`, before this.

        Raises AskedTooOften where these requests would be more questions than the agent may put
        before people within an hour. Two calls at the same moment may both get through: it saves
        people's time, not a law.
        """
        if not actions:
            return {}
        since = start_of_day(moment).isoformat()
        likes = list(dict.fromkeys((action.kind, action.tool.name) for action in actions))
        found = await self._before.write(
            caller,
            {
                "of": [{"kind": kind.value, "tool": tool} for kind, tool in likes],
                "since": since,
                "offset": f"{self._clock.offset.total_seconds()} seconds",
                "agent": caller.agent,
                "request_ids": list(request_ids),
                "window": f"{WINDOW.total_seconds()} seconds",
            },
        )
        if asked := found["asked"]:
            new = len(set(request_ids)) - asked["known"]
            if new > 0 and asked["asked"] + new > self._most:
                wait = timedelta(seconds=max(1, int(asked["wait"] or 0)))
                raise AskedTooOften(retry_after=wait, agent=caller.agent, limit=str(self._most))
        used = ({"since": since, **one} for one in found["used"])
        return dict(zip(likes, used, strict=True))
