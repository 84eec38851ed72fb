"""A key for each person, under which personal parts of audit records are sealed."""

from alembic import op

from kernel.migration.helpers import PERSON, TENANT, enable_rls, grant

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute(
        """CREATE TABLE identity.subject_keys (
    person_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    wrapped_key bytea,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    destroy_time timestamptz,
    CONSTRAINT subject_keys_destroyed CHECK ((wrapped_key IS NULL) = (destroy_time IS NOT NULL)))"""
    )
    grant("subject_keys", app="SELECT, INSERT", worker="SELECT, UPDATE (wrapped_key, destroy_time)")
    enable_rls("subject_keys", app=f"tenant_id = {TENANT} AND person_id = {PERSON}", worker="true")


def downgrade() -> None:
    op.execute("DROP TABLE identity.subject_keys")
