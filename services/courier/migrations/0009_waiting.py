"""The worker sees which messages wait for another about the same checkpoint: they are not due."""

from alembic import op

from kernel.migration.helpers import grant

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    grant("notifications", worker="SELECT (leased)")


def downgrade() -> None:
    op.execute("REVOKE SELECT (leased) ON courier.notifications FROM courier_worker")
