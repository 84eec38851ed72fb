"""Checkpoints as people see them: one, a page, a count, what has changed."""

from __future__ import annotations

from typing import Any, Final

from chenu.governance.v1.checkpoint_pb2 import (
    Checkpoint,
    CheckpointState,
    CheckpointType,
)
from chenu.governance.v1.checkpoint_service_pb2 import ListCheckpointsRequest
from kernel.caller import Caller
from kernel.database import Database
from kernel.errors import Forbidden
from kernel.grouped_write import GroupedWriter
from kernel.pagination import PageTokens, page_size
from kernel.statement import Statement
from services.governance import messages
from services.governance.clock import Clock
from services.governance.review.lifecycle import State
from services.governance.review.voters import eyes, look

# Actions and views may be large: a list names them by their digests.
_BRIEF: Final = """
    SELECT checkpoint_id, type, state, revision, priority, etag, required_approvals, approval,
        claimed_by, claim_until, run, thread, identity, expire_time, valid_until, create_time,
        resolve_time, remind_time, reminders, escalate_time, escalated, execute_by, kind, tool,
        request_id, sphere, risk, execution, contradicted_by, resolution_reason, action_digest,
        rule, rule_revision, question, votes,
        NULL AS action, NULL AS view, NULL AS remarks, NULL AS edits
    FROM checkpoints_told(CAST(:offset AS interval))"""
_FILTER: Final = """
    (:state = '' OR state = :state) AND (:type = '' OR type = :type)
    AND (:run = '' OR run = :run) AND (:thread = '' OR thread = :thread)
    AND (CAST(:risks AS text[]) = '{}' OR risk = ANY (CAST(:risks AS text[])))"""
# What waits is found by an index of its own, however much is kept.
_WAITS: Final = "stored_state = 'pending'"
_KEPT: Final = {True: _WAITS, False: "true"}
_LIST: Final = {
    waits: Statement(
        f"{_BRIEF} WHERE {_FILTER} AND {kept}"
        " AND (create_time, checkpoint_id) < (:before_time, :before_id)"
        " ORDER BY create_time DESC, checkpoint_id DESC LIMIT :size"
    )
    for waits, kept in _KEPT.items()
}
_TOTAL: Final = {
    waits: Statement(
        "SELECT count(*) AS total FROM checkpoints_told(CAST(:offset AS interval))"  # noqa: S608
        f" WHERE {_FILTER} AND {kept}"
    )
    for waits, kept in _KEPT.items()
}
_COUNT: Final = Statement(
    "SELECT CASE WHEN state = 'pending'"
    " AND expire_time <= (SELECT clock_timestamp() + CAST(:offset AS interval))"
    " THEN 'expired' ELSE state END AS now, count(*) AS count FROM checkpoints GROUP BY 1"
)
_PENDING: Final = Statement(
    f"{_BRIEF} WHERE state = 'pending' AND {_WAITS} ORDER BY create_time, checkpoint_id"
)
_CHANGED: Final = Statement(
    f"{_BRIEF} WHERE changed >= pg_snapshot_xmin(CAST(CAST(:since AS text) AS pg_snapshot))"
    " AND NOT pg_visible_in_snapshot(changed, CAST(CAST(:since AS text) AS pg_snapshot))"
    " ORDER BY create_time, checkpoint_id"
)
# A snapshot of the future is from another life of the database, before it was restored.
_SNAPSHOT: Final = Statement(
    "SELECT pg_current_snapshot()::text AS now, pg_snapshot_xmax(pg_current_snapshot())"
    " >= pg_snapshot_xmax(CAST(CAST(:since AS text) AS pg_snapshot)) AS known"
)
_NEVER: Final = "1:1:"


class Checkpoints:
    """Reads checkpoints as whoever asks may see them."""

    def __init__(self, database: Database, pages: PageTokens, clock: Clock) -> None:
        self._database, self._pages, self._clock = database, pages, clock
        self._tell = GroupedWriter(database, "governance.tell_checkpoint")

    async def get(self, caller: Caller, checkpoint_id: str) -> Checkpoint:
        """One checkpoint, whole."""
        asked = {**eyes(caller, self._clock.offset), "checkpoint": checkpoint_id}
        row = await self._tell.write(caller, asked)
        if not row:
            raise Forbidden(subject=f"checkpoint/{checkpoint_id}")
        return messages.checkpoint(row)

    async def page(
        self, caller: Caller, request: ListCheckpointsRequest
    ) -> tuple[list[Checkpoint], str, int | None]:
        """A page, the token of the next one, and how many there are where that was asked."""
        size = page_size(request.page_size)
        place = self._pages.before(request)
        wanted = {**_filter(request), "offset": self._clock.offset}
        waits = wanted["state"] == State.PENDING
        total = None
        async with self._database.transaction(caller) as tx:
            await look(tx, caller, self._clock.offset)
            rows = await tx.fetch(_LIST[waits], **wanted, **place, size=size + 1)
            if request.include_total:
                counted: Any = await tx.fetch_one(_TOTAL[waits], **wanted)
                total = counted["total"]
        page, token = self._pages.by_time(rows, size, request, "create_time", "checkpoint_id")
        return [messages.checkpoint(row) for row in page], token, total

    async def count(self, caller: Caller) -> dict[State, int]:
        """How many checkpoints are in each state."""
        async with self._database.transaction(caller) as tx:
            await look(tx, caller, self._clock.offset)
            rows = await tx.fetch(_COUNT, offset=self._clock.offset)
        return {State(row["now"]): row["count"] for row in rows}

    async def changed(self, caller: Caller, since: str) -> tuple[list[Checkpoint], str]:
        """What has changed since a snapshot, and the snapshot to go on from.

        Without a snapshot: what is pending now. A change that commits meanwhile may be told
        twice, and is never left out.
        """
        async with self._database.transaction(caller) as tx:
            await look(tx, caller, self._clock.offset)
            snapshot: Any = await tx.fetch_one(_SNAPSHOT, since=since or _NEVER)
            if since and snapshot["known"]:
                rows = await tx.fetch(_CHANGED, since=since, offset=self._clock.offset)
            else:
                rows = await tx.fetch(_PENDING, offset=self._clock.offset)
        return [messages.checkpoint(row) for row in rows], snapshot["now"]


def _filter(request: ListCheckpointsRequest) -> dict[str, Any]:
    state = "" if request.all_states else State.PENDING.value
    if request.state and not request.all_states:
        state = _word(CheckpointState.Name(request.state), "CHECKPOINT_STATE_")
    type_ = _word(CheckpointType.Name(request.type), "CHECKPOINT_TYPE_") if request.type else ""
    risks = [word for word, number in messages.RISKS.items() if number >= request.min_risk]
    return {
        "state": state,
        "type": type_,
        "run": request.run_id,
        "thread": request.thread_id,
        "risks": risks if request.min_risk else [],
    }


def _word(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower()
