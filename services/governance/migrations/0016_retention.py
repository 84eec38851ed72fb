"""What only serves for a while may go once no counter's window reaches it any more."""

from alembic import op

from kernel.migration.helpers import append_only, grant, policy

revision = "0016"
down_revision = "0015"

TABLES = ("counted", "shadow_verdicts")
# The longest window of a counter, whatever anybody sets (protos/…/rule.proto).
GUARD = """
CREATE FUNCTION governance.guard_retention() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF OLD.create_time > clock_timestamp() - interval '31 days' THEN
        RAISE EXCEPTION '% is kept for 31 days at least', TG_RELID::regclass
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN OLD;
END $$"""


def upgrade() -> None:
    op.execute(GUARD)
    for table in TABLES:
        op.execute(f"DROP TRIGGER append_only ON governance.{table}")
        append_only(table, forbid="UPDATE OR TRUNCATE")
        op.execute(
            f"CREATE TRIGGER guard BEFORE DELETE ON governance.{table}"
            " FOR EACH ROW EXECUTE FUNCTION governance.guard_retention()"
        )
        op.execute(f"ALTER TABLE governance.{table} ENABLE ALWAYS TRIGGER guard")
    grant("counted", worker="DELETE")
    grant("shadow_verdicts", worker="SELECT (decision_id, tenant, create_time), DELETE")
    policy("shadow_verdicts", "worker", role="worker", using="true")


def downgrade() -> None:
    op.execute("DROP POLICY worker ON governance.shadow_verdicts")
    op.execute("REVOKE ALL ON governance.shadow_verdicts FROM governance_worker")
    op.execute("REVOKE DELETE ON governance.counted FROM governance_worker")
    for table in TABLES:
        op.execute(f"DROP TRIGGER guard ON governance.{table}")
        op.execute(f"DROP TRIGGER append_only ON governance.{table}")
        append_only(table)
    op.execute("DROP FUNCTION governance.guard_retention")
