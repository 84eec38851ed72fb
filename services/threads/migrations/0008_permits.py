"""The permit that a decision was executed by is kept beside its execution, as it was signed."""

from importlib import import_module

from alembic import op

revision = "0008"
down_revision = "0007"

EXECUTE = """
CREATE OR REPLACE FUNCTION threads.execute(item jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    thread threads.threads;
BEGIN
    INSERT INTO threads.executions (decision_id, permit_id, action_digest, tenant, identity, tool,
        state, reason, outcome, finished_at, permit)
    VALUES ((item ->> 'decision_id')::uuid, item ->> 'permit_id', item ->> 'action_digest',
        current_setting('chenu.tenant')::uuid, current_setting('chenu.identity')::uuid,
        item ->> 'tool', 'SUCCEEDED', 'OK', item -> 'outcome', clock_timestamp(),
        coalesce(item ->> 'permit', ''));
    IF clock_timestamp() >= (item ->> 'last_moment')::timestamptz THEN
        RAISE EXCEPTION 'the permit has run out' USING ERRCODE = 'TH003';
    END IF;
    IF item ? 'found' THEN
        PERFORM threads.found(item -> 'found');
        RETURN item -> 'outcome';
    END IF;
    SELECT * INTO thread FROM threads.threads
        WHERE thread_id = (item #>> '{change,thread_id}')::uuid FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    ELSIF thread.status = 'archived' THEN
        RAISE EXCEPTION 'the thread is archived' USING ERRCODE = 'TH001';
    ELSIF thread.sphere <> item ->> 'sphere' OR item ->> 'name' NOT IN ('', thread.title) THEN
        RAISE EXCEPTION 'not the thread that was planned for' USING ERRCODE = 'TH002';
    END IF;
    PERFORM threads.change(item -> 'change');
    RETURN item -> 'outcome';
END $$
"""


def upgrade() -> None:
    op.execute("ALTER TABLE threads.executions ADD COLUMN permit text NOT NULL DEFAULT ''")
    op.execute(EXECUTE)


def downgrade() -> None:
    op.execute(import_module("services.threads.migrations.0005_permit_end").EXECUTE)
    op.execute("ALTER TABLE threads.executions DROP COLUMN permit")
