"""Whether an identity bears the name that people are shown: it is said, and never told."""

from alembic import op

from kernel.migration.helpers import grant_execute

revision = "0011"
down_revision = "0010"

BEARS = """
CREATE FUNCTION identity.bears_name(tenant uuid, named uuid, name text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = identity, pg_temp
BEGIN ATOMIC
    SELECT EXISTS (SELECT FROM identity.identities AS i
        WHERE i.identity_id = named AND i.tenant_id = tenant AND i.display_name = name);
END"""


def upgrade() -> None:
    op.execute(BEARS)
    op.execute("REVOKE ALL ON FUNCTION identity.bears_name(uuid, uuid, text) FROM PUBLIC")
    grant_execute("bears_name(uuid, uuid, text)")


def downgrade() -> None:
    op.execute("DROP FUNCTION identity.bears_name(uuid, uuid, text)")
