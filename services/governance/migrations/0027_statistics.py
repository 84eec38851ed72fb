"""The planner learns that what was approved is executed as a rule: few wait for it."""

from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    op.execute(
        "CREATE STATISTICS governance.checkpoints_undone (mcv)"
        " ON state, executed FROM governance.checkpoints"
    )


def downgrade() -> None:
    op.execute("DROP STATISTICS governance.checkpoints_undone")
