"""How people decide, in figures: whether there is time to look, and whether they do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from chenu.governance.v1 import reviewer_service_pb2 as rpc
from kernel.caller import Caller
from kernel.database import Database
from kernel.statement import Statement
from services.governance import audit_events
from services.governance.clock import Clock
from services.governance.review.voters import look

DAYS: Final = 30
FEWEST: Final = 20
APPROVED_PER_MILLE: Final = 950
GLANCE: Final = timedelta(seconds=10)
_REVIEWERS: Final = Statement(
    "SELECT v.person, count(*) AS decisions,"
    " (count(*) FILTER (WHERE v.option = 'approve') * 1000 / count(*))::int AS approved,"
    # An edit is a question of its own.
    " percentile_cont(0.5) WITHIN GROUP"
    " (ORDER BY v.create_time - coalesce(e.create_time, c.create_time)) AS median"
    " FROM votes AS v JOIN checkpoints AS c USING (checkpoint_id)"
    " LEFT JOIN edits AS e ON e.checkpoint_id = v.checkpoint_id AND e.revision = v.revision"
    " WHERE v.create_time > clock_timestamp() - CAST(:window AS interval)"
    " GROUP BY v.person ORDER BY v.person LIMIT 200"
)
_QUEUE: Final = Statement(
    "SELECT count(*) FILTER (WHERE waits) AS backlog,"
    " clock_timestamp() - min(create_time) FILTER (WHERE waits) AS oldest,"
    " (count(*) FILTER (WHERE late) * 1000"
    " / greatest(count(*) FILTER (WHERE NOT waits), 1))::int AS expired"
    " FROM (SELECT create_time, state = 'pending' AND expire_time > moment AS waits,"
    " state = 'expired' AND valid_until IS NULL"
    " OR state = 'pending' AND expire_time <= moment AS late"
    " FROM checkpoints, LATERAL (SELECT clock_timestamp() + CAST(:offset AS interval) AS moment)"
    " WHERE create_time > clock_timestamp() - CAST(:window AS interval) OR state = 'pending')"
)


class Reviewers:
    """Reads the figures of what the caller may see."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def figures(self, caller: Caller, days: int) -> rpc.ListReviewersResponse:
        """The queue, and each person who decided, by id."""
        window = timedelta(days=days or DAYS)
        async with self._database.transaction(caller) as tx:
            await look(tx, caller, self._clock.offset)
            people = await tx.fetch(_REVIEWERS, window=window)
            queue: Any = await tx.fetch_one(_QUEUE, window=window, offset=self._clock.offset)
            tx.emit(audit_events.others_read("reviewers.read", caller.tenant, len(people)))
        answer = rpc.ListReviewersResponse(
            backlog=queue["backlog"], expired_per_mille=queue["expired"]
        )
        answer.oldest_wait.FromTimedelta(queue["oldest"] or timedelta(0))
        for row in people:
            person = answer.reviewers.add(
                person_id=row["person"],
                decisions=row["decisions"],
                approve_per_mille=row["approved"],
                rubber_stamp=is_rubber_stamp(row["decisions"], row["approved"], row["median"]),
            )
            person.median_decision_time.FromTimedelta(row["median"])
        return answer


def is_rubber_stamp(decisions: int, approved_per_mille: int, median: timedelta) -> bool:
    """Whether it looks as if nobody reads what they approve."""
    return decisions >= FEWEST and approved_per_mille >= APPROVED_PER_MILLE and median < GLANCE
