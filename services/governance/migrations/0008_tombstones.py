"""A rejection holds: it is found again when its like is asked for, until it is lifted or old."""

from importlib import import_module

from alembic import op

from kernel.migration.helpers import IDENTITY, PERSON, TENANT, append_only, enable_rls, grant

revision = "0008"
down_revision = "0007"

OWN = f"tenant = {TENANT} AND identity = {IDENTITY}"
TABLE = """
CREATE TABLE governance.lifted_tombstones (
    checkpoint_id uuid NOT NULL CONSTRAINT lifted_tombstones_pkey PRIMARY KEY
        CONSTRAINT lifted_tombstones_checkpoint_id_fkey REFERENCES governance.checkpoints,
    tenant uuid NOT NULL,
    identity uuid NOT NULL,
    person uuid NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE INDEX checkpoints_rejected ON governance.checkpoints (identity, resolve_time)
    WHERE state = 'rejected'"""

# Whether an action is the like of a rejected one is not for SQL to say: see `tombstones`.
STANDING = """
CREATE OR REPLACE FUNCTION governance.standing(item jsonb, plan jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
    stopped jsonb;
    rejected jsonb;
BEGIN
    -- What lifts a freeze is not stopped by it.
    IF item ->> 'executor' = 'governance' THEN
        RETURN NULL;
    END IF;
    SELECT jsonb_build_object('freeze_id', freeze_id, 'create_time', create_time) INTO stopped
    FROM governance.freezes
    WHERE lift_time IS NULL AND (scope = 'all'
        OR tenant = current_setting('chenu.tenant')::uuid AND CASE scope
            WHEN 'tenant' THEN true
            WHEN 'agent' THEN value = item ->> 'agent'
            WHEN 'tool' THEN value = item ->> 'tool'
            WHEN 'kind' THEN value = item ->> 'kind' END)
    ORDER BY epoch LIMIT 1;
    SELECT jsonb_agg(jsonb_build_object('decision_id', r.decision_id,
        'checkpoint_id', r.checkpoint_id, 'resolve_time', r.resolve_time, 'person', r.person))
    INTO rejected
    FROM (SELECT c.decision_id, c.checkpoint_id, c.resolve_time,
            (SELECT v.person FROM governance.votes AS v WHERE v.checkpoint_id = c.checkpoint_id
                AND v.option = 'reject' ORDER BY v.create_time DESC LIMIT 1) AS person
        FROM governance.checkpoints AS c JOIN governance.decisions AS d USING (decision_id)
        WHERE c.state = 'rejected' AND c.tenant = current_setting('chenu.tenant')::uuid
            AND c.identity = current_setting('chenu.identity')::uuid
            AND c.resolve_time > clock_timestamp() + (plan ->> 'offset')::interval
                - (plan ->> 'tombstone_life')::interval
            AND d.tool = item ->> 'tool' AND d.kind = item ->> 'kind'
            AND d.request_id <> (item ->> 'request_id')::uuid
            AND NOT EXISTS (SELECT FROM governance.lifted_tombstones AS l
                WHERE l.checkpoint_id = c.checkpoint_id)
        ORDER BY c.resolve_time DESC LIMIT 50) AS r;
    RETURN nullif(jsonb_strip_nulls(
        jsonb_build_object('freeze', stopped, 'rejections', rejected)), '{}');
END $$"""

# As in 0005; what stands depends on the plan's clock too.
DECIDE = """
CREATE OR REPLACE FUNCTION governance.decide(plan jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    moment constant timestamptz := clock_timestamp();
    current_epoch bigint;
    standing jsonb;
BEGIN
    SELECT epoch INTO current_epoch FROM governance.freeze;
    SELECT jsonb_agg(governance.standing(item, plan) ORDER BY place) INTO standing
    FROM jsonb_array_elements(plan -> 'items') WITH ORDINALITY AS items (item, place);
    IF standing IS DISTINCT FROM plan -> 'standing' THEN
        RETURN jsonb_build_object('standing', standing);
    END IF;
    RETURN governance.authorize(plan)
        || jsonb_build_object('freeze_epoch', current_epoch, 'issued_at', moment);
END $$"""


def upgrade() -> None:
    for statement in TABLE.split(";\n"):
        op.execute(statement)
    grant("lifted_tombstones", app="SELECT, INSERT")
    enable_rls("lifted_tombstones", app=OWN, app_check=f"{OWN} AND person = {PERSON}")
    append_only("lifted_tombstones")
    op.execute(DECIDE)
    op.execute("DROP FUNCTION governance.standing(jsonb)")
    op.execute(STANDING)
    op.execute("GRANT EXECUTE ON FUNCTION governance.standing(jsonb, jsonb) TO governance_app")


def downgrade() -> None:
    before = import_module("services.governance.migrations.0005_freezes")
    op.execute(before.STANDING)
    op.execute("GRANT EXECUTE ON FUNCTION governance.standing(jsonb) TO governance_app")
    op.execute(before.DECIDE)
    op.execute("DROP FUNCTION governance.standing(jsonb, jsonb)")
    op.execute("DROP INDEX governance.checkpoints_rejected")
    op.execute("DROP TABLE governance.lifted_tombstones")
