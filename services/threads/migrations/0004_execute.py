"""Founding a thread and adding a message as executed actions: fence and effect in one function.

Called for a group of actions at once, each under its own identity. A decision that was executed
before violates the primary key of `executions`, and so the whole item comes to nothing.
"""

from alembic import op

from kernel.migration.helpers import grouped_write

revision = "0004"
down_revision = "0003"

EXECUTE = """
CREATE FUNCTION threads.execute(item jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    thread threads.threads;
BEGIN
    INSERT INTO threads.executions (decision_id, permit_id, action_digest, tenant, identity, tool,
        state, reason, outcome, finished_at)
    VALUES ((item ->> 'decision_id')::uuid, item ->> 'permit_id', item ->> 'action_digest',
        current_setting('chenu.tenant')::uuid, current_setting('chenu.identity')::uuid,
        item ->> 'tool', 'SUCCEEDED', 'OK', item -> 'outcome', clock_timestamp());
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
    op.execute(EXECUTE)
    grouped_write("execute")


def downgrade() -> None:
    arrays = "text[], text[], text[], jsonb[], uuid[], text[], bigint[], bytea[]"
    op.execute(f"DROP FUNCTION threads.execute_group({arrays})")
    op.execute("DROP FUNCTION threads.execute(jsonb)")
