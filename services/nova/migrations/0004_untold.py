"""A run that could not tell its thread how it ended: the identity's next run there tells it."""

from importlib import import_module

from alembic import op

from kernel.migration.helpers import grant

revision = "0004"
down_revision = "0003"

# As in 0001; a run that has ended may leave its thread untold.
WRITE = """
CREATE OR REPLACE FUNCTION nova.write_run(p jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE %(principal)s
    the_worker uuid := (p->>'worker_id')::uuid;
    cancel text;
BEGIN
    UPDATE nova.runs SET state = (p->>'state')::smallint, version = (p->>'version')::bigint,
        update_time = clock_timestamp(), untold = coalesce((p->>'untold')::boolean, false),
        worker_id = CASE WHEN (p->>'keep')::boolean THEN the_worker END
    WHERE run_id = the_run AND worker_id = the_worker AND EXISTS (
        SELECT FROM nova.workers w
        WHERE w.worker_id = the_worker AND w.expire_time > clock_timestamp())
    RETURNING cancel_reason INTO cancel;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the run is not this worker''s' USING ERRCODE = 'CH001';
    END IF;
    UPDATE nova.run_contents SET run = decode(p->>'run', 'base64'), journal = p->'journal'
    WHERE run_id = the_run;
    IF p->>'delegation' = '' THEN
        DELETE FROM nova.run_delegations WHERE run_id = the_run;
    ELSE
        UPDATE nova.run_delegations SET token = p->>'delegation'
        WHERE run_id = the_run AND token <> p->>'delegation';
    END IF;
    %(events)s
    RETURN jsonb_build_object('cancel_reason', cancel);
END $$"""


def upgrade() -> None:
    op.execute("ALTER TABLE nova.runs ADD COLUMN untold boolean NOT NULL DEFAULT false")
    grant("runs", app="UPDATE (untold)")
    write(WRITE)


def downgrade() -> None:
    write(import_module("services.nova.migrations.0001_runs").WRITE)
    op.execute("ALTER TABLE nova.runs DROP COLUMN untold")


def write(function: str) -> None:
    """Replace the function by this text of it."""
    first = import_module("services.nova.migrations.0001_runs")
    op.execute(function % {"principal": first.PRINCIPAL, "events": first.EVENTS})
