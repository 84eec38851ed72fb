"""The words of built-in rules, of every release that served: decisions name them by their hash."""

from alembic import op

from kernel.migration.helpers import append_only, enable_rls, grant

revision = "0021"
down_revision = "0020"

TABLE = """
CREATE TABLE governance.built_in_rules (
    revision text NOT NULL CONSTRAINT built_in_rules_pkey PRIMARY KEY,
    words text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp())"""


def upgrade() -> None:
    op.execute(TABLE)
    grant("built_in_rules", app="SELECT", worker="SELECT, INSERT")
    # Nobody's: they hold for everybody.
    enable_rls("built_in_rules", app="true", worker="true")
    append_only("built_in_rules")


def downgrade() -> None:
    op.execute("DROP TABLE governance.built_in_rules")
