"""What holds for agents besides the rules: their scopes, and how often they may ask."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from chenu_gate.action import Action
from kernel.caller import Caller
from kernel.database import Database
from kernel.statement import Statement
from services.governance.errors import AskedTooOften
from services.governance.holds.standing import OUT_OF_SCOPE

# Requests that were answered before ask nobody anything again.
_ASKED: Final = Statement(
    "SELECT count(*) AS asked, EXTRACT(EPOCH FROM min(c.create_time)"
    " + CAST(:window AS interval) - clock_timestamp()) AS wait,"
    " (SELECT count(*) FROM decisions WHERE tenant = :tenant AND identity = :identity"
    " AND person = :person AND request_id = ANY(CAST(:request_ids AS uuid[]))) AS known"
    " FROM checkpoints AS c JOIN decisions AS d USING (decision_id)"
    " WHERE c.tenant = :tenant AND c.identity = :identity AND d.agent = :agent"
    " AND c.create_time > clock_timestamp() - CAST(:window AS interval)"
)
WINDOW: Final = timedelta(hours=1)


class AskLimit:
    """How many questions one agent may put before people within an hour."""

    def __init__(self, database: Database, asks_per_hour: int) -> None:
        self._database, self._most = database, asks_per_hour

    async def check(self, caller: Caller, request_ids: Sequence[str]) -> None:
        """Raise AskedTooOften where these, all gated, would be more than the agent may ask.

        Two calls at the same moment may both get through: it saves people's time, not a law.
        """
        if not caller.agent or not request_ids:
            return
        async with self._database.transaction(caller) as tx:
            row: Any = await tx.fetch_one(
                _ASKED,
                tenant=caller.tenant,
                identity=caller.identity,
                person=caller.person,
                agent=caller.agent,
                request_ids=list(request_ids),
                window=WINDOW,
            )
        new = len(set(request_ids)) - row["known"]
        if new > 0 and row["asked"] + new > self._most:
            wait = timedelta(seconds=max(1, int(row["wait"] or 0)))
            raise AskedTooOften(retry_after=wait, agent=caller.agent, limit=str(self._most))


def out_of_scope(caller: Caller, action: Action) -> str:
    """Why the agent may not use the tool at all; empty where it may.

    A scope is a tool's name, or "thread.*" for all of a noun; an agent without any may use what
    its person may.
    """
    scopes = caller.claims.get("scopes") or ()
    if not caller.agent or not scopes or any(_covers(scope, action) for scope in scopes):
        return ""
    return f"{OUT_OF_SCOPE}: {action.tool.name} is not among what the agent may use"


def always_gated(caller: Caller) -> bool:
    """Whether a person decides whatever the caller asks for."""
    return bool(caller.agent) and caller.claims.get("always_gated") is True


def _covers(scope: str, action: Action) -> bool:
    name = action.tool.name
    return name == scope or (scope.endswith(".*") and name.startswith(scope[:-1]))
