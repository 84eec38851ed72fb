"""The outbox forgets only what audit has vouched for, and by one way alone."""

from kernel.migration.helpers import delete_at_will, keep_until_released

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    keep_until_released()


def downgrade() -> None:
    delete_at_will()
