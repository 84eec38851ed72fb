"""What entries are searched by, the versions held of each stream, and what is amiss."""

from alembic import op

from kernel.migration.helpers import enable_rls, grant

revision = "0002"
down_revision = "0001"

COLUMNS = {
    "type": "text NOT NULL DEFAULT ''",
    "method": "text NOT NULL DEFAULT ''",
    "outcome": "text NOT NULL DEFAULT ''",
    "trace_id": "text NOT NULL DEFAULT ''",
    "version": "bigint NOT NULL DEFAULT 0",
    "targets": "text[] NOT NULL DEFAULT '{}'",
    "bundle": "bigint",
    "event_time": "timestamptz",
}
# The columns only repeat what the leaf says; the leaf and its hash stay as they are.
FILL = """
    UPDATE audit.entries e SET type = j ->> 'type', method = coalesce(j #>> '{data,method}', ''),
        outcome = coalesce(j #>> '{data,outcome}', ''),
        trace_id = coalesce(j #>> '{data,trace_id}', ''),
        version = coalesce((j #>> '{data,version}')::bigint, 0),
        event_time = (j ->> 'time')::timestamptz
    FROM (SELECT index AS at, convert_from(leaf, 'UTF8')::jsonb AS j
        FROM audit.entries WHERE kind = 'event') AS parsed WHERE e.index = parsed.at"""
STREAMS = """
    INSERT INTO audit.streams (source, stream, highest, held)
    SELECT source, stream, max(version), count(DISTINCT version) FROM audit.entries
    WHERE kind = 'event' AND stream <> '' AND version > 0 GROUP BY source, stream"""
TABLES = (
    """CREATE TABLE audit.streams (
    source text,
    stream text,
    highest bigint NOT NULL,
    held bigint NOT NULL,
    update_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source, stream)
)""",
    "COMMENT ON COLUMN audit.streams.held IS 'fewer than highest: a hole'",
    "CREATE INDEX streams_with_holes ON audit.streams (update_time) WHERE held <> highest",
    """CREATE TABLE audit.progress (
    name text PRIMARY KEY,
    index bigint NOT NULL
)""",
    "COMMENT ON COLUMN audit.progress.index IS 'the next entry to be looked at'",
    """CREATE TABLE audit.alerts (
    alert_id uuid PRIMARY KEY,
    kind text NOT NULL,
    source text NOT NULL,
    subject text NOT NULL,
    details jsonb NOT NULL,
    open_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    close_time timestamptz
)""",
    """CREATE UNIQUE INDEX alerts_open ON audit.alerts (kind, source, subject)
    WHERE close_time IS NULL""",
)


def upgrade() -> None:
    for name, kind in COLUMNS.items():
        op.execute(f"ALTER TABLE audit.entries ADD COLUMN {name} {kind}")
    op.execute(
        "COMMENT ON COLUMN audit.entries.bundle IS 'number; null where its source was asked for it'"
    )
    op.execute("COMMENT ON COLUMN audit.entries.event_time IS 'by the source''s clock'")
    for statement in TABLES:
        op.execute(statement)
    op.execute("ALTER TABLE audit.entries DISABLE TRIGGER append_only")
    op.execute("ALTER TABLE audit.entries NO FORCE ROW LEVEL SECURITY")
    op.execute(FILL)
    op.execute(STREAMS)
    op.execute("ALTER TABLE audit.entries FORCE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE audit.entries ENABLE ALWAYS TRIGGER append_only")
    op.execute("CREATE INDEX entries_denied ON audit.entries (index) WHERE denial")
    op.execute(
        "CREATE INDEX entries_by_request ON audit.entries (request_id) WHERE request_id <> ''"
    )
    op.execute("ALTER TABLE audit.sources ADD COLUMN generation bigint NOT NULL DEFAULT 0")
    op.execute(
        "ALTER TABLE audit.sources"
        " ADD COLUMN heard_time timestamptz NOT NULL DEFAULT clock_timestamp()"
    )
    op.execute(
        "COMMENT ON COLUMN audit.sources.heard_time IS"
        " 'even an idle source sends a bundle every ten seconds'"
    )
    grant("sources", worker="UPDATE (generation, heard_time)")
    grant("streams", worker="SELECT, INSERT, UPDATE (highest, held, update_time)")
    grant("progress", worker="SELECT, INSERT, UPDATE (index)")
    grant("alerts", worker="SELECT, INSERT, UPDATE (close_time)")
    for table in ("streams", "progress", "alerts"):
        enable_rls(table, worker="true")


def downgrade() -> None:
    for table in ("alerts", "progress", "streams"):
        op.execute(f"DROP TABLE audit.{table}")
    for name in ("heard_time", "generation"):
        op.execute(f"ALTER TABLE audit.sources DROP COLUMN {name}")
    op.execute("DROP INDEX audit.entries_by_request")
    op.execute("DROP INDEX audit.entries_denied")
    for name in reversed(COLUMNS):
        op.execute(f"ALTER TABLE audit.entries DROP COLUMN {name}")
