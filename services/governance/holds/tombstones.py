"""A rejection holds: what is its like is not put before a person again.

The rejected checkpoint is the tombstone, for as long as the setting says, until a person lifts it.
An action is its like when tool, kind, executor, spheres, targets and all arguments agree but those
that the tool's schema marks cosmetic. Versions and names of targets do not make it another.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from chenu.governance.v1 import tombstone_service_pb2 as rpc
from chenu.governance.v1.tombstone_pb2 import Tombstone
from chenu_gate.action import Action
from chenu_gate.canonical_json import digest, write
from chenu_gate.tools import Tool
from kernel.caller import Caller
from kernel.database import Database, Record
from kernel.errors import Forbidden
from kernel.pagination import PageTokens, page_size
from kernel.statement import Statement
from services.governance import audit_events, messages
from services.governance.clock import Clock
from services.governance.holds.standing import REJECTED_BEFORE, Standing
from services.governance.tool_definitions import ToolDefinitions

_ACTIONS: Final = Statement(
    "SELECT decision_id, action FROM actions WHERE decision_id = ANY(CAST(:decisions AS uuid[]))"
    " UNION ALL SELECT c.decision_id, n.action FROM edited_views AS n"
    " JOIN checkpoints AS c USING (checkpoint_id, revision)"
    " WHERE c.decision_id = ANY(CAST(:decisions AS uuid[]))"
)
_STANDING: Final = """
    FROM checkpoints AS c CROSS JOIN LATERAL (
        SELECT tool, kind FROM decisions WHERE decision_id = c.decision_id OFFSET 0) AS d
    WHERE c.state = 'rejected' AND c.tenant = :tenant AND c.identity = :identity
        AND c.resolve_time
            > (SELECT clock_timestamp() + CAST(:offset AS interval) - CAST(:life AS interval))
        AND NOT EXISTS (SELECT FROM lifted_tombstones AS l
            WHERE l.checkpoint_id = c.checkpoint_id)"""
_LIST: Final = Statement(
    "SELECT c.checkpoint_id, d.tool, d.kind, c.resolve_time,"
    " c.resolve_time + CAST(:life AS interval) AS end_time"
    f" {_STANDING} AND (c.resolve_time, c.checkpoint_id) < (:before_time, :before_id)"
    " ORDER BY c.resolve_time DESC, c.checkpoint_id DESC LIMIT :size"
)
_REJECTED: Final = Statement(
    "SELECT c.checkpoint_id FROM checkpoints AS c"
    " WHERE c.checkpoint_id = :checkpoint_id AND c.state = 'rejected'"
    " AND c.tenant = :tenant AND c.identity = :identity"
)
_LIFT: Final = Statement(
    "INSERT INTO lifted_tombstones (checkpoint_id, tenant, identity, person)"
    " VALUES (:checkpoint_id, :tenant, :identity, :person) ON CONFLICT DO NOTHING"
)


class Tombstones:
    """Finds the rejection that holds against an action, shows and lifts them."""

    def __init__(
        self,
        database: Database,
        tools: ToolDefinitions,
        pages: PageTokens,
        clock: Clock,
        life: timedelta,
    ) -> None:
        self._database, self._tools, self._pages = database, tools, pages
        self._clock, self.life = clock, life

    async def against(self, caller: Caller, action: Action, standing: Standing) -> str:
        """Why it is not asked again; empty where nothing that was rejected is its like."""
        rejections: Sequence[Any] = (standing or {}).get("rejections", ())
        if not rejections:
            return ""
        async with self._database.transaction(caller) as tx:
            rows = await tx.fetch(_ACTIONS, decisions=[one["decision_id"] for one in rejections])
        # What was asked for, and what somebody had made of it: both were rejected.
        rejected: dict[str, list[Action]] = {}
        for row in rows:
            parsed = Action.parse(row["action"].encode())
            rejected.setdefault(row["decision_id"], []).append(parsed)
        tool = await self._tools.of(action)
        asked = essence(action, tool)
        for one in rejections:
            before = rejected.get(one["decision_id"], ())
            if any(essence(action, tool) == asked for action in before):
                return (
                    f"{REJECTED_BEFORE}: by person {one['person']} at {one['resolve_time']}"
                    f" (checkpoint {one['checkpoint_id']})"
                )
        return ""

    async def page(
        self, caller: Caller, request: rpc.ListTombstonesRequest
    ) -> tuple[list[Tombstone], str]:
        """A page of those that hold, the latest first, and the token of the next one."""
        size = page_size(request.page_size)
        place = self._pages.before(request)
        given = {
            "tenant": caller.tenant,
            "identity": caller.identity,
            "offset": self._clock.offset,
            "life": self.life,
            "size": size + 1,
        }
        async with self._database.transaction(caller) as tx:
            rows = await tx.fetch(_LIST, **given, **place)
        page, token = self._pages.by_time(rows, size, request, "resolve_time", "checkpoint_id")
        return [_message(row) for row in page], token

    async def lift(self, caller: Caller, checkpoint_id: str) -> None:
        """Let the like of it be asked again; once lifted, lifting it again is harmless."""
        async with self._database.transaction(caller) as tx:
            own = {
                "checkpoint_id": checkpoint_id,
                "tenant": caller.tenant,
                "identity": caller.identity,
            }
            if await tx.fetch_one(_REJECTED, **own) is None:
                raise Forbidden(subject=f"checkpoint/{checkpoint_id}")
            if await tx.execute(_LIFT, **own, person=caller.person):
                tx.emit(audit_events.tombstone_lifted(checkpoint_id))


def essence(action: Action, tool: Tool | None) -> str:
    """The digest of what makes it this action; without the tool's schema every argument counts."""
    arguments = action.document()["arguments"]
    return digest(
        write(
            {
                "kind": action.kind.value,
                "tool": action.tool.name,
                "executor": action.executor,
                "source_sphere": action.source_sphere,
                "target_sphere": action.target_sphere,
                "targets": sorted([target.type, target.id] for target in action.targets),
                "arguments": tool.essential(arguments) if tool else arguments,
            }
        )
    )


def _message(row: Record) -> Tombstone:
    return Tombstone(
        checkpoint_id=row["checkpoint_id"],
        tool=row["tool"],
        action_kind=messages.KINDS[row["kind"]],
        create_time=messages.stamp(row["resolve_time"]),
        end_time=messages.stamp(row["end_time"]),
    )
