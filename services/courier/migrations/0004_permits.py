"""The permit that a decision was executed by is kept beside its execution, as it was signed."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("ALTER TABLE courier.executions ADD COLUMN permit text NOT NULL DEFAULT ''")


def downgrade() -> None:
    op.execute("ALTER TABLE courier.executions DROP COLUMN permit")
