"""A thread is shared with another identity of the same person, and taken back, by its owner alone.

`person` is whoever shared it: a row that names somebody else's identity opens nothing, however it
came about.
"""

from importlib import import_module

from alembic import op

from kernel.migration.helpers import IDENTITY, PERSON, TENANT, grant_execute, policy

revision = "0011"
down_revision = "0010"

JOINED = """
CREATE OR REPLACE FUNCTION threads.joined(as_roles text[]) RETURNS uuid[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT coalesce(array_agg(thread_id), '{}') FROM threads.participants
    WHERE tenant = current_setting('chenu.tenant')::uuid
      AND person = current_setting('chenu.person')::uuid
      AND identity = current_setting('chenu.identity')::uuid
      AND leave_time IS NULL AND role = ANY (as_roles)
$$
"""

SHARE = """
CREATE FUNCTION threads.share_thread(shared uuid, reader uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    INSERT INTO threads.participants (thread_id, identity, tenant, person, role)
    SELECT thread_id, reader, tenant, current_setting('chenu.person')::uuid, 'viewer'
    FROM threads.threads
    WHERE thread_id = shared AND delete_time IS NULL AND owner_identity <> reader
      AND tenant = current_setting('chenu.tenant')::uuid
      AND owner_identity = current_setting('chenu.identity')::uuid
    ON CONFLICT (thread_id, identity) DO UPDATE
    SET person = EXCLUDED.person, role = EXCLUDED.role, join_time = EXCLUDED.join_time,
        leave_time = NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'not the owner''s thread' USING ERRCODE = 'no_data_found';
    END IF;
END $$
"""

UNSHARE = """
CREATE FUNCTION threads.unshare_thread(shared uuid, reader uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    UPDATE threads.participants p SET leave_time = clock_timestamp()
    FROM threads.threads t
    WHERE p.thread_id = shared AND p.identity = reader AND p.leave_time IS NULL
      AND t.thread_id = shared AND t.tenant = current_setting('chenu.tenant')::uuid
      AND t.owner_identity = current_setting('chenu.identity')::uuid;
    RETURN FOUND;
END $$
"""

FUNCTIONS = ("share_thread(uuid, uuid)", "unshare_thread(uuid, uuid)")


def upgrade() -> None:
    op.execute("ALTER TABLE threads.participants ADD COLUMN person uuid NOT NULL")
    op.execute("COMMENT ON COLUMN threads.participants.person IS 'who shared it, and reads it'")
    op.execute(JOINED)
    op.execute("DROP POLICY app ON threads.participants")
    owned = (
        "EXISTS (SELECT FROM threads.threads t WHERE t.thread_id = participants.thread_id"
        f" AND t.owner_identity = {IDENTITY})"
    )
    own = f"identity = {IDENTITY} AND person = {PERSON}"
    reads = f"tenant = {TENANT} AND ({own} OR {owned})"
    policy("participants", "app_reads", role="app", command="SELECT", using=reads)
    for statement in (SHARE, UNSHARE):
        op.execute(statement)
    for function in FUNCTIONS:
        grant_execute(function)


def downgrade() -> None:
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION threads.{function}")
    access = import_module("services.threads.migrations.0002_access")
    op.execute("DROP POLICY app_reads ON threads.participants")
    policy("participants", "app", role="app", using=access.OWN, check=access.OWN)
    op.execute(access.JOINED)
    op.execute("ALTER TABLE threads.participants DROP COLUMN person")
