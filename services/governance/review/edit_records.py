"""An edit as it is stored: what waits from now on, what was changed, and by whom."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, Final

from chenu_gate.canonical_json import digest, write
from kernel.database import Transaction
from kernel.statement import Statement
from services.governance import audit_events
from services.governance.policy.rule import as_told
from services.governance.review import requirements
from services.governance.review.gate import voters
from services.governance.review.room import check_room
from services.governance.review.transitions import Locked

_EDIT: Final = Statement(
    "INSERT INTO edits (checkpoint_id, revision, tenant, identity, person, action_digest, etag,"
    " rule, rule_revision, facts, approval) VALUES (:checkpoint_id, :revision, :tenant, :identity,"
    " :person, :action_digest, :etag, :rule, :rule_revision, CAST(:facts AS jsonb),"
    " CAST(:approval AS jsonb))"
)
_SHOW: Final = Statement(
    "INSERT INTO edited_views (checkpoint_id, revision, tenant, identity, action, question, view,"
    " changes) VALUES (:checkpoint_id, :revision, :tenant, :identity, :action, :question, :view,"
    " CAST(:changes AS jsonb))"
)
# Where it comes to another amount: what was counted gets its opposite, dated like itself, so that
# no window holds one without the other, and what it comes to now is counted from now on.
_RECOUNT: Final = Statement(
    "WITH other AS (SELECT tally, now.amount"
    " FROM unnest(CAST(:tallies AS text[]), CAST(:amounts AS bigint[])) AS now (tally, amount)"
    " FULL JOIN (SELECT tally, sum(amount) AS amount FROM counted"
    "   WHERE decision_id = CAST(:decision_id AS uuid) GROUP BY tally) AS before USING (tally)"
    " WHERE coalesce(now.amount, 0) <> coalesce(before.amount, 0))"
    " INSERT INTO counted (tenant, decision_id, tally, amount, create_time)"
    " SELECT tenant, decision_id, tally, -sum(amount), create_time FROM counted"
    " WHERE decision_id = CAST(:decision_id AS uuid) AND tally IN (SELECT tally FROM other)"
    " GROUP BY tenant, decision_id, tally, create_time HAVING sum(amount) <> 0"
    " UNION ALL SELECT CAST(:tenant AS uuid), CAST(:decision_id AS uuid), tally, amount,"
    " clock_timestamp() FROM other WHERE amount > 0"
)
# The clocks are those of what waits now, from now on; none of the others' ends is put off.
_MOVE: Final = Statement(
    "UPDATE checkpoints SET version = version + 1, revision = :revision, etag = :etag,"
    " expire_time = least(expire_time, moment + CAST(CAST(:expires_in AS text) AS interval)),"
    " remind_time = moment + CAST(CAST(:remind_in AS text) AS interval),"
    " escalate_time = CASE WHEN NOT escalated"
    " THEN moment + CAST(CAST(:escalate_in AS text) AS interval) END,"
    " execute_by = least(execute_by, moment + CAST(CAST(:execute_in AS text) AS interval)),"
    " edited_digest = :action_digest, approval = CAST(:approval AS jsonb),"
    " required_approvals = :required_approvals, type = :type, priority = :priority,"
    " voter_persons = CAST(:voter_persons AS uuid[]), voter_roles = CAST(:voter_roles AS text[]),"
    " claimed_by = NULL, claim_until = NULL"
    " FROM (SELECT clock_timestamp() + CAST(:offset AS interval) AS moment) AS clock"
    " WHERE checkpoint_id = :checkpoint_id"
)


async def store(
    tx: Transaction, locked: Locked, editor: str, made: dict[str, Any], offset: timedelta
) -> None:
    """Put what was made in the place of what waits."""
    row = locked.row
    await check_room(tx, row["checkpoint_id"], json.dumps(made["changes"], ensure_ascii=False))

    def given(*names: str) -> dict[str, Any]:
        return {name: made[name] for name in names}

    own = {name: row[name] for name in ("checkpoint_id", "tenant", "identity")} | given("revision")
    await tx.execute(
        _EDIT,
        **own,
        person=editor,
        **given("action_digest", "etag", "rule", "rule_revision", "facts", "approval"),
    )
    await tx.execute(_SHOW, **own, **given("action", "question", "view", "changes"))
    named = voters(
        requirements.read(made["approval"]),
        owner=row["person"],
        escalated=locked.standing.escalated,
    )
    await tx.execute(
        _MOVE,
        checkpoint_id=row["checkpoint_id"],
        **given("revision", "etag", "action_digest", "approval", "required_approvals"),
        **given("type", "priority", "expires_in", "remind_in", "escalate_in", "execute_in"),
        **named,
        offset=offset,
    )
    await tx.execute(
        _RECOUNT,
        tenant=row["tenant"],
        decision_id=row["decision_id"],
        tallies=list(made["counted"]),
        amounts=list(made["counted"].values()),
    )
    tx.emit(
        audit_events.checkpoint_changed(
            row,
            "edited",
            person=editor,
            revision=str(made["revision"]),
            new_etag=made["etag"],
            new_action_digest=made["action_digest"],
            new_approval=digest(write(made["approval"])),
            new_facts=digest(write(as_told(made["facts"]))),
        )
    )
