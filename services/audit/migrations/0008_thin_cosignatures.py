"""Cosignatures older than a day are thinned: of each witness the last of every hour stays."""

from alembic import op

from kernel.migration.helpers import grant_execute

revision = "0008"
down_revision = "0007"

# A witness signs up to once a second. A head that one has signed stands for all before it, so the
# newest proves the log; the hourly ones stay as evidence of when it was how long. Nobody can ask
# for more than that to go.
THIN = """
CREATE FUNCTION audit.thin_cosignatures() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = audit, pg_temp AS $$
DECLARE
    gone bigint;
BEGIN
    ALTER TABLE cosignatures DISABLE TRIGGER append_only;
    DELETE FROM cosignatures c USING (
        SELECT witness, size, row_number() OVER (
            PARTITION BY witness, date_trunc('hour', create_time) ORDER BY size DESC) AS place
        FROM cosignatures
        WHERE create_time < date_trunc('hour', clock_timestamp() - interval '1 day')
    ) AS old WHERE old.place > 1 AND (c.witness, c.size) = (old.witness, old.size);
    GET DIAGNOSTICS gone = ROW_COUNT;
    ALTER TABLE cosignatures ENABLE ALWAYS TRIGGER append_only;
    RETURN gone;
END $$"""


def upgrade() -> None:
    op.execute(THIN)
    op.execute("REVOKE ALL ON FUNCTION audit.thin_cosignatures() FROM PUBLIC")
    grant_execute("thin_cosignatures()", app=False, worker=True)


def downgrade() -> None:
    op.execute("DROP FUNCTION audit.thin_cosignatures()")
