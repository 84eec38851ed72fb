"""Which channels may be sent ballots, until when, and how many were."""

from alembic import op

from kernel.migration.helpers import IDENTITY, PERSON, TENANT, enable_rls, grant, policy

revision = "0008"
down_revision = "0007"

OWN = f"identity_id = {IDENTITY} AND tenant_id = {TENANT} AND user_id = {PERSON}"
TABLE = """
CREATE TABLE identity.channel_grants (
    grant_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    identity_id uuid NOT NULL,
    session_id uuid NOT NULL,
    channel_id uuid NOT NULL,
    method text NOT NULL CONSTRAINT channel_grants_method CHECK (method IN ('mail', 'chat')),
    ballots integer NOT NULL DEFAULT 0,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    expire_time timestamptz NOT NULL,
    revoke_time timestamptz,
    FOREIGN KEY (user_id, tenant_id) REFERENCES identity.users (user_id, tenant_id),
    FOREIGN KEY (identity_id, user_id) REFERENCES identity.identities (identity_id, user_id),
    FOREIGN KEY (session_id, user_id) REFERENCES identity.sessions (session_id, user_id))"""
STATEMENTS = (
    TABLE,
    "CREATE INDEX channel_grants_channel ON identity.channel_grants (identity_id, channel_id)",
    "CREATE INDEX channel_grants_expire_time ON identity.channel_grants (expire_time)",
    """CREATE TRIGGER one_way BEFORE UPDATE ON identity.channel_grants FOR EACH ROW
    WHEN (OLD.revoke_time IS NOT NULL) EXECUTE FUNCTION identity.refuse_undoing()""",
    "ALTER TABLE identity.channel_grants ENABLE ALWAYS TRIGGER one_way",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
    grant("channel_grants", app="SELECT, INSERT, UPDATE (ballots, revoke_time)", worker="DELETE")
    enable_rls("channel_grants", app=OWN)
    over = "expire_time < clock_timestamp() - interval '30 days'"
    policy("channel_grants", "sweep", role="worker", command="DELETE", using=over)


def downgrade() -> None:
    op.execute("DROP TABLE identity.channel_grants")
