"""The log's size and tiles only grow; the outbox forgets only what audit has vouched for."""

from alembic import op

from kernel.migration.helpers import append_only, delete_at_will, keep_until_released

revision = "0004"
down_revision = "0003"

GROWS = {
    "log": "NEW.size >= OLD.size",
    "tiles": "(NEW.level, NEW.index) = (OLD.level, OLD.index)"
    " AND substring(NEW.hashes FOR length(OLD.hashes)) = OLD.hashes",
}


def upgrade() -> None:
    keep_until_released()
    for table, grows in GROWS.items():
        append_only(table, forbid="DELETE OR TRUNCATE")
        op.execute(
            f"CREATE FUNCTION audit.{table}_only_grows() RETURNS trigger LANGUAGE plpgsql"
            f" AS $$ BEGIN IF {grows} THEN RETURN NEW; END IF;"
            " RAISE EXCEPTION '% only grows', TG_RELID::regclass"
            " USING ERRCODE = 'insufficient_privilege'; END $$"
        )
        op.execute(
            f"CREATE TRIGGER only_grows BEFORE UPDATE ON audit.{table}"
            f" FOR EACH ROW EXECUTE FUNCTION audit.{table}_only_grows()"
        )
        op.execute(f"ALTER TABLE audit.{table} ENABLE ALWAYS TRIGGER only_grows")


def downgrade() -> None:
    for table in GROWS:
        op.execute(f"DROP TRIGGER only_grows ON audit.{table}")
        op.execute(f"DROP TRIGGER append_only ON audit.{table}")
        op.execute(f"DROP FUNCTION audit.{table}_only_grows()")
    delete_at_will()
