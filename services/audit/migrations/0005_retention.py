"""Legal holds, what was erased, and pruning: the one way in which an entry ever goes."""

from alembic import op

from kernel.migration.helpers import TENANT, append_only, enable_rls, grant, grant_execute, policy

revision = "0005"
down_revision = "0004"

TABLES = (
    """CREATE TABLE audit.holds (
    hold_id uuid PRIMARY KEY,
    tenant uuid NOT NULL,
    person uuid,
    matter text NOT NULL,
    place_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    release_time timestamptz
)""",
    "COMMENT ON COLUMN audit.holds.person IS 'null for the whole tenant'",
    """CREATE TABLE audit.prunings (
    minimum_index bigint PRIMARY KEY,
    rule text NOT NULL,
    entries bigint NOT NULL,
    prune_time timestamptz NOT NULL DEFAULT clock_timestamp()
)""",
    "COMMENT ON COLUMN audit.prunings.minimum_index IS 'what is before it is gone, but manifests'",
)
# Entries are append-only for every role, this function's owner too: for its own statement it
# lifts the guard, in the same transaction, and puts it back. Manifests stay: by them a bundle
# that comes again is recognised.
PRUNE = """
CREATE FUNCTION audit.prune(before bigint, named text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = audit, pg_temp AS $$
DECLARE
    gone bigint;
BEGIN
    IF before > (SELECT coalesce(max(size), 0) FROM tree_heads)
        OR before <= (SELECT coalesce(max(minimum_index), 0) FROM prunings) THEN
        RETURN 0;
    END IF;
    IF EXISTS (SELECT FROM holds h JOIN entries e ON e.tenant = h.tenant
        AND (h.person IS NULL OR e.person = h.person::text OR e.personal = h.person)
        WHERE h.release_time IS NULL AND e.index < before) THEN
        RAISE EXCEPTION 'a legal hold covers some of these' USING ERRCODE = 'object_in_use';
    END IF;
    ALTER TABLE entries DISABLE TRIGGER append_only;
    ALTER TABLE quarantine DISABLE TRIGGER append_only;
    DELETE FROM quarantine WHERE index < before;
    DELETE FROM entries WHERE index < before AND kind <> 'manifest';
    GET DIAGNOSTICS gone = ROW_COUNT;
    ALTER TABLE entries ENABLE ALWAYS TRIGGER append_only;
    ALTER TABLE quarantine ENABLE ALWAYS TRIGGER append_only;
    INSERT INTO prunings (minimum_index, rule, entries) VALUES (before, named, gone);
    RETURN gone;
END $$"""


def upgrade() -> None:
    op.execute("ALTER TABLE audit.entries ADD COLUMN personal uuid")
    op.execute("COMMENT ON COLUMN audit.entries.personal IS 'of whom it holds something sealed'")
    op.execute(
        "CREATE INDEX entries_personal ON audit.entries (personal) WHERE personal IS NOT NULL"
    )
    for statement in (*TABLES, PRUNE):
        op.execute(statement)
    grant("holds", app="SELECT, INSERT, UPDATE (release_time)", worker="SELECT")
    grant("prunings", worker="SELECT")
    enable_rls("holds", app=f"tenant = {TENANT}", worker="true", owner="true")
    enable_rls("prunings", worker="true", owner="true")
    append_only("prunings")
    op.execute("REVOKE ALL ON FUNCTION audit.prune(bigint, text) FROM PUBLIC")
    grant_execute("prune(bigint, text)", app=False, worker=True)
    policy("entries", "prune", role="owner", using="true")


def downgrade() -> None:
    op.execute("DROP POLICY prune ON audit.entries")
    op.execute("DROP FUNCTION audit.prune(bigint, text)")
    for table in ("prunings", "holds"):
        op.execute(f"DROP TABLE audit.{table}")
    op.execute("DROP INDEX audit.entries_personal")
    op.execute("ALTER TABLE audit.entries DROP COLUMN personal")
