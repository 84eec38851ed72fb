"""Alerts that a person has closed: why, and that the same is not raised again."""

from alembic import op

from kernel.migration.helpers import grant

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("ALTER TABLE audit.alerts ADD COLUMN close_comment text NOT NULL DEFAULT ''")
    op.execute("COMMENT ON COLUMN audit.alerts.close_comment IS 'of the person who closed it'")
    grant("alerts", worker="UPDATE (close_comment)")


def downgrade() -> None:
    op.execute("ALTER TABLE audit.alerts DROP COLUMN close_comment")
