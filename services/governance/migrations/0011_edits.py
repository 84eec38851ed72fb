"""Edits: a person's other version of an action that waits, under the same decision.

Votes name the revision that they were cast for, so those for an earlier one count no more. What
was asked for first stays in `decisions`, `actions` and `views`.
"""

from importlib import import_module

from alembic import op

from kernel.migration.helpers import PERSON, TENANT, append_only, enable_rls, grant, policy

revision = "0011"
down_revision = "0010"

TABLES = """
ALTER TABLE governance.checkpoints ADD COLUMN edited_digest text;
CREATE TABLE governance.edits (
    checkpoint_id uuid NOT NULL
        CONSTRAINT edits_checkpoint_id_fkey REFERENCES governance.checkpoints,
    revision integer NOT NULL,
    tenant uuid NOT NULL,
    identity uuid NOT NULL,
    person uuid NOT NULL,
    action_digest text NOT NULL,
    etag text NOT NULL,
    rule text NOT NULL,
    rule_revision text NOT NULL,
    facts jsonb NOT NULL,
    approval jsonb NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT edits_pkey PRIMARY KEY (checkpoint_id, revision));
CREATE TABLE governance.edited_views (
    checkpoint_id uuid NOT NULL,
    revision integer NOT NULL,
    tenant uuid NOT NULL,
    identity uuid NOT NULL,
    action text NOT NULL,
    question text NOT NULL,
    view text NOT NULL,
    changes jsonb NOT NULL,
    CONSTRAINT edited_views_pkey PRIMARY KEY (checkpoint_id, revision),
    CONSTRAINT edited_views_edit_fkey FOREIGN KEY (checkpoint_id, revision)
        REFERENCES governance.edits)"""

# What waits changes only as an edit that is on record.
GUARD = """
CREATE FUNCTION governance.guard_edit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.state <> 'pending' OR OLD.state <> 'pending' OR NEW.revision <> OLD.revision + 1
        OR NOT EXISTS (SELECT FROM governance.edits AS e
            WHERE e.checkpoint_id = NEW.checkpoint_id AND e.revision = NEW.revision
                AND e.etag = NEW.etag AND e.action_digest = NEW.edited_digest
                AND e.approval = NEW.approval) THEN
        RAISE EXCEPTION 'what waits is changed only by an edit'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$"""
TRIGGER = """
CREATE TRIGGER guard_edit BEFORE UPDATE ON governance.checkpoints FOR EACH ROW
    WHEN ((OLD.revision, OLD.etag, OLD.edited_digest, OLD.approval, OLD.required_approvals,
            OLD.type, OLD.priority)
        IS DISTINCT FROM (NEW.revision, NEW.etag, NEW.edited_digest, NEW.approval,
            NEW.required_approvals, NEW.type, NEW.priority))
    EXECUTE FUNCTION governance.guard_edit()"""

MOVES = "revision, etag, edited_digest, approval, required_approvals, type, priority"
OF_CHECKPOINT = (
    f"tenant = {TENANT} AND EXISTS (SELECT FROM governance.checkpoints AS c"
    " WHERE c.checkpoint_id = {table}.checkpoint_id AND c.identity = {table}.identity)"
)

# As in 0006, telling of what waits now instead of what was asked for first.
AUTHORIZED = """
CREATE OR REPLACE FUNCTION governance.authorized(item jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
    answer jsonb;
BEGIN
    SELECT to_jsonb(d) || jsonb_build_object(
        'new', false,
        'execution', e.state,
        'checkpoint', to_jsonb(c) || jsonb_build_object(
            'question', coalesce(n.question, v.question),
            'view', CASE WHEN c.state = 'pending' THEN coalesce(n.view, v.view) END,
            'edited_action', n.action,
            'reason', v.resolution_reason,
            'approvers', (SELECT jsonb_agg(DISTINCT jsonb_build_object(
                    'person', person, 'identity', voter_identity, 'stage', stage,
                    'seat', coalesce(seat, person),
                    'seat_identity', coalesce(seat_identity, voter_identity)))
                FROM governance.votes WHERE votes.checkpoint_id = c.checkpoint_id
                    AND votes.revision = c.revision AND option = 'approve')))
    INTO answer
    FROM governance.decisions AS d
        LEFT JOIN governance.executions AS e USING (decision_id)
        LEFT JOIN governance.checkpoints AS c USING (decision_id)
        LEFT JOIN governance.views AS v USING (checkpoint_id)
        LEFT JOIN governance.edited_views AS n
            ON n.checkpoint_id = c.checkpoint_id AND n.revision = c.revision
    WHERE d.tenant = current_setting('chenu.tenant')::uuid
        AND d.identity = current_setting('chenu.identity')::uuid
        AND d.person = current_setting('chenu.person')::uuid
        AND d.request_id = (item ->> 'request_id')::uuid;
    IF answer ->> 'action_digest' <> item ->> 'action_digest'
        OR answer ->> 'requires_checkpoint' <> item ->> 'requires_checkpoint' THEN
        RAISE EXCEPTION 'request id used for another action: %', item ->> 'request_id'
            USING ERRCODE = 'CHREQ';
    END IF;
    RETURN answer;
END $$"""


def upgrade() -> None:
    for statement in TABLES.split(";\n"):
        op.execute(statement)
    op.execute(GUARD)
    op.execute(TRIGGER)
    op.execute("ALTER TABLE governance.checkpoints ENABLE ALWAYS TRIGGER guard_edit")
    op.execute(AUTHORIZED)
    grant("checkpoints", app=f"UPDATE ({MOVES})")
    grant("checkpoints", worker="SELECT")
    for table in ("edits", "edited_views"):
        grant(table, app="SELECT, INSERT")
        enable_rls(table)
        seen = OF_CHECKPOINT.format(table=table)
        own = f"person = {PERSON} AND " if table == "edits" else ""
        policy(table, "app_read", role="app", command="SELECT", using=seen)
        policy(table, "app_edit", role="app", command="INSERT", check=f"{own}{seen}")
    append_only("edits")
    append_only("edited_views", forbid="UPDATE OR TRUNCATE")


def downgrade() -> None:
    before = import_module("services.governance.migrations.0006_voters")
    op.execute(before.AUTHORIZED)
    op.execute("DROP TRIGGER guard_edit ON governance.checkpoints")
    op.execute("DROP FUNCTION governance.guard_edit")
    op.execute(f"REVOKE UPDATE ({MOVES}) ON governance.checkpoints FROM governance_app")
    op.execute("DROP TABLE governance.edited_views")
    op.execute("DROP TABLE governance.edits")
    op.execute("ALTER TABLE governance.checkpoints DROP COLUMN edited_digest")
