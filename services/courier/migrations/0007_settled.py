"""What a person told governance of an unknown end is noted here as well, by the worker."""

from alembic import op

from kernel.migration.helpers import grant

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    grant("deliveries", worker="UPDATE (reconciled, comment)")
    grant("executions", worker="UPDATE (outcome)")


def downgrade() -> None:
    op.execute("REVOKE UPDATE (reconciled, comment) ON courier.deliveries FROM courier_worker")
    op.execute("REVOKE UPDATE (outcome) ON courier.executions FROM courier_worker")
