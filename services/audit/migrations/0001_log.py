"""The entries, the Merkle log over them, its heads, and how far each source has come."""

from alembic import op

from kernel.migration.helpers import (
    IDENTITY,
    TENANT,
    append_only,
    create_outbox,
    drop_outbox,
    enable_rls,
    grant,
)

revision = "0001"
down_revision = None

TABLES = (
    """CREATE TABLE audit.entries (
    index bigint PRIMARY KEY,
    kind text NOT NULL,
    source text NOT NULL,
    event_id uuid,
    tenant uuid NOT NULL,
    identity uuid,
    leaf bytea NOT NULL,
    leaf_hash bytea NOT NULL,
    action smallint NOT NULL,
    subject text NOT NULL,
    person text NOT NULL,
    agent text NOT NULL,
    service text NOT NULL,
    sphere text NOT NULL,
    stream text NOT NULL,
    request_id text NOT NULL,
    denial boolean NOT NULL,
    log_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (source, event_id)
)""",
    "COMMENT ON COLUMN audit.entries.kind IS 'event, manifest, conflict or quarantine'",
    "COMMENT ON COLUMN audit.entries.event_id IS 'null unless kind is event'",
    "COMMENT ON COLUMN audit.entries.denial IS 'a call was refused'",
    "CREATE INDEX entries_by_identity ON audit.entries (identity, index)",
    "CREATE INDEX entries_by_tenant ON audit.entries (tenant, index)",
    "CREATE INDEX entries_by_subject ON audit.entries (subject, index)",
    "CREATE INDEX entries_by_stream ON audit.entries (stream, index)",
    """CREATE TABLE audit.log (
    single boolean PRIMARY KEY DEFAULT true,
    size bigint NOT NULL DEFAULT 0,
    CONSTRAINT log_has_one_row CHECK (single)
)""",
    "INSERT INTO audit.log DEFAULT VALUES",
    """CREATE TABLE audit.tiles (
    level smallint,
    index bigint,
    hashes bytea NOT NULL,
    PRIMARY KEY (level, index)
)""",
    """CREATE TABLE audit.tree_heads (
    size bigint PRIMARY KEY,
    root bytea NOT NULL,
    note text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp()
)""",
    """CREATE TABLE audit.sources (
    source text PRIMARY KEY,
    number bigint NOT NULL,
    manifest_index bigint NOT NULL,
    receipted_number bigint NOT NULL DEFAULT 0
)""",
    "COMMENT ON COLUMN audit.sources.number IS 'every bundle up to it is held'",
    """CREATE TABLE audit.quarantine (
    index bigint PRIMARY KEY,
    source text NOT NULL,
    reason text NOT NULL,
    data bytea NOT NULL
)""",
)
# An auditor's transaction says so; only the servicer of a caller with that role does.
AUDITOR = "(SELECT current_setting('chenu.auditor', true) = 'on')"


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)
    create_outbox()
    grant("entries", app="SELECT", worker="SELECT, INSERT")
    grant("log", worker="SELECT, UPDATE (size)")
    grant("tiles", worker="SELECT, INSERT, UPDATE (hashes)")
    grant("tree_heads", worker="SELECT, INSERT")
    grant("sources", worker="SELECT, INSERT, UPDATE (number, manifest_index, receipted_number)")
    grant("quarantine", worker="SELECT, INSERT")
    enable_rls(
        "entries",
        app=f"tenant = {TENANT} AND (identity = {IDENTITY} OR {AUDITOR})",
        worker="true",
    )
    for table in ("entries", "tree_heads", "quarantine"):
        append_only(table)


def downgrade() -> None:
    drop_outbox()
    for table in ("quarantine", "sources", "tree_heads", "tiles", "log", "entries"):
        op.execute(f"DROP TABLE audit.{table}")
    op.execute("DROP FUNCTION audit.refuse_change()")
