"""What people are called, for governance to show whom a question is about."""

from alembic import op

from kernel.migration.helpers import grant_execute

revision = "0015"
down_revision = "0014"

NAMES = """
CREATE FUNCTION identity.names_of(tenant uuid, persons uuid[])
RETURNS TABLE (person_id uuid, display_name text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = identity, pg_temp
BEGIN ATOMIC
    SELECT p.user_id, p.display_name FROM identity.user_profiles AS p
    WHERE p.tenant_id = tenant AND p.user_id = ANY (persons);
END"""


def upgrade() -> None:
    op.execute(NAMES)
    op.execute("REVOKE ALL ON FUNCTION identity.names_of(uuid, uuid[]) FROM PUBLIC")
    grant_execute("names_of(uuid, uuid[])")


def downgrade() -> None:
    op.execute("DROP FUNCTION identity.names_of(uuid, uuid[])")
