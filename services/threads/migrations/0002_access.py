"""Who sees and changes what: the owner and the participants of a thread, and nobody else.

A thread's policy must not read the table of participants under the participants' own policy,
which would read threads again: a function that runs as the owner breaks the circle.
"""

from alembic import op

from kernel.migration.helpers import IDENTITY, TENANT, enable_rls, grant_execute, policy

revision = "0002"
down_revision = "0001"

JOINED = """
CREATE OR REPLACE FUNCTION threads.joined(as_roles text[]) RETURNS uuid[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT coalesce(array_agg(thread_id), '{}') FROM threads.participants
    WHERE tenant = current_setting('chenu.tenant')::uuid
      AND identity = current_setting('chenu.identity')::uuid
      AND leave_time IS NULL AND role = ANY (as_roles)
$$
"""


def _access(roles: str, thread: str = "threads") -> str:
    """The access set as one expression: index conditions on the owner, and on the ids joined."""
    return (
        f"{thread}.tenant = {TENANT} AND ({thread}.owner_identity = {IDENTITY}"
        f" OR {thread}.thread_id = ANY ((SELECT threads.joined('{roles}'))::uuid[]))"
        f" AND {thread}.delete_time IS NULL"
    )


def _seen(table: str) -> str:
    """Whoever sees a thread sees what it holds: its own policy applies in here."""
    return f"EXISTS (SELECT FROM threads.threads t WHERE t.thread_id = {table}.thread_id)"


def _writable(table: str) -> str:
    thread = f"SELECT FROM threads.threads t WHERE t.thread_id = {table}.thread_id"
    return f"EXISTS ({thread} AND {_access(WRITERS, 't')})"


READERS, WRITERS = "{editor,viewer}", "{editor}"
OWN = f"tenant = {TENANT} AND identity = {IDENTITY}"


def upgrade() -> None:
    op.execute(JOINED)
    grant_execute("joined(text[])")
    grant_execute("folded(text)")

    enable_rls("threads", owner="true")
    policy("threads", "app_reads", role="app", command="SELECT", using=_access(READERS))
    policy("threads", "app_changes", role="app", command="UPDATE", using=_access(WRITERS))
    own = f"tenant = {TENANT} AND owner_identity = {IDENTITY}"
    policy("threads", "app_founds", role="app", command="INSERT", check=own)

    enable_rls("participants", app=OWN, owner="true")
    for table in ("thread_events", "messages", "event_payloads"):
        enable_rls(table)
        policy(table, "app_reads", role="app", command="SELECT", using=_seen(table))
        mine = "" if table == "event_payloads" else f"{OWN} AND "
        check = mine + _writable(table)
        policy(table, "app_adds", role="app", command="INSERT", check=check)
    enable_rls("search_answers", app=OWN)
    enable_rls("executions", app=OWN, worker="true")


def downgrade() -> None:
    for table, policies in {
        "threads": ("app_reads", "app_changes", "app_founds", "owner"),
        "participants": ("app", "owner"),
        "thread_events": ("app_reads", "app_adds"),
        "messages": ("app_reads", "app_adds"),
        "event_payloads": ("app_reads", "app_adds"),
        "search_answers": ("app",),
        "executions": ("app", "worker"),
    }.items():
        for name in policies:
            op.execute(f"DROP POLICY {name} ON threads.{table}")
        op.execute(f"ALTER TABLE threads.{table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE threads.{table} DISABLE ROW LEVEL SECURITY")
    op.execute("DROP FUNCTION threads.joined(text[])")
