"""Tree heads older than a day are thinned, as cosignatures are: the last of every hour stays.

And what tells of prunings is found at once: whoever publishes the log asks for the latest.
"""

from alembic import op

from kernel.migration.helpers import grant_execute

revision = "0009"
down_revision = "0008"

# A head is signed for each batch, up to some a second. The newest stands for all before it; the
# earlier ones tell where a log was changed. Those that a witness has cosigned stay as evidence,
# and all in the last lowest tile, since no hash of a full tile tells yet what stands there.
THIN = """
CREATE FUNCTION audit.thin_tree_heads(most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = audit, pg_temp AS $$
DECLARE
    gone bigint;
BEGIN
    ALTER TABLE tree_heads DISABLE TRIGGER append_only;
    DELETE FROM tree_heads WHERE size IN (
        SELECT old.size FROM (
            SELECT size, row_number() OVER (
                PARTITION BY date_trunc('hour', create_time) ORDER BY size DESC) AS place
            FROM tree_heads
            WHERE create_time < date_trunc('hour', clock_timestamp() - interval '1 day')
        ) AS old
        WHERE old.place > 1 AND old.size <= (SELECT log.size / 256 * 256 FROM log)
            AND NOT EXISTS (SELECT FROM cosignatures c WHERE c.size = old.size)
        ORDER BY old.size LIMIT most);
    GET DIAGNOSTICS gone = ROW_COUNT;
    ALTER TABLE tree_heads ENABLE ALWAYS TRIGGER append_only;
    RETURN gone;
END $$"""


PRUNINGS = """CREATE INDEX entries_prunings ON audit.entries (index)
    WHERE type = 'chenu.audit.entries.pruned'"""


def upgrade() -> None:
    op.execute(PRUNINGS)
    op.execute(THIN)
    op.execute("REVOKE ALL ON FUNCTION audit.thin_tree_heads(integer) FROM PUBLIC")
    grant_execute("thin_tree_heads(integer)", app=False, worker=True)


def downgrade() -> None:
    op.execute("DROP INDEX audit.entries_prunings")
    op.execute("DROP FUNCTION audit.thin_tree_heads(integer)")
