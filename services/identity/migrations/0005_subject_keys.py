"""A key for each person, under which personal parts of audit records are sealed."""

from alembic import op

from kernel.migration.helpers import PERSON, TENANT, enable_rls, grant, grant_execute, policy

revision = "0005"
down_revision = "0004"

# Audit asks for keys of people whom it is not: doors, as in 0002.
DOORS = """
CREATE FUNCTION identity.find_subject_key(tenant uuid, person uuid)
RETURNS TABLE (wrapped_key bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = identity, pg_temp
BEGIN ATOMIC
    SELECT k.wrapped_key FROM identity.subject_keys AS k
        WHERE k.person_id = person AND k.tenant_id = tenant;
END;;
CREATE FUNCTION identity.destroy_subject_key(tenant uuid, person uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = identity, pg_temp
AS $$ BEGIN
    UPDATE subject_keys AS k SET wrapped_key = NULL, destroy_time = clock_timestamp()
        WHERE k.person_id = person AND k.tenant_id = tenant AND k.wrapped_key IS NOT NULL;
    RETURN FOUND;
END $$"""


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
    grant("subject_keys", app="SELECT, INSERT")
    enable_rls("subject_keys", app=f"tenant_id = {TENANT} AND person_id = {PERSON}")
    policy("subject_keys", "door", role="owner", using="true", check="true")
    for statement in DOORS.split(";;\n"):
        op.execute(statement)
    for name in ("find_subject_key", "destroy_subject_key"):
        op.execute(f"REVOKE ALL ON FUNCTION identity.{name}(uuid, uuid) FROM PUBLIC")
        grant_execute(f"{name}(uuid, uuid)")


def downgrade() -> None:
    for name in ("find_subject_key", "destroy_subject_key"):
        op.execute(f"DROP FUNCTION identity.{name}(uuid, uuid)")
    op.execute("DROP TABLE identity.subject_keys")
