"""Standing grants: found with what stands against an action, used up in the deciding statement."""

from importlib import import_module

from alembic import op

from kernel.migration.helpers import IDENTITY, TENANT, append_only, enable_rls, grant, policy

revision = "0012"
down_revision = "0011"

OWN = f"tenant = {TENANT} AND identity = {IDENTITY}"
TABLE = """
CREATE TABLE governance.grants (
    grant_id uuid NOT NULL CONSTRAINT grants_pkey PRIMARY KEY
        CONSTRAINT grants_grant_id_fkey REFERENCES governance.decisions,
    tenant uuid NOT NULL,
    identity uuid NOT NULL,
    tool text NOT NULL,
    kind text NOT NULL,
    agent text NOT NULL,
    terms jsonb NOT NULL,
    uses_left integer NOT NULL CONSTRAINT grants_uses CHECK (uses_left >= 0),
    total_left bigint NOT NULL CONSTRAINT grants_total CHECK (total_left >= 0),
    end_time timestamptz NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    revoke_time timestamptz);
CREATE INDEX grants_of_tool ON governance.grants (identity, tool, kind)
    WHERE revoke_time IS NULL"""
GUARD = """
CREATE OR REPLACE FUNCTION governance.guard_grant() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.uses_left > OLD.uses_left OR NEW.total_left > OLD.total_left
        OR OLD.revoke_time IS NOT NULL THEN
        RAISE EXCEPTION 'a grant is only ever used up' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$"""
TRIGGER = """
CREATE TRIGGER guard BEFORE UPDATE ON governance.grants
    FOR EACH ROW EXECUTE FUNCTION governance.guard_grant()"""
# As in 0008, with the grants that may cover the action.
STANDING = """
CREATE OR REPLACE FUNCTION governance.standing(item jsonb, plan jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
    stopped jsonb;
    rejected jsonb;
    granted jsonb;
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
    SELECT jsonb_agg(jsonb_build_object('grant_id', grant_id, 'terms', terms)
        ORDER BY create_time, grant_id) INTO granted
    FROM governance.grants
    WHERE tenant = current_setting('chenu.tenant')::uuid
        AND identity = current_setting('chenu.identity')::uuid
        AND tool = item ->> 'tool' AND kind = item ->> 'kind' AND agent IN ('', item ->> 'agent')
        AND revoke_time IS NULL AND uses_left > 0
        AND end_time > clock_timestamp() + (plan ->> 'offset')::interval;
    RETURN nullif(jsonb_strip_nulls(
        jsonb_build_object('freeze', stopped, 'rejections', rejected, 'grants', granted)), '{}');
END $$"""

# As in 0008; what is covered by a grant uses it up, or is not decided.
DECIDE = """
CREATE OR REPLACE FUNCTION governance.decide(plan jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    moment constant timestamptz := clock_timestamp();
    current_epoch bigint;
    standing jsonb;
    answer jsonb;
    item jsonb;
    place integer;
BEGIN
    SELECT epoch INTO current_epoch FROM governance.freeze;
    SELECT jsonb_agg(governance.standing(i.item, plan) ORDER BY i.place) INTO standing
    FROM jsonb_array_elements(plan -> 'items') WITH ORDINALITY AS i (item, place);
    IF standing IS DISTINCT FROM plan -> 'standing' THEN
        RETURN jsonb_build_object('standing', standing);
    END IF;
    answer := governance.authorize(plan);
    FOR item, place IN SELECT value, ordinality::integer - 1
        FROM jsonb_array_elements(plan -> 'items') WITH ORDINALITY LOOP
        CONTINUE WHEN NOT item -> 'facts' ? 'grant'
            OR NOT (answer #>> ARRAY['items', place::text, 'new'])::boolean;
        UPDATE governance.grants SET uses_left = uses_left - 1,
            total_left = total_left - (item ->> 'amount')::bigint
        WHERE grant_id = (item #>> '{facts,grant}')::uuid AND revoke_time IS NULL
            AND uses_left > 0 AND total_left >= (item ->> 'amount')::bigint
            AND end_time > clock_timestamp() + (plan ->> 'offset')::interval;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the grant is used up' USING ERRCODE = 'CHGRA';
        END IF;
    END LOOP;
    RETURN answer
        || jsonb_build_object('freeze_epoch', current_epoch, 'issued_at', moment);
END $$"""


def upgrade() -> None:
    for statement in TABLE.split(";\n"):
        op.execute(statement)
    op.execute(GUARD)
    op.execute(TRIGGER)
    op.execute("ALTER TABLE governance.grants ENABLE ALWAYS TRIGGER guard")
    # Made by what people have approved: the role that serves makes none.
    grant(
        "grants",
        app="SELECT, UPDATE (uses_left, total_left, revoke_time)",
        worker="SELECT, INSERT",
    )
    enable_rls("grants", worker="true")
    policy("grants", "app_read", role="app", command="SELECT", using=OWN)
    policy("grants", "app_use", role="app", command="UPDATE", using=OWN, check=OWN)
    append_only("grants", forbid="DELETE OR TRUNCATE")
    op.execute(STANDING)
    op.execute(DECIDE)


def downgrade() -> None:
    before = import_module("services.governance.migrations.0008_tombstones")
    op.execute(before.STANDING)
    op.execute(before.DECIDE)
    op.execute("DROP TABLE governance.grants")
    op.execute("DROP FUNCTION governance.guard_grant")
