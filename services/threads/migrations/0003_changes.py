"""How a thread is founded, changed and deleted: with its event, its version and its count at once.

They run with the caller's rights, under row-level security, but for the last one: whoever
deletes a thread cannot see it any more, and so could not have changed it himself.
"""

from alembic import op

from kernel.migration.helpers import grant_execute

revision = "0003"
down_revision = "0002"

RECORD_EVENT = """
CREATE FUNCTION threads.record_event(thread threads.threads, item jsonb) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO threads.thread_events (event_id, thread_id, sequence_number, tenant, type,
        payload_digest, actor_type, actor_id, identity, decision)
    VALUES ((item #>> '{event,id}')::uuid, thread.thread_id, thread.event_count, thread.tenant,
        item #>> '{event,type}', item #>> '{event,digest}', item #>> '{author,type}',
        item #>> '{author,id}', current_setting('chenu.identity')::uuid,
        (item ->> 'decision')::uuid);
    INSERT INTO threads.event_payloads (event_id, thread_id, payload)
    VALUES ((item #>> '{event,id}')::uuid, thread.thread_id, item #> '{event,payload}');
END $$
"""

FOUND = """
CREATE FUNCTION threads.found(item jsonb) RETURNS threads.threads LANGUAGE plpgsql AS $$
DECLARE
    thread threads.threads;
BEGIN
    INSERT INTO threads.threads (thread_id, tenant, owner_identity, founder, title,
        founding_intent, description, sphere, kind, ownership, visibility, status, tags,
        event_count, version, revision, changed_run, version_before_run)
    VALUES ((item ->> 'thread_id')::uuid, current_setting('chenu.tenant')::uuid,
        current_setting('chenu.identity')::uuid, current_setting('chenu.person')::uuid,
        item ->> 'title', item ->> 'founding_intent', item ->> 'description', item ->> 'sphere',
        item ->> 'kind', item ->> 'ownership', item ->> 'visibility', 'active',
        ARRAY(SELECT jsonb_array_elements_text(item -> 'tags')), 1, 1, 1, item ->> 'run',
        CASE WHEN item ->> 'run' IS NOT NULL THEN 0 END)
    RETURNING * INTO thread;
    PERFORM threads.record_event(thread, item);
    RETURN thread;
END $$
"""

# A run may change a thread several times: `version_before_run` stays what the run had found.
CHANGE = """
CREATE FUNCTION threads.change(item jsonb) RETURNS threads.threads LANGUAGE plpgsql AS $$
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
        version = version + 1,
        revision = revision + CASE WHEN starts_with(item #>> '{event,type}', 'thread.')
            THEN 1 ELSE 0 END,
        changed_run = item ->> 'run',
        version_before_run = CASE
            WHEN item ->> 'run' IS NULL THEN NULL
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

DELETE_THREAD = """
CREATE FUNCTION threads.delete_thread(deleted uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    UPDATE threads.threads SET delete_time = clock_timestamp()
    WHERE thread_id = deleted AND delete_time IS NULL
      AND tenant = current_setting('chenu.tenant')::uuid
      AND owner_identity = current_setting('chenu.identity')::uuid;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'not the owner''s thread' USING ERRCODE = 'no_data_found';
    END IF;
END $$
"""

FUNCTIONS = (
    "record_event(threads.threads, jsonb)",
    "found(jsonb)",
    "change(jsonb)",
    "delete_thread(uuid)",
)


def upgrade() -> None:
    for statement in (RECORD_EVENT, FOUND, CHANGE, DELETE_THREAD):
        op.execute(statement)
    for function in FUNCTIONS:
        grant_execute(function)


def downgrade() -> None:
    for function in reversed(FUNCTIONS):
        op.execute(f"DROP FUNCTION threads.{function}")
