"""A person is forgotten: names, e-mail and password go, and the account is deactivated."""

from alembic import op

from kernel.migration.helpers import create_eraser, drop_eraser, grant_execute

revision = "0009"
down_revision = "0008"

TABLES = ("user_profiles", "identities", "agents", "credentials")
DOORS = """
CREATE FUNCTION identity.list_identities(tenant uuid, person uuid) RETURNS TABLE (identity_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = identity, pg_temp
BEGIN ATOMIC
    SELECT i.identity_id FROM identity.identities AS i
        WHERE i.tenant_id = tenant AND i.user_id = person ORDER BY i.identity_id;
END;;
CREATE FUNCTION identity.is_needed(tenant uuid, person uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = identity, pg_temp
BEGIN ATOMIC
    SELECT coalesce(bool_or(u.user_id = person AND 'owner' = ANY (u.roles)), false)
            AND count(*) > 1
            AND count(*) FILTER (WHERE u.user_id <> person AND 'owner' = ANY (u.roles)) = 0
        FROM identity.users AS u WHERE u.tenant_id = tenant AND u.deactivate_time IS NULL;
END"""
SIGNATURES = ("list_identities(uuid, uuid)", "is_needed(uuid, uuid)")
# Of an agent that was fired nothing changes any more, but its name may be forgotten.
FIRED = """
CREATE TRIGGER one_way BEFORE UPDATE ON identity.agents FOR EACH ROW
    WHEN (OLD.fire_time IS NOT NULL{more})
    EXECUTE FUNCTION identity.refuse_undoing()"""
NAMED = """ AND (NEW.display_name <> ''
        OR to_jsonb(NEW) - 'display_name' <> to_jsonb(OLD) - 'display_name')"""


def guard(more: str) -> None:
    """The trigger, with what else must be true for it to refuse."""
    op.execute("DROP TRIGGER one_way ON identity.agents")
    op.execute(FIRED.format(more=more))
    op.execute("ALTER TABLE identity.agents ENABLE ALWAYS TRIGGER one_way")


def upgrade() -> None:
    guard(NAMED)
    for statement in DOORS.split(";;\n"):
        op.execute(statement)
    for signature in SIGNATURES:
        op.execute(f"REVOKE ALL ON FUNCTION identity.{signature} FROM PUBLIC")
        grant_execute(signature)
    create_eraser(
        TABLES,
        "UPDATE users SET deactivate_time = clock_timestamp()"
        " WHERE tenant_id = of_tenant AND user_id = of_person AND deactivate_time IS NULL",
        # What stands there instead of an e-mail is none, so nobody ever takes it.
        "UPDATE user_profiles SET email = '', email_key = 'erased:' || user_id, display_name = ''"
        " WHERE tenant_id = of_tenant AND user_id = of_person AND email <> ''",
        "UPDATE identities SET display_name = ''"
        " WHERE tenant_id = of_tenant AND user_id = of_person AND display_name <> ''",
        "UPDATE agents SET display_name = ''"
        " WHERE tenant_id = of_tenant AND user_id = of_person AND display_name <> ''",
        "DELETE FROM credentials WHERE tenant_id = of_tenant AND user_id = of_person",
    )


def downgrade() -> None:
    drop_eraser(TABLES)
    for signature in SIGNATURES:
        op.execute(f"DROP FUNCTION identity.{signature}")
    guard("")
