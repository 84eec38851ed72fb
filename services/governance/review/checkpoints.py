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
from kernel.pagination import PageTokens, page_size
from kernel.statement import Statement
from services.governance import messages
from services.governance.clock import Clock
from services.governance.review.lifecycle import State
from services.governance.review.voters import look

# Silence has ended it from the moment that its time was over, whenever the sweeper comes by.
_STANDING: Final = """
    CROSS JOIN LATERAL (SELECT c.state = 'pending'
        AND c.expire_time <= clock_timestamp() + CAST(:offset AS interval) AS overdue) AS o
    CROSS JOIN LATERAL (SELECT CASE WHEN o.overdue THEN 'expired' ELSE c.state END AS state,
        CASE WHEN o.overdue THEN c.expire_time ELSE c.resolve_time END AS resolve_time) AS s"""
_COLUMNS: Final = """
    SELECT c.checkpoint_id, c.type, s.state, c.revision, c.priority, c.etag, c.required_approvals,
        c.approval, c.claimed_by, c.claim_until, c.run, c.thread, c.identity, c.expire_time,
        c.valid_until, c.create_time, s.resolve_time, c.remind_time, c.reminders,
        c.escalate_time, c.escalated, c.execute_by,
        d.kind, d.tool, d.request_id, d.sphere,
        coalesce(x.facts ->> 'risk', d.facts ->> 'risk', 'unspecified') AS risk,
        e.state AS execution, e.contradicted_by, v.resolution_reason,
        coalesce(c.edited_digest, d.action_digest) AS action_digest,
        coalesce(x.rule, d.rule) AS rule, coalesce(x.rule_revision, d.rule_revision)
            AS rule_revision, coalesce(n.question, v.question) AS question,
        (SELECT jsonb_agg(to_jsonb(votes) || jsonb_build_object('comment', comment)
                ORDER BY votes.create_time)
            FROM votes LEFT JOIN comments USING (vote_id)
            WHERE votes.checkpoint_id = c.checkpoint_id) AS votes"""
_FROM: Final = f"""
    FROM checkpoints AS c JOIN decisions AS d USING (decision_id)
        LEFT JOIN views AS v USING (checkpoint_id)
        LEFT JOIN executions AS e USING (decision_id)
        LEFT JOIN edits AS x ON x.checkpoint_id = c.checkpoint_id AND x.revision = c.revision
        LEFT JOIN edited_views AS n
            ON n.checkpoint_id = c.checkpoint_id AND n.revision = c.revision {_STANDING}"""
# Actions and views may be large: a list names them by their digests.
_BRIEF: Final = f"{_COLUMNS}, NULL AS action, NULL AS view, NULL AS remarks, NULL AS edits {_FROM}"
_EDITS: Final = """(SELECT jsonb_agg(to_jsonb(one) || jsonb_build_object('changes', w.changes)
        ORDER BY one.revision)
    FROM edits AS one LEFT JOIN edited_views AS w USING (checkpoint_id, revision)
    WHERE one.checkpoint_id = c.checkpoint_id) AS edits"""
_REMARKS: Final = """(SELECT jsonb_agg(to_jsonb(r) ORDER BY r.create_time, r.remark_id)
    FROM remarks AS r WHERE r.checkpoint_id = c.checkpoint_id) AS remarks"""
_FILTER: Final = """
    (:state = '' OR s.state = :state) AND (:type = '' OR c.type = :type)
    AND (:run = '' OR c.run = :run) AND (:thread = '' OR c.thread = :thread)
    AND (CAST(:risks AS text[]) = '{}'
        OR coalesce(x.facts ->> 'risk', d.facts ->> 'risk') = ANY (CAST(:risks AS text[])))"""
_GET: Final = Statement(
    f"{_COLUMNS}, coalesce(n.action, a.action) AS action, coalesce(n.view, v.view) AS view,"
    f" {_REMARKS}, {_EDITS} {_FROM} LEFT JOIN actions AS a USING (decision_id)"
    " WHERE c.checkpoint_id = :checkpoint_id"
)
_LIST: Final = Statement(
    f"{_BRIEF} WHERE {_FILTER} AND (c.create_time, c.checkpoint_id) < (:before_time, :before_id)"
    " ORDER BY c.create_time DESC, c.checkpoint_id DESC LIMIT :size"
)
_TOTAL: Final = Statement(f"SELECT count(*) AS total {_FROM} WHERE {_FILTER}")
_COUNT: Final = Statement(
    f"SELECT s.state, count(*) AS count FROM checkpoints AS c {_STANDING} GROUP BY s.state"  # noqa: S608
)
_PENDING: Final = Statement(
    f"{_BRIEF} WHERE s.state = 'pending' ORDER BY c.create_time, c.checkpoint_id"
)
_CHANGED: Final = Statement(
    f"{_BRIEF} WHERE c.changed >= pg_snapshot_xmin(CAST(CAST(:since AS text) AS pg_snapshot))"
    " AND NOT pg_visible_in_snapshot(c.changed, CAST(CAST(:since AS text) AS pg_snapshot))"
    " ORDER BY c.create_time, c.checkpoint_id"
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

    async def get(self, caller: Caller, checkpoint_id: str) -> Checkpoint:
        """One checkpoint, whole."""
        async with self._database.transaction(caller) as tx:
            await look(tx, caller, self._clock.offset)
            row = await tx.fetch_one(_GET, checkpoint_id=checkpoint_id, offset=self._clock.offset)
        if row is None:
            raise Forbidden(subject=f"checkpoint/{checkpoint_id}")
        return messages.checkpoint(row)

    async def page(
        self, caller: Caller, request: ListCheckpointsRequest
    ) -> tuple[list[Checkpoint], str, int | None]:
        """A page, the token of the next one, and how many there are where that was asked."""
        size = page_size(request.page_size)
        place = self._pages.before(request)
        wanted = {**_filter(request), "offset": self._clock.offset}
        total = None
        async with self._database.transaction(caller) as tx:
            await look(tx, caller, self._clock.offset)
            rows = await tx.fetch(_LIST, **wanted, **place, size=size + 1)
            if request.include_total:
                counted: Any = await tx.fetch_one(_TOTAL, **wanted)
                total = counted["total"]
        page, token = self._pages.by_time(rows, size, request, "create_time", "checkpoint_id")
        return [messages.checkpoint(row) for row in page], token, total

    async def count(self, caller: Caller) -> dict[State, int]:
        """How many checkpoints are in each state."""
        async with self._database.transaction(caller) as tx:
            await look(tx, caller, self._clock.offset)
            rows = await tx.fetch(_COUNT, offset=self._clock.offset)
        return {State(row["state"]): row["count"] for row in rows}

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
