"""A run is read by one statement, which concurrent callers share."""

from alembic import op

from kernel.migration.helpers import grouped_write

revision = "0006"
down_revision = "0005"

READ = """
CREATE FUNCTION nova.read_run(asked jsonb) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN coalesce((SELECT jsonb_build_object('run', encode(c.run, 'base64'), 'state', r.state)
        FROM nova.runs AS r JOIN nova.run_contents AS c USING (run_id)
        WHERE r.run_id = (asked ->> 'run_id')::uuid), '{}');
END $$"""
LOAD = """
CREATE FUNCTION nova.load_run(asked jsonb) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN coalesce((SELECT jsonb_build_object('run', encode(c.run, 'base64'),
            'journal', c.journal, 'delegation', c.delegation, 'version', r.version,
            'cancel_reason', r.cancel_reason,
            'sequence', (SELECT coalesce(max(e.sequence_number), 0) FROM nova.run_events AS e
                WHERE e.run_id = r.run_id))
        FROM nova.runs AS r JOIN nova.run_contents AS c USING (run_id)
        WHERE r.run_id = (asked ->> 'run_id')::uuid), '{}');
END $$"""


def upgrade() -> None:
    for statement, name in ((READ, "read_run"), (LOAD, "load_run")):
        op.execute(statement)
        grouped_write(name)


def downgrade() -> None:
    for name in ("read_run", "load_run"):
        op.execute(f"DROP FUNCTION nova.{name}_group")
        op.execute(f"DROP FUNCTION nova.{name}")
