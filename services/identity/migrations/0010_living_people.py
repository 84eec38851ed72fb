"""Everybody who lives in a tenant, for governance to know who is alone in it."""

from alembic import op

from kernel.migration.helpers import grant_execute

revision = "0010"
down_revision = "0009"

LIVING = """
CREATE FUNCTION identity.living_people(tenant uuid) RETURNS TABLE (person_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = identity, pg_temp
BEGIN ATOMIC
    SELECT u.user_id FROM identity.users AS u
    WHERE u.tenant_id = tenant AND u.deactivate_time IS NULL ORDER BY u.user_id LIMIT 200;
END"""


def upgrade() -> None:
    op.execute(LIVING)
    op.execute("REVOKE ALL ON FUNCTION identity.living_people(uuid) FROM PUBLIC")
    grant_execute("living_people(uuid)")


def downgrade() -> None:
    op.execute("DROP FUNCTION identity.living_people(uuid)")
