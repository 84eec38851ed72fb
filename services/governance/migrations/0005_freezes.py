"""Freezes, and the door that looks for them before it decides a plan."""

from alembic import op

from kernel.caller import SYSTEM_TENANT
from kernel.migration.helpers import (
    IDENTITY,
    PERSON,
    TENANT,
    append_only,
    enable_rls,
    grant,
    grant_execute,
    grouped_write,
    policy,
)

revision = "0005"
down_revision = "0004"

TABLE = """
CREATE TABLE governance.freezes (
    freeze_id uuid NOT NULL CONSTRAINT freezes_pkey PRIMARY KEY,
    tenant uuid NOT NULL,
    person uuid NOT NULL,
    scope text NOT NULL CONSTRAINT freezes_scope
        CHECK (scope IN ('tenant', 'agent', 'tool', 'kind', 'all')),
    value text NOT NULL,
    reason text NOT NULL,
    epoch bigint NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    effective_time timestamptz,
    lift_time timestamptz,
    lift_decision uuid CONSTRAINT freezes_lift_decision_fkey REFERENCES governance.decisions,
    CONSTRAINT freezes_lift CHECK ((lift_time IS NULL) = (lift_decision IS NULL)));
CREATE UNIQUE INDEX freezes_in_force ON governance.freezes (tenant, scope, value)
    WHERE lift_time IS NULL;
CREATE INDEX freezes_listed ON governance.freezes (tenant, create_time, freeze_id)"""

# A freeze is lifted once, by an executed decision, and never put back into force.
GUARD = """
CREATE OR REPLACE FUNCTION governance.guard_freeze() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF OLD.lift_time IS NOT NULL
        OR OLD.effective_time IS NOT NULL AND NEW.effective_time <> OLD.effective_time
        OR NEW.lift_time IS NOT NULL AND NOT EXISTS (SELECT FROM governance.executions
            WHERE decision_id = NEW.lift_decision AND state = 'succeeded') THEN
        RAISE EXCEPTION 'a freeze is lifted once, by a decision that people approved'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$"""
TRIGGER = """
CREATE TRIGGER guard BEFORE UPDATE ON governance.freezes
    FOR EACH ROW EXECUTE FUNCTION governance.guard_freeze()"""

# The row lock puts the epochs in the order in which their freezes commit: a permit of an epoch
# was minted by somebody who saw every freeze up to it.
RAISE_EPOCH = """
CREATE OR REPLACE FUNCTION governance.raise_freeze_epoch() RETURNS bigint LANGUAGE sql
SECURITY DEFINER SET search_path = '' AS
'UPDATE governance.freeze SET epoch = epoch + 1 RETURNING epoch'"""

# What stands for or against an action that is asked for; null where nothing does.
STANDING = """
CREATE OR REPLACE FUNCTION governance.standing(item jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
    stopped jsonb;
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
    IF stopped IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN jsonb_build_object('freeze', stopped);
END $$"""

# The plan says what it was judged with; where something else stands now, it is judged again.
# Moment and epoch are read first: a freeze that commits later finds the permits older than it.
DECIDE = """
CREATE OR REPLACE FUNCTION governance.decide(plan jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    moment constant timestamptz := clock_timestamp();
    current_epoch bigint;
    standing jsonb;
BEGIN
    SELECT epoch INTO current_epoch FROM governance.freeze;
    SELECT jsonb_agg(governance.standing(item) ORDER BY place) INTO standing
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
    op.execute(GUARD)
    op.execute(TRIGGER)
    op.execute("ALTER TABLE governance.freezes ENABLE ALWAYS TRIGGER guard")
    # The first part is true of everybody with an identity, and an error for anybody without.
    covered = f"{IDENTITY} IS NOT NULL AND tenant IN ({TENANT}, '{SYSTEM_TENANT}')"
    own = f"{IDENTITY} IS NOT NULL AND person = {PERSON} AND lift_time IS NULL"
    grant(
        "freezes",
        app="SELECT, INSERT, UPDATE (effective_time)",
        worker="SELECT, UPDATE (lift_time, lift_decision)",
    )
    enable_rls("freezes", worker="true")
    policy("freezes", "app_read", role="app", command="SELECT", using=covered)
    policy(
        "freezes",
        "app_make",
        role="app",
        command="INSERT",
        check=f"{own} AND tenant = CASE scope WHEN 'all' THEN '{SYSTEM_TENANT}' ELSE {TENANT} END",
    )
    policy("freezes", "app_date", role="app", command="UPDATE", using=covered)
    append_only("freezes", forbid="DELETE OR TRUNCATE")

    policy("freeze", "owner", role="owner", using="true", check="true")
    op.execute(RAISE_EPOCH)
    grant_execute("raise_freeze_epoch()")
    op.execute(STANDING)
    grant_execute("standing(jsonb)")
    op.execute(DECIDE)
    grouped_write("decide")


def downgrade() -> None:
    op.execute("DROP FUNCTION governance.decide_group")
    op.execute("DROP FUNCTION governance.decide")
    op.execute("DROP FUNCTION governance.standing")
    op.execute("DROP FUNCTION governance.raise_freeze_epoch")
    op.execute("DROP POLICY owner ON governance.freeze")
    op.execute("DROP TABLE governance.freezes")
    op.execute("DROP FUNCTION governance.guard_freeze")
