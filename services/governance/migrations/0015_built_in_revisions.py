"""A revision of a tenant's rules tells which built-in ones it was put in beside."""

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.execute("ALTER TABLE governance.rule_revisions ADD COLUMN built_in text NOT NULL DEFAULT ''")
    op.execute("ALTER TABLE governance.rule_revisions ALTER COLUMN built_in DROP DEFAULT")


def downgrade() -> None:
    op.execute("ALTER TABLE governance.rule_revisions DROP COLUMN built_in")
