"""What a run's context and an executed action read, each by one call that sets the identity itself.

An effect is judged on what was read and then written by `threads.execute`, which looks under the
thread's lock whether it is still the one that was judged.
"""

from importlib import import_module

from alembic import op

from kernel.migration.helpers import grouped_write

revision = "0012"
down_revision = "0011"

# Of threads that a part of a title may mean: enough to tell one from several.
CONTEXT = """
CREATE FUNCTION threads.context(item jsonb) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
    wanted constant uuid := (item ->> 'thread_id')::uuid;
    newest constant bigint := (item ->> 'recent')::bigint;
    answer jsonb := '{}';
BEGIN
    IF wanted IS NOT NULL THEN
        SELECT jsonb_build_object('thread', to_jsonb(t) || jsonb_build_object('readers', ARRAY(
            SELECT p.identity FROM threads.participants p
            WHERE p.thread_id = t.thread_id AND p.leave_time IS NULL ORDER BY p.join_time)))
        INTO answer FROM threads.threads t WHERE t.thread_id = wanted;
        IF NOT FOUND THEN
            RETURN '{"thread": null}';
        END IF;
        answer := answer || jsonb_build_object('messages', (
            SELECT coalesce(jsonb_agg(jsonb_build_object('role', role, 'content', content)
                ORDER BY sequence_number), '[]')
            FROM (SELECT role, content, sequence_number FROM threads.messages
                WHERE thread_id = wanted
                ORDER BY sequence_number DESC LIMIT (item ->> 'messages')::bigint) said));
    END IF;
    IF newest = 0 AND jsonb_array_length(item -> 'words') = 0 THEN
        RETURN answer || '{"candidates": []}';
    END IF;
    RETURN answer || jsonb_build_object('candidates', (
        WITH words AS MATERIALIZED (
            SELECT DISTINCT threads.folded(value) AS word
            FROM jsonb_array_elements_text(item -> 'words')
        ), exact AS MATERIALIZED (
            SELECT w.word, t.thread_id
            FROM words w JOIN threads.threads t ON t.folded_title = w.word
            UNION
            SELECT CAST(t.thread_id AS text), t.thread_id FROM threads.threads t
            WHERE t.thread_id = ANY (ARRAY(
                SELECT value::uuid FROM jsonb_array_elements_text(item -> 'ids')))
        ), part AS (
            SELECT p.thread_id FROM words w CROSS JOIN LATERAL (
                SELECT thread_id FROM threads.threads
                WHERE strpos(folded_title, w.word) > 0
                ORDER BY update_time DESC LIMIT 20
            ) p
            WHERE w.word <> '' AND NOT EXISTS (SELECT FROM exact e WHERE e.word = w.word)
        ), recent AS (
            SELECT thread_id FROM threads.threads
            ORDER BY update_time DESC, thread_id DESC LIMIT newest
        )
        SELECT coalesce(jsonb_agg(to_jsonb(t) ORDER BY update_time DESC, thread_id DESC), '[]')
        FROM threads.threads t
        WHERE thread_id IN (SELECT thread_id FROM exact
            UNION SELECT thread_id FROM part UNION SELECT thread_id FROM recent)));
END $$
"""

# A thread is read for whoever may change it, and for no other reader.
READ_FIRST = """
CREATE FUNCTION threads.read_first(item jsonb) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
    wanted constant uuid := (item ->> 'thread_id')::uuid;
    words constant text := threads.folded(item ->> 'query');
    within constant text := item ->> 'sphere';
    answer jsonb;
BEGIN
    IF EXISTS (SELECT FROM threads.executions
        WHERE decision_id = (item ->> 'decision_id')::uuid) THEN
        RETURN '{"executed": true}';
    END IF;
    IF words IS NOT NULL THEN
        RETURN jsonb_build_object('found', (
            SELECT coalesce(jsonb_agg(to_jsonb(f) ORDER BY update_time DESC, thread_id DESC), '[]')
            FROM (
                SELECT t.thread_id, t.title, t.sphere, t.status, t.description, t.update_time,
                    m.content
                FROM threads.threads t
                LEFT JOIN LATERAL (
                    SELECT content FROM threads.messages
                    WHERE thread_id = t.thread_id AND strpos(threads.folded(content), words) > 0
                    ORDER BY sequence_number DESC LIMIT 1
                ) m ON true
                WHERE (within = '' OR t.sphere = within)
                  AND (
                    strpos(t.folded_title, words) > 0
                    OR strpos(threads.folded(t.description), words) > 0
                    OR m.content IS NOT NULL
                  )
                ORDER BY t.update_time DESC, t.thread_id DESC
                LIMIT (item ->> 'limit')::bigint
            ) f));
    END IF;
    SELECT jsonb_build_object('thread', to_jsonb(t)) INTO answer FROM threads.threads t
    WHERE t.thread_id = wanted
      AND (t.owner_identity = current_setting('chenu.identity')::uuid
        OR t.thread_id = ANY (threads.joined('{editor}')));
    IF NOT FOUND THEN
        RETURN '{"thread": null}';
    END IF;
    IF item ? 'messages' THEN
        answer := answer || jsonb_build_object('messages', (
            SELECT coalesce(jsonb_agg(to_jsonb(m) ORDER BY sequence_number), '[]')
            FROM (SELECT role, content, create_time, sequence_number FROM threads.messages
                WHERE thread_id = wanted
                ORDER BY sequence_number LIMIT (item ->> 'messages')::bigint) m));
    END IF;
    RETURN answer;
END $$
"""

EXECUTE = """
CREATE OR REPLACE FUNCTION threads.execute(item jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    thread threads.threads;
    tool constant text := item ->> 'tool';
BEGIN
    INSERT INTO threads.executions (decision_id, permit_id, action_digest, tenant, identity, tool,
        state, reason, outcome, finished_at, permit)
    VALUES ((item ->> 'decision_id')::uuid, item ->> 'permit_id', item ->> 'action_digest',
        current_setting('chenu.tenant')::uuid, current_setting('chenu.identity')::uuid,
        tool, 'SUCCEEDED', 'OK', item -> 'outcome', clock_timestamp(),
        coalesce(item ->> 'permit', ''));
    IF clock_timestamp() >= (item ->> 'last_moment')::timestamptz THEN
        RAISE EXCEPTION 'the permit has run out' USING ERRCODE = 'TH003';
    END IF;
    IF item ? 'found' THEN
        PERFORM threads.found(item -> 'found');
        RETURN item -> 'outcome';
    ELSIF item ? 'answer' THEN
        INSERT INTO threads.search_answers (decision_id, tenant, identity, answer)
        VALUES ((item ->> 'decision_id')::uuid, current_setting('chenu.tenant')::uuid,
            current_setting('chenu.identity')::uuid, item -> 'answer');
        RETURN item -> 'outcome';
    END IF;
    SELECT * INTO thread FROM threads.threads
        WHERE thread_id = (item ->> 'thread_id')::uuid FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    ELSIF item ? 'seen' THEN
        IF thread.event_count <> (item ->> 'seen')::bigint THEN
            RAISE EXCEPTION 'the thread is not as it was read' USING ERRCODE = 'TH004';
        END IF;
    ELSIF thread.status = 'archived' THEN
        RAISE EXCEPTION 'the thread is archived' USING ERRCODE = 'TH001';
    ELSIF thread.sphere <> item ->> 'sphere' OR item ->> 'name' NOT IN ('', thread.title) THEN
        RAISE EXCEPTION 'not the thread that was planned for' USING ERRCODE = 'TH002';
    END IF;
    IF item ? 'change' THEN
        PERFORM threads.change(item -> 'change');
    END IF;
    IF tool = 'thread.delete' THEN
        PERFORM threads.delete_thread(thread.thread_id);
    ELSIF tool = 'thread.share' THEN
        PERFORM threads.share_thread(thread.thread_id, (item ->> 'reader')::uuid);
    ELSIF tool = 'thread.unshare' THEN
        IF NOT threads.unshare_thread(thread.thread_id, (item ->> 'reader')::uuid) THEN
            RAISE EXCEPTION 'not shared with that identity' USING ERRCODE = 'TH005';
        END IF;
    END IF;
    RETURN item -> 'outcome';
END $$
"""


def upgrade() -> None:
    for function in (CONTEXT, READ_FIRST, EXECUTE):
        op.execute(function)
    grouped_write("context")
    grouped_write("read_first")


def downgrade() -> None:
    op.execute(import_module("services.threads.migrations.0008_permits").EXECUTE)
    for function in ("context", "read_first"):
        op.execute(f"DROP FUNCTION threads.{function}_group")
        op.execute(f"DROP FUNCTION threads.{function}")
