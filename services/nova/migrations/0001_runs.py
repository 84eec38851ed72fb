"""Runs, what they hold, their events, their workers, and the two writes of a run."""

from alembic import op

from kernel.migration.helpers import (
    IDENTITY,
    PERSON,
    TENANT,
    append_only,
    create_outbox,
    drop_outbox,
    enable_rls,
    grant,
    grouped_write,
)

revision = "0001"
down_revision = None

TABLES = (
    """CREATE TABLE nova.workers (
    worker_id uuid PRIMARY KEY,
    expire_time timestamptz NOT NULL
)""",
    """CREATE TABLE nova.runs (
    run_id uuid PRIMARY KEY,
    tenant uuid NOT NULL,
    person uuid NOT NULL,
    identity uuid NOT NULL,
    agent text NOT NULL DEFAULT '',
    request_id uuid,
    body_digest text NOT NULL,
    state smallint NOT NULL,
    thread_id uuid,
    worker_id uuid,
    cancel_reason text,
    version bigint NOT NULL,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    deadline timestamptz NOT NULL,
    UNIQUE (tenant, identity, person, agent, request_id)
)""",
    "CREATE INDEX runs_by_identity ON nova.runs (identity, run_id)",
    "CREATE INDEX runs_by_thread ON nova.runs (thread_id) WHERE thread_id IS NOT NULL",
    "CREATE INDEX runs_unfinished ON nova.runs (state, worker_id) WHERE state <= 3",
    """CREATE TABLE nova.run_contents (
    run_id uuid PRIMARY KEY REFERENCES nova.runs,
    tenant uuid NOT NULL,
    identity uuid NOT NULL,
    run bytea NOT NULL,
    journal jsonb NOT NULL
)""",
    "COMMENT ON COLUMN nova.run_contents.run IS 'chenu.nova.v1.Run'",
    "COMMENT ON COLUMN nova.run_contents.journal IS 'what a resumed run needs beside it'",
    """CREATE TABLE nova.run_delegations (
    run_id uuid PRIMARY KEY REFERENCES nova.runs,
    tenant uuid NOT NULL,
    identity uuid NOT NULL,
    token text NOT NULL
)""",
    """CREATE TABLE nova.run_events (
    run_id uuid NOT NULL REFERENCES nova.runs,
    sequence_number bigint NOT NULL,
    tenant uuid NOT NULL,
    identity uuid NOT NULL,
    type text NOT NULL,
    lane smallint NOT NULL,
    round smallint NOT NULL,
    state smallint NOT NULL,
    summary text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (run_id, sequence_number)
)""",
)

EVENTS = """
    INSERT INTO nova.run_events
        (run_id, sequence_number, tenant, identity, type, lane, round, state, summary)
    SELECT the_run, e.sequence_number, the_tenant, the_identity,
        e.type, e.lane, e.round, e.state, e.summary
    FROM jsonb_to_recordset(p->'events') AS e(sequence_number bigint, type text,
        lane smallint, round smallint, state smallint, summary text);
"""

PRINCIPAL = """
    the_run uuid := (p->>'run_id')::uuid;
    the_tenant uuid := current_setting('chenu.tenant')::uuid;
    the_identity uuid := current_setting('chenu.identity')::uuid;
"""

ACCEPT = """
CREATE FUNCTION nova.accept_run(p jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE %(principal)s
BEGIN
    INSERT INTO nova.runs (run_id, tenant, person, identity, agent, request_id, body_digest,
        state, thread_id, worker_id, version, create_time, update_time, deadline)
    VALUES (the_run, the_tenant, current_setting('chenu.person')::uuid, the_identity,
        p->>'agent', nullif(p->>'request_id', '')::uuid, p->>'body_digest',
        (p->>'state')::smallint, nullif(p->>'thread_id', '')::uuid, (p->>'worker_id')::uuid,
        (p->>'version')::bigint, clock_timestamp(), clock_timestamp(),
        (p->>'deadline')::timestamptz);
    INSERT INTO nova.run_contents (run_id, tenant, identity, run, journal)
    VALUES (the_run, the_tenant, the_identity, decode(p->>'run', 'base64'), p->'journal');
    INSERT INTO nova.run_delegations (run_id, tenant, identity, token)
    VALUES (the_run, the_tenant, the_identity, p->>'delegation');
    %(events)s
    RETURN '{}';
END $$"""

# CH001: the run is another worker's, or this one has lost its lease.
WRITE = """
CREATE OR REPLACE FUNCTION nova.write_run(p jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE %(principal)s
    the_worker uuid := (p->>'worker_id')::uuid;
    cancel text;
BEGIN
    UPDATE nova.runs SET state = (p->>'state')::smallint, version = (p->>'version')::bigint,
        update_time = clock_timestamp(),
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
    for statement in TABLES:
        op.execute(statement)
    create_outbox()
    own = f"tenant = {TENANT} AND identity = {IDENTITY}"
    grant("workers", app="SELECT", worker="SELECT, INSERT, UPDATE, DELETE")
    grant(
        "runs",
        app="SELECT, INSERT, UPDATE (state, version, update_time, worker_id, cancel_reason)",
        worker="SELECT, UPDATE (worker_id, state)",
    )
    grant("run_contents", app="SELECT, INSERT, UPDATE (run, journal)")
    grant("run_delegations", app="SELECT, INSERT, UPDATE (token), DELETE")
    grant("run_events", app="SELECT, INSERT")
    enable_rls("runs", app=own, app_check=f"{own} AND person = {PERSON}", worker="true")
    for table in ("run_contents", "run_delegations", "run_events"):
        enable_rls(table, app=own)
    append_only("run_events")
    for function in (ACCEPT, WRITE):
        op.execute(function % {"principal": PRINCIPAL, "events": EVENTS})
    grouped_write("accept_run")
    grouped_write("write_run")


def downgrade() -> None:
    for function in ("accept_run", "write_run"):
        op.execute(
            f"DROP FUNCTION nova.{function}_group"
            "(text[], text[], text[], jsonb[], uuid[], text[], bigint[], bytea[])"
        )
        op.execute(f"DROP FUNCTION nova.{function}(jsonb)")
    drop_outbox()
    for table in ("run_events", "run_delegations", "run_contents", "runs", "workers"):
        op.execute(f"DROP TABLE nova.{table}")
    op.execute("DROP FUNCTION nova.refuse_change()")
