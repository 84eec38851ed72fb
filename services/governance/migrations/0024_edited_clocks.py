"""The clocks of what waits are those of the rule that stops its edit; no end is ever put off."""

from alembic import op

from kernel.migration.helpers import grant

revision = "0024"
down_revision = "0023"

GUARD = """
CREATE FUNCTION governance.guard_ends() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.expire_time > OLD.expire_time OR NEW.execute_by > OLD.execute_by
        OR NEW.execute_by IS NULL AND OLD.execute_by IS NOT NULL THEN
        RAISE EXCEPTION 'the end of a checkpoint is not put off'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$"""
TRIGGER = """
CREATE TRIGGER guard_ends BEFORE UPDATE ON governance.checkpoints FOR EACH ROW
    WHEN ((OLD.expire_time, OLD.execute_by) IS DISTINCT FROM (NEW.expire_time, NEW.execute_by))
    EXECUTE FUNCTION governance.guard_ends()"""
ENDS = "expire_time, execute_by"


def upgrade() -> None:
    op.execute(GUARD)
    op.execute(TRIGGER)
    op.execute("ALTER TABLE governance.checkpoints ENABLE ALWAYS TRIGGER guard_ends")
    grant("checkpoints", app=f"UPDATE ({ENDS})")


def downgrade() -> None:
    op.execute(f"REVOKE UPDATE ({ENDS}) ON governance.checkpoints FROM governance_app")
    op.execute("DROP TRIGGER guard_ends ON governance.checkpoints")
    op.execute("DROP FUNCTION governance.guard_ends")
