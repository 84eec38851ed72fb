"""What an executor says of an action whose end a person has told otherwise, once and for good."""

from importlib import import_module

from alembic import op

from kernel.migration.helpers import grant

revision = "0020"
down_revision = "0019"

COLUMN = """
ALTER TABLE governance.executions ADD COLUMN contradicted_by text
    CONSTRAINT executions_contradicted_by CHECK (contradicted_by IN ('succeeded', 'failed'))"""
# As in 0001; beside an end that a person has told the other one may be noted, once.
GUARD = """
CREATE OR REPLACE FUNCTION governance.guard_execution() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.reason = 'RECONCILED' AND OLD.contradicted_by IS NULL
        AND NEW.contradicted_by <> OLD.state
        AND to_jsonb(NEW) - 'contradicted_by'::text = to_jsonb(OLD) - 'contradicted_by'::text THEN
        RETURN NEW;
    END IF;
    IF OLD.state IN ('succeeded', 'failed') OR NEW.state = 'running'
        OR NEW.contradicted_by IS NOT NULL THEN
        RAISE EXCEPTION 'an execution does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$"""
# A checkpoint that has ended does not change any more: its last version is told of twice.
NOTICES = """
ALTER TABLE governance.notices DROP CONSTRAINT notices_event;
ALTER TABLE governance.notices ADD CONSTRAINT notices_event
    CHECK (event IN ('created', 'reminded', 'escalated', 'resolved', 'contradicted'));
ALTER TABLE governance.notices DROP CONSTRAINT notices_once;
ALTER TABLE governance.notices ADD CONSTRAINT notices_once UNIQUE (checkpoint_id, version, event)"""
NOTICES_BEFORE = """
DELETE FROM governance.notices WHERE event = 'contradicted';
ALTER TABLE governance.notices DROP CONSTRAINT notices_event;
ALTER TABLE governance.notices ADD CONSTRAINT notices_event
    CHECK (event IN ('created', 'reminded', 'escalated', 'resolved'));
ALTER TABLE governance.notices DROP CONSTRAINT notices_once;
ALTER TABLE governance.notices ADD CONSTRAINT notices_once UNIQUE (checkpoint_id, version)"""


def upgrade() -> None:
    op.execute(COLUMN)
    op.execute(GUARD)
    grant("executions", worker="UPDATE (contradicted_by)")
    for statement in NOTICES.split(";\n"):
        op.execute(statement)
    grant("notices", worker="INSERT")


def downgrade() -> None:
    op.execute("REVOKE INSERT ON governance.notices FROM governance_worker")
    for statement in NOTICES_BEFORE.split(";\n"):
        op.execute(statement)
    before = import_module("services.governance.migrations.0001_decisions").EXECUTION_GUARD
    op.execute(before.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
    op.execute("ALTER TABLE governance.executions DROP COLUMN contradicted_by")
