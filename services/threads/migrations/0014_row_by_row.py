"""Whether a row is of a thread that one sees is asked for that thread, not for all that one sees.

Row-level security has the planner think that few threads can be seen, so it would read them all
at once rather than search for one; `OFFSET 0` forbids that.
"""

from importlib import import_module

from alembic import op

from kernel.migration.helpers import IDENTITY, PERSON, TENANT

revision = "0014"
down_revision = "0013"


def _alter(end: str) -> None:
    access = import_module("services.threads.migrations.0002_access")

    def of(table: str, condition: str = "") -> str:
        thread = f"SELECT FROM threads.threads t WHERE t.thread_id = {table}.thread_id"
        return f"EXISTS ({thread}{condition}{end})"

    writable = (
        f" AND t.tenant = {TENANT} AND (t.owner_identity = {IDENTITY}"
        f" OR t.thread_id = ANY ((SELECT threads.joined('{access.WRITERS}'))::uuid[]))"
        " AND t.delete_time IS NULL"
    )
    for table, mine in (
        ("thread_events", f"{access.OWN} AND "),
        ("messages", f"{access.OWN} AND "),
        ("event_payloads", ""),
    ):
        op.execute(f"ALTER POLICY app_reads ON threads.{table} USING ({of(table)})")
        op.execute(
            f"ALTER POLICY app_adds ON threads.{table} WITH CHECK ({mine}{of(table, writable)})"
        )
    own = f"identity = {IDENTITY} AND person = {PERSON}"
    owned = of("participants", f" AND t.owner_identity = {IDENTITY}")
    reads = f"tenant = {TENANT} AND ({own} OR {owned})"
    op.execute(f"ALTER POLICY app_reads ON threads.participants USING ({reads})")


def upgrade() -> None:
    _alter(" OFFSET 0")


def downgrade() -> None:
    _alter("")
