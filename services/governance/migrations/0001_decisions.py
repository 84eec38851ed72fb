"""Decisions, their actions and executions, and the freeze epoch."""

from alembic import op

from kernel.migration.helpers import (
    IDENTITY,
    PERSON,
    TENANT,
    append_only,
    create_outbox,
    drop_outbox,
    enable_rls,
    grant,
)

revision = "0001"
down_revision = None

OWN = f"tenant = {TENANT} AND identity = {IDENTITY}"

TABLES = """
CREATE TABLE governance.decisions (
    decision_id uuid NOT NULL CONSTRAINT decisions_pkey PRIMARY KEY,
    tenant uuid NOT NULL,
    identity uuid NOT NULL,
    person uuid NOT NULL,
    agent text NOT NULL,
    request_id uuid NOT NULL,
    action_digest text NOT NULL,
    requires_checkpoint boolean NOT NULL,
    kind text NOT NULL,
    tool text NOT NULL,
    executor text NOT NULL,
    run text NOT NULL,
    thread text NOT NULL,
    sphere text NOT NULL,
    effect text NOT NULL
        CONSTRAINT decisions_effect CHECK (effect IN ('allow', 'warn', 'checkpoint', 'deny')),
    rule text NOT NULL,
    rule_revision text NOT NULL,
    warnings text[] NOT NULL,
    refusal text NOT NULL,
    facts jsonb NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT decisions_request UNIQUE (tenant, identity, person, request_id));
CREATE TABLE governance.actions (
    decision_id uuid NOT NULL CONSTRAINT actions_pkey PRIMARY KEY
        CONSTRAINT actions_decision_id_fkey REFERENCES governance.decisions,
    tenant uuid NOT NULL,
    identity uuid NOT NULL,
    action text NOT NULL);
CREATE TABLE governance.executions (
    decision_id uuid NOT NULL CONSTRAINT executions_pkey PRIMARY KEY
        CONSTRAINT executions_decision_id_fkey REFERENCES governance.decisions,
    tenant uuid NOT NULL,
    identity uuid NOT NULL,
    state text NOT NULL CONSTRAINT executions_state
        CHECK (state IN ('running', 'succeeded', 'failed', 'unknown')),
    reason text NOT NULL,
    finish_time timestamptz,
    report_time timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TABLE governance.freeze (
    single boolean NOT NULL DEFAULT true CONSTRAINT freeze_pkey PRIMARY KEY
        CONSTRAINT freeze_single CHECK (single),
    epoch bigint NOT NULL);
INSERT INTO governance.freeze (epoch) VALUES (0)"""

# What ended stays ended, whoever holds the connection.
EXECUTION_GUARD = """
CREATE FUNCTION governance.guard_execution() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF OLD.state IN ('succeeded', 'failed') OR NEW.state = 'running' THEN
        RAISE EXCEPTION 'an execution does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$"""
EXECUTION_TRIGGER = """
CREATE TRIGGER guard BEFORE UPDATE ON governance.executions
    FOR EACH ROW EXECUTE FUNCTION governance.guard_execution()"""


def upgrade() -> None:
    create_outbox()
    for statement in TABLES.split(";\n"):
        op.execute(statement)
    op.execute(EXECUTION_GUARD)
    op.execute(EXECUTION_TRIGGER)
    op.execute("ALTER TABLE governance.executions ENABLE ALWAYS TRIGGER guard")

    grant("decisions", app="SELECT, INSERT", worker="SELECT")
    enable_rls("decisions", app=OWN, app_check=f"{OWN} AND person = {PERSON}", worker="true")
    append_only("decisions")
    grant("actions", app="SELECT, INSERT")
    enable_rls("actions", app=OWN)
    append_only("actions", forbid="UPDATE OR TRUNCATE")
    grant(
        "executions",
        app="SELECT",
        worker="SELECT, INSERT, UPDATE (state, reason, finish_time, report_time)",
    )
    enable_rls("executions", app=OWN, worker="true")
    append_only("executions", forbid="DELETE OR TRUNCATE")
    grant("freeze", app="SELECT")
    enable_rls("freeze", app="true")


def downgrade() -> None:
    for table in ("freeze", "executions", "actions", "decisions"):
        op.execute(f"DROP TABLE governance.{table}")
    op.execute("DROP FUNCTION governance.guard_execution")
    drop_outbox()
    op.execute("DROP FUNCTION governance.refuse_change")
