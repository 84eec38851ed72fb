"""What audit found to cross a boundary is found at once, however much else is kept."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.execute("CREATE INDEX entries_violations ON audit.entries (tenant, index) WHERE action = 18")


def downgrade() -> None:
    op.execute("DROP INDEX audit.entries_violations")
