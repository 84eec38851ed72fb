"""What an agent may use at all, and whether a person decides whatever it does."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE identity.agents"
        " ADD COLUMN scopes text[] NOT NULL DEFAULT '{}',"
        " ADD COLUMN always_gated boolean NOT NULL DEFAULT false"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE identity.agents DROP COLUMN scopes, DROP COLUMN always_gated")
