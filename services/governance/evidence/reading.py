"""The rows that evidence is made of, as whoever asks may see them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

from kernel.caller import Caller
from kernel.database import Record, Transaction
from kernel.errors import Forbidden
from kernel.statement import Statement
from services.governance.evidence.errors import EvidenceTooLarge
from services.governance.review.voters import look

MOST_DECISIONS: Final = 200
_OF: Final = {
    "checkpoint_id": Statement(
        "SELECT decision_id FROM checkpoints WHERE checkpoint_id = CAST(:value AS uuid)"
    ),
    "decision_id": Statement(
        "SELECT decision_id FROM decisions WHERE decision_id = CAST(:value AS uuid)"
    ),
    "run_id": Statement(
        "SELECT decision_id FROM decisions WHERE run = :value ORDER BY decision_id LIMIT 201"
    ),
}
# One statement, so that all of it is of one moment.
_DECISIONS: Final = Statement("""
    SELECT to_jsonb(d) AS decision, a.action, to_jsonb(c) - 'changed' AS checkpoint, v.view,
        v.resolution_reason, to_jsonb(e) AS execution,
        (SELECT jsonb_agg(to_jsonb(one) || jsonb_build_object('comment', comment)
                ORDER BY one.create_time, one.vote_id)
            FROM votes AS one LEFT JOIN comments USING (vote_id)
            WHERE one.checkpoint_id = c.checkpoint_id) AS votes,
        (SELECT jsonb_agg(to_jsonb(one) || jsonb_build_object('action', n.action, 'view', n.view)
                ORDER BY one.revision)
            FROM edits AS one LEFT JOIN edited_views AS n USING (checkpoint_id, revision)
            WHERE one.checkpoint_id = c.checkpoint_id) AS edits,
        (SELECT jsonb_agg(to_jsonb(one) ORDER BY one.create_time, one.remark_id)
            FROM remarks AS one WHERE one.checkpoint_id = c.checkpoint_id) AS remarks
    FROM decisions AS d LEFT JOIN actions AS a USING (decision_id)
        LEFT JOIN checkpoints AS c USING (decision_id)
        LEFT JOIN views AS v USING (checkpoint_id)
        LEFT JOIN executions AS e USING (decision_id)
    WHERE d.decision_id = ANY (CAST(:decision_ids AS uuid[]))
    ORDER BY d.create_time, d.decision_id""")


_RULES: Final = Statement(
    "SELECT document FROM rule_revisions WHERE revision = ANY (CAST(:revisions AS text[]))"
)


async def rules(tx: Transaction, rows: Iterable[Record]) -> list[Any]:
    """The documents of the tenant's revisions that the rows were decided by."""
    named = {
        one["rule_revision"] for row in rows for one in (row["decision"], *(row["edits"] or ()))
    }
    return [row["document"] for row in await tx.fetch(_RULES, revisions=sorted(named))]


async def decisions(
    tx: Transaction, caller: Caller, kind: str, value: str, offset: timedelta
) -> list[Record]:
    """The decisions of a `checkpoint_id`, `decision_id` or `run_id`; Forbidden where none is."""
    await look(tx, caller, offset)
    found = [row["decision_id"] for row in await tx.fetch(_OF[kind], value=value)]
    if len(found) > MOST_DECISIONS:
        raise EvidenceTooLarge
    rows = await tx.fetch(_DECISIONS, decision_ids=found)
    if not rows:
        raise Forbidden(subject=f"{kind.removesuffix('_id')}/{value}")
    return rows
