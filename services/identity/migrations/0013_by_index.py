"""What is over is found by an index, which a clock that moves during a statement cannot use."""

from alembic import op

revision = "0013"
down_revision = "0012"

OVER = {
    "attempts": "window_end < {now}",
    "spent_assertions": "expire_time < {now} - interval '1 minute'",
    "refresh_tokens": "expire_time < {now} - interval '30 days'",
    "delegations": "deadline < {now} - interval '7 days'",
    "channel_grants": "expire_time < {now} - interval '30 days'",
}


def sweep_by(clock: str) -> None:
    """Let the worker delete what is over by this clock."""
    for table, over in OVER.items():
        op.execute(f"ALTER POLICY sweep ON identity.{table} USING ({over.format(now=clock)})")


def index_sessions(columns: str) -> None:
    """Open sessions of a person by these columns."""
    op.execute("DROP INDEX identity.sessions_open")
    op.execute(
        f"CREATE INDEX sessions_open ON identity.sessions ({columns}) WHERE end_time IS NULL"
    )


def upgrade() -> None:
    sweep_by("statement_timestamp()")
    index_sessions("user_id, expire_time")


def downgrade() -> None:
    index_sessions("user_id")
    sweep_by("clock_timestamp()")
