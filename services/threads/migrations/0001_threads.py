"""Threads, who takes part in them, their history, what was said, and what was executed."""

from alembic import op

from kernel.migration.helpers import (
    append_only,
    create_outbox,
    create_requests,
    drop_outbox,
    grant,
)

revision = "0001"
down_revision = None

CHANGEABLE = (
    "title, description, kind, visibility, tags, sphere, status,"
    " event_count, version, revision, changed_run, version_before_run, update_time"
)

FOLDED = r"""
CREATE FUNCTION threads.folded(text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN lower(btrim(regexp_replace(
    regexp_replace(normalize($1, NFD), '[\u0300-\u036f]', '', 'g'), '\s+', ' ', 'g'
)))
"""

TABLES = (
    """CREATE TABLE threads.threads (
    thread_id uuid PRIMARY KEY,
    tenant uuid NOT NULL,
    owner_identity uuid NOT NULL,
    founder uuid NOT NULL,
    title text NOT NULL,
    founding_intent text NOT NULL,
    description text NOT NULL,
    sphere text NOT NULL,
    kind text NOT NULL,
    ownership text NOT NULL,
    visibility text NOT NULL,
    status text NOT NULL,
    tags text[] NOT NULL,
    event_count bigint NOT NULL,
    version bigint NOT NULL,
    revision bigint NOT NULL,
    changed_run text,
    version_before_run bigint,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    update_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    delete_time timestamptz,
    folded_title text NOT NULL GENERATED ALWAYS AS (threads.folded(title)) STORED
)""",
    "COMMENT ON COLUMN threads.threads.version IS 'of the content; its etag'",
    "COMMENT ON COLUMN threads.threads.revision IS 'without what is said in it'",
    "COMMENT ON COLUMN threads.threads.changed_run IS 'the run that made the last change'",
    "COMMENT ON COLUMN threads.threads.version_before_run IS 'the version that this run found'",
    "COMMENT ON COLUMN threads.threads.delete_time IS 'set: nobody can read it any more'",
    """CREATE INDEX threads_by_time ON threads.threads
    (owner_identity, update_time DESC, thread_id DESC)""",
    "CREATE INDEX threads_by_title ON threads.threads (owner_identity, folded_title)",
    """CREATE TABLE threads.participants (
    thread_id uuid NOT NULL REFERENCES threads.threads,
    identity uuid NOT NULL,
    tenant uuid NOT NULL,
    role text NOT NULL CHECK (role IN ('editor', 'viewer')),
    join_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    leave_time timestamptz,
    PRIMARY KEY (thread_id, identity)
)""",
    "COMMENT ON COLUMN threads.participants.role IS 'editor or viewer'",
    "CREATE INDEX participants_by_identity ON threads.participants (identity)",
    """CREATE TABLE threads.thread_events (
    event_id uuid PRIMARY KEY,
    thread_id uuid NOT NULL REFERENCES threads.threads,
    sequence_number bigint NOT NULL,
    tenant uuid NOT NULL,
    type text NOT NULL,
    payload_digest text NOT NULL,
    actor_type text NOT NULL,
    actor_id text NOT NULL,
    identity uuid NOT NULL,
    decision uuid,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (thread_id, sequence_number)
)""",
    "COMMENT ON COLUMN threads.thread_events.actor_id IS 'the person, or the agent''s account'",
    "COMMENT ON COLUMN threads.thread_events.decision IS 'of governance, where an action did it'",
    """CREATE TABLE threads.event_payloads (
    event_id uuid PRIMARY KEY REFERENCES threads.thread_events,
    thread_id uuid NOT NULL REFERENCES threads.threads,
    payload jsonb NOT NULL
)""",
    """CREATE TABLE threads.messages (
    message_id uuid PRIMARY KEY,
    thread_id uuid NOT NULL REFERENCES threads.threads,
    sequence_number bigint NOT NULL,
    tenant uuid NOT NULL,
    identity uuid NOT NULL,
    role text NOT NULL,
    content text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (thread_id, sequence_number)
)""",
    "COMMENT ON COLUMN threads.messages.sequence_number IS 'of the event that tells of it'",
    """CREATE TABLE threads.search_answers (
    decision_id uuid PRIMARY KEY,
    tenant uuid NOT NULL,
    identity uuid NOT NULL,
    answer jsonb NOT NULL
)""",
    """CREATE TABLE threads.executions (
    decision_id uuid PRIMARY KEY,
    permit_id text NOT NULL,
    action_digest text NOT NULL,
    tenant uuid NOT NULL,
    identity uuid NOT NULL,
    tool text NOT NULL,
    state text NOT NULL,
    reason text NOT NULL DEFAULT '',
    outcome jsonb,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    deadline timestamptz,
    reported_at timestamptz,
    CONSTRAINT executions_state CHECK (state IN ('RUNNING', 'SUCCEEDED', 'FAILED', 'UNKNOWN')),
    CONSTRAINT executions_finished CHECK ((state = 'RUNNING') = (finished_at IS NULL)),
    CONSTRAINT executions_deadline CHECK (state <> 'RUNNING' OR deadline IS NOT NULL)
)""",
    "CREATE INDEX executions_overdue ON threads.executions (deadline) WHERE state = 'RUNNING'",
    """CREATE INDEX executions_unreported ON threads.executions (finished_at)
    WHERE reported_at IS NULL AND state <> 'RUNNING'""",
)

REFUSE_REFOUNDING = """
CREATE OR REPLACE FUNCTION threads.refuse_refounding() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what a thread was founded as never changes'
        USING ERRCODE = 'insufficient_privilege';
END $$"""
FOUNDED = (
    REFUSE_REFOUNDING,
    """CREATE TRIGGER founded_for_good BEFORE UPDATE ON threads.threads FOR EACH ROW
WHEN ((OLD.thread_id, OLD.tenant, OLD.owner_identity, OLD.founder, OLD.founding_intent,
       OLD.ownership, OLD.create_time)
      IS DISTINCT FROM
      (NEW.thread_id, NEW.tenant, NEW.owner_identity, NEW.founder, NEW.founding_intent,
       NEW.ownership, NEW.create_time))
EXECUTE FUNCTION threads.refuse_refounding()""",
    "ALTER TABLE threads.threads ENABLE ALWAYS TRIGGER founded_for_good",
)


def upgrade() -> None:
    op.execute(FOLDED)
    for statement in (*TABLES, *FOUNDED):
        op.execute(statement)
    append_only("thread_events")
    create_requests()
    create_outbox()
    grant("threads", app=f"SELECT, INSERT, UPDATE ({CHANGEABLE})")
    for table in ("thread_events", "event_payloads", "messages", "search_answers"):
        grant(table, app="SELECT, INSERT")
    grant("participants", app="SELECT")
    grant(
        "executions", app="SELECT, INSERT, UPDATE (outcome)", worker="SELECT, UPDATE (reported_at)"
    )


def downgrade() -> None:
    drop_outbox()
    for table in (
        *("requests", "executions", "search_answers", "messages", "event_payloads"),
        *("thread_events", "participants", "threads"),
    ):
        op.execute(f"DROP TABLE threads.{table}")
    for function in ("refuse_refounding()", "refuse_change()", "folded(text)"):
        op.execute(f"DROP FUNCTION threads.{function}")
