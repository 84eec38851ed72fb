"""A write of a run touches three rows: the run, what it holds, and what happened since the last.

What happened was a row for each event, and the delegation a row in a table of its own; each
had an index entry, and a foreign key that was looked up. A row of `run_events` now holds the
events of one write under the number of its last one, and the delegation lies with the contents.
"""

from importlib import import_module

from alembic import op

from kernel.migration.helpers import (
    IDENTITY,
    TENANT,
    append_only,
    create_eraser,
    drop_eraser,
    enable_rls,
    grant,
)

revision = "0005"
down_revision = "0004"

UPGRADE = (
    """ALTER TABLE nova.run_events ALTER COLUMN summary TYPE jsonb USING jsonb_build_array(
    jsonb_build_object('sequence_number', sequence_number, 'type', type, 'lane', lane,
        'round', round, 'state', state, 'summary', summary))""",
    "ALTER TABLE nova.run_events RENAME COLUMN summary TO events",
    """ALTER TABLE nova.run_events DROP COLUMN type, DROP COLUMN lane, DROP COLUMN round,
    DROP COLUMN state""",
    "ALTER TABLE nova.run_contents ADD COLUMN delegation text NOT NULL DEFAULT ''",
    """UPDATE nova.run_contents c SET delegation = d.token
    FROM nova.run_delegations d WHERE d.run_id = c.run_id""",
    # To compress what is soon written anew costs more than the room that it takes meanwhile.
    "ALTER TABLE nova.run_contents SET (toast_tuple_target = 8160)",
)

SET_ASIDE = (
    "ALTER TABLE nova.run_events NO FORCE ROW LEVEL SECURITY",
    "ALTER TABLE nova.run_events RENAME TO run_writes",
    "ALTER TABLE nova.run_writes RENAME CONSTRAINT run_events_pkey TO run_writes_pkey",
)
DOWNGRADE = (
    "ALTER TABLE nova.run_contents RESET (toast_tuple_target)",
    """INSERT INTO nova.run_delegations (run_id, tenant, identity, token)
    SELECT run_id, tenant, identity, delegation FROM nova.run_contents WHERE delegation <> ''""",
    "ALTER TABLE nova.run_contents DROP COLUMN delegation",
    """INSERT INTO nova.run_events
    SELECT w.run_id, e.sequence_number, w.tenant, w.identity, e.type, e.lane, e.round, e.state,
        e.summary, w.create_time
    FROM nova.run_writes w, jsonb_to_recordset(w.events) AS e(sequence_number bigint, type text,
        lane smallint, round smallint, state smallint, summary text)""",
    "DROP TABLE nova.run_writes",
)

EVENTS = """
    INSERT INTO nova.run_events (run_id, sequence_number, tenant, identity, events)
    SELECT the_run, (p->'events'->-1->>'sequence_number')::bigint, the_tenant, the_identity,
        p->'events'
    WHERE p->'events' <> '[]';
"""

ACCEPT = """
CREATE OR REPLACE FUNCTION nova.accept_run(p jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE %(principal)s
BEGIN
    INSERT INTO nova.runs (run_id, tenant, person, identity, agent, request_id, body_digest,
        state, thread_id, worker_id, version, create_time, update_time, deadline)
    VALUES (the_run, the_tenant, current_setting('chenu.person')::uuid, the_identity,
        p->>'agent', nullif(p->>'request_id', '')::uuid, p->>'body_digest',
        (p->>'state')::smallint, nullif(p->>'thread_id', '')::uuid, (p->>'worker_id')::uuid,
        (p->>'version')::bigint, clock_timestamp(), clock_timestamp(),
        (p->>'deadline')::timestamptz);
    INSERT INTO nova.run_contents (run_id, tenant, identity, run, journal, delegation)
    VALUES (the_run, the_tenant, the_identity, decode(p->>'run', 'base64'), p->'journal',
        p->>'delegation');
    %(events)s
    RETURN '{}';
END $$"""

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
    UPDATE nova.run_contents SET run = decode(p->>'run', 'base64'), journal = p->'journal',
        delegation = p->>'delegation'
    WHERE run_id = the_run;
    %(events)s
    RETURN jsonb_build_object('cancel_reason', cancel);
END $$"""


ERASED = ("runs", "run_contents")
ERASURE = (
    """UPDATE runs SET state = 9, worker_id = NULL, cancel_reason = NULL,
        update_time = clock_timestamp() WHERE :own AND state <= 3""",
    "UPDATE runs SET cancel_reason = NULL WHERE :own AND cancel_reason IS NOT NULL",
    "DELETE FROM run_contents WHERE :own",
)


def upgrade() -> None:
    for statement in UPGRADE:  # the owner sees the rows of both tables by the eraser's policies
        op.execute(statement)
    drop_eraser(import_module("services.nova.migrations.0003_erasure").TABLES)
    op.execute("DROP TABLE nova.run_delegations")
    create_eraser(ERASED, *ERASURE)
    grant("run_contents", app="UPDATE (delegation)")
    principal = import_module("services.nova.migrations.0001_runs").PRINCIPAL
    for function in (ACCEPT, WRITE):
        op.execute(function % {"principal": principal, "events": EVENTS})


def downgrade() -> None:
    for statement in SET_ASIDE:
        op.execute(statement)
    first = import_module("services.nova.migrations.0001_runs")
    for table in first.TABLES:
        if "TABLE nova.run_delegations" in table or "TABLE nova.run_events" in table:
            op.execute(table)
    for statement in DOWNGRADE:
        op.execute(statement)
    grant("run_delegations", app="SELECT, INSERT, UPDATE (token), DELETE")
    grant("run_events", app="SELECT, INSERT")
    for name in ("run_delegations", "run_events"):
        enable_rls(name, app=f"tenant = {TENANT} AND identity = {IDENTITY}")
    append_only("run_events")
    drop_eraser(ERASED)
    import_module("services.nova.migrations.0003_erasure").upgrade()
    accept = first.ACCEPT.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
    op.execute(accept % {"principal": first.PRINCIPAL, "events": first.EVENTS})
    fourth = import_module("services.nova.migrations.0004_untold")
    fourth.write(fourth.WRITE)
