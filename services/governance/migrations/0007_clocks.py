"""Finds what is due to be reminded of, or to be escalated."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    for name, column in (("remind", "remind_time"), ("escalate", "escalate_time")):
        op.execute(
            f"CREATE INDEX checkpoints_{name} ON governance.checkpoints ({column})"
            f" WHERE state = 'pending' AND {column} IS NOT NULL"
        )


def downgrade() -> None:
    for name in ("remind", "escalate"):
        op.execute(f"DROP INDEX governance.checkpoints_{name}")
