"""An agent's owner may say anew what it is called, what it may use, and whether it is gated."""

from alembic import op

from kernel.migration.helpers import grant

revision = "0007"
down_revision = "0006"
_EDITABLE = "display_name, scopes, always_gated, version"


def upgrade() -> None:
    op.execute("ALTER TABLE identity.agents ADD COLUMN version bigint NOT NULL DEFAULT 1")
    grant("agents", app=f"UPDATE ({_EDITABLE})")


def downgrade() -> None:
    op.execute(f"REVOKE UPDATE ({_EDITABLE}) ON identity.agents FROM identity_app")
    op.execute("ALTER TABLE identity.agents DROP COLUMN version")
