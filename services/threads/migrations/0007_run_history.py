"""What is told of a run in its thread is no content: it leaves the thread's etag as it was.

A checkpoint that waits may be about this very thread, at the version that was seen.
"""

from alembic import op

revision = "0007"
down_revision = "0006"

CHANGE = """
CREATE OR REPLACE FUNCTION threads.change(item jsonb) RETURNS threads.threads
LANGUAGE plpgsql AS $$
DECLARE
    thread threads.threads;
    new jsonb := item -> 'set';
BEGIN
    UPDATE threads.threads t SET
        title = coalesce(new ->> 'title', title),
        description = coalesce(new ->> 'description', description),
        kind = coalesce(new ->> 'kind', kind),
        visibility = coalesce(new ->> 'visibility', visibility),
        sphere = coalesce(new ->> 'sphere', sphere),
        status = coalesce(new ->> 'status', status),
        tags = CASE WHEN new ? 'tags'
            THEN ARRAY(SELECT jsonb_array_elements_text(new -> 'tags')) ELSE tags END,
        event_count = event_count + 1,
        version = version + %(step)s,
        revision = revision + CASE WHEN starts_with(item #>> '{event,type}', 'thread.')
            THEN 1 ELSE 0 END,
        changed_run = %(changed_run)s,
        version_before_run = CASE
            %(unmoved)sWHEN item ->> 'run' IS NULL THEN NULL
            WHEN changed_run = item ->> 'run' THEN version_before_run
            ELSE version END,
        update_time = clock_timestamp()
    WHERE t.thread_id = (item ->> 'thread_id')::uuid
    RETURNING * INTO STRICT thread;
    IF jsonb_typeof(item -> 'message') = 'object' THEN
        INSERT INTO threads.messages
            (message_id, thread_id, sequence_number, tenant, identity, role, content)
        VALUES ((item #>> '{message,id}')::uuid, thread.thread_id, thread.event_count,
            thread.tenant, current_setting('chenu.identity')::uuid, item #>> '{message,role}',
            item #>> '{message,content}');
    END IF;
    PERFORM threads.record_event(thread, item);
    RETURN thread;
END $$
"""


def upgrade() -> None:
    op.execute(
        CHANGE
        % {
            "step": "CASE WHEN item ? 'told' THEN 0 ELSE 1 END",
            "changed_run": "CASE WHEN item ? 'told' THEN changed_run ELSE item ->> 'run' END",
            "unmoved": "WHEN item ? 'told' THEN version_before_run\n            ",
        }
    )


def downgrade() -> None:
    op.execute(CHANGE % {"step": "1", "changed_run": "item ->> 'run'", "unmoved": ""})
