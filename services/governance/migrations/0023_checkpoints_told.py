"""A checkpoint with all that is told of it is one function's answer, a vote's answer included."""

from importlib import import_module

from alembic import op

from kernel.migration.helpers import grouped_write

revision = "0023"
down_revision = "0022"

# Silence has ended it from the moment that its time was over, whenever the sweeper comes by. Of a
# list's columns only those that are asked for are read: the planner puts the text into the query.
TOLD = """
CREATE FUNCTION governance.checkpoints_told(ahead interval) RETURNS TABLE (
    checkpoint_id uuid, type text, state text, revision integer, priority text, etag text,
    required_approvals integer, approval jsonb, claimed_by uuid, claim_until timestamptz, run text,
    thread text, identity uuid, expire_time timestamptz, valid_until timestamptz,
    create_time timestamptz, resolve_time timestamptz, remind_time timestamptz, reminders integer,
    escalate_time timestamptz, escalated boolean, execute_by timestamptz, changed xid8, kind text,
    tool text, request_id uuid, sphere text, risk text, execution text, contradicted_by text,
    resolution_reason text, action_digest text, rule text, rule_revision text, question text,
    votes jsonb, action text, view text, remarks jsonb, edits jsonb
) LANGUAGE sql STABLE AS $$
    SELECT c.checkpoint_id, c.type, s.state, c.revision, c.priority, c.etag,
        c.required_approvals, c.approval, c.claimed_by, c.claim_until, c.run,
        c.thread, c.identity, c.expire_time, c.valid_until,
        c.create_time, s.resolve_time, c.remind_time, c.reminders,
        c.escalate_time, c.escalated, c.execute_by, c.changed, d.kind,
        d.tool, d.request_id, d.sphere,
        coalesce(x.facts ->> 'risk', d.facts ->> 'risk', 'unspecified'),
        e.state, e.contradicted_by, v.resolution_reason,
        coalesce(c.edited_digest, d.action_digest), coalesce(x.rule, d.rule),
        coalesce(x.rule_revision, d.rule_revision), coalesce(n.question, v.question),
        (SELECT jsonb_agg(to_jsonb(votes) || jsonb_build_object('comment', w.comment)
                ORDER BY votes.create_time)
            FROM governance.votes LEFT JOIN governance.comments AS w USING (vote_id)
            WHERE votes.checkpoint_id = c.checkpoint_id),
        coalesce(n.action, a.action), coalesce(n.view, v.view),
        (SELECT jsonb_agg(to_jsonb(r) ORDER BY r.create_time, r.remark_id)
            FROM governance.remarks AS r WHERE r.checkpoint_id = c.checkpoint_id),
        (SELECT jsonb_agg(to_jsonb(one) || jsonb_build_object('changes', w.changes)
                ORDER BY one.revision)
            FROM governance.edits AS one
                LEFT JOIN governance.edited_views AS w USING (checkpoint_id, revision)
            WHERE one.checkpoint_id = c.checkpoint_id)
    FROM governance.checkpoints AS c JOIN governance.decisions AS d USING (decision_id)
        LEFT JOIN governance.actions AS a USING (decision_id)
        LEFT JOIN governance.views AS v ON v.checkpoint_id = c.checkpoint_id
        LEFT JOIN governance.executions AS e USING (decision_id)
        LEFT JOIN governance.edits AS x
            ON x.checkpoint_id = c.checkpoint_id AND x.revision = c.revision
        LEFT JOIN governance.edited_views AS n
            ON n.checkpoint_id = c.checkpoint_id AND n.revision = c.revision
        CROSS JOIN LATERAL (SELECT c.state = 'pending'
            AND c.expire_time <= clock_timestamp() + ahead AS overdue) AS o
        CROSS JOIN LATERAL (SELECT CASE WHEN o.overdue THEN 'expired' ELSE c.state END AS state,
            CASE WHEN o.overdue THEN c.expire_time ELSE c.resolve_time END AS resolve_time) AS s
$$"""

TELL = """
CREATE FUNCTION governance.tell_checkpoint(asked jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    ahead constant interval := (asked ->> 'offset')::interval;
    found jsonb;
BEGIN
    PERFORM governance.look((asked ->> 'people')::boolean,
        ARRAY(SELECT jsonb_array_elements_text(asked -> 'roles')), ahead);
    SELECT to_jsonb(t) INTO found FROM governance.checkpoints_told(ahead) AS t
    WHERE t.checkpoint_id = (asked ->> 'checkpoint')::uuid;
    RETURN coalesce(found, '{}');
END $$"""

# Of 0022's `cast_vote`.
_ANSWER = "'freeze', governance.stopped(vote -> 'about'));"
_TOLD = """'freeze', governance.stopped(vote -> 'about'),
        'checkpoint', (SELECT to_jsonb(t)
            FROM governance.checkpoints_told((vote ->> 'offset')::interval) AS t
            WHERE t.checkpoint_id = held.checkpoint_id));"""


def _cast_vote() -> str:
    text: str = import_module("services.governance.migrations.0022_votes").CAST_VOTE
    return text.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")


def upgrade() -> None:
    op.execute(TOLD)
    op.execute("GRANT EXECUTE ON FUNCTION governance.checkpoints_told(interval) TO governance_app")
    op.execute(TELL)
    grouped_write("tell_checkpoint")
    op.execute(_cast_vote().replace(_ANSWER, _TOLD))


def downgrade() -> None:
    op.execute(_cast_vote())
    for function in ("tell_checkpoint_group", "tell_checkpoint", "checkpoints_told"):
        op.execute(f"DROP FUNCTION governance.{function}")
