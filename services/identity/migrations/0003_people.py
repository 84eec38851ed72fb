"""Several people in one tenant: invitations, roles, deactivation, and what governance asks.

What concerns other people than the caller goes through doors as in 0002. Those of owners look
for themselves whether the caller is one, in the transaction's own settings.
"""

from importlib import import_module

from alembic import op

from kernel.migration.helpers import PERSON, TENANT, enable_rls, grant, grant_execute, policy

revision = "0003"
down_revision = "0002"

TABLES = """
CREATE TABLE identity.invitations (
    invitation_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    inviter_id uuid NOT NULL,
    roles text[] NOT NULL,
    secret_hash bytea NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    expire_time timestamptz NOT NULL,
    accept_time timestamptz,
    user_id uuid,
    CONSTRAINT invitations_accepted CHECK ((accept_time IS NULL) = (user_id IS NULL)),
    FOREIGN KEY (inviter_id, tenant_id) REFERENCES identity.users (user_id, tenant_id));
CREATE UNIQUE INDEX invitations_secret_hash ON identity.invitations (secret_hash);
CREATE INDEX users_tenant_id ON identity.users (tenant_id)"""

DOORS = """
CREATE FUNCTION identity.is_owner() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = identity, pg_temp
BEGIN ATOMIC
    SELECT EXISTS (SELECT FROM identity.users AS u
        WHERE u.user_id = current_setting('chenu.person')::uuid
            AND u.tenant_id = current_setting('chenu.tenant')::uuid
            AND u.deactivate_time IS NULL AND 'owner' = ANY (u.roles));
END;;

CREATE FUNCTION identity.find_invitation(wanted bytea, clock_offset interval)
RETURNS TABLE (tenant_id uuid, roles text[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = identity, pg_temp
BEGIN ATOMIC
    SELECT i.tenant_id, i.roles
    FROM identity.invitations AS i JOIN identity.users AS u ON u.user_id = i.inviter_id
    WHERE i.secret_hash = wanted AND i.accept_time IS NULL
        AND i.expire_time > clock_timestamp() + clock_offset
        AND u.deactivate_time IS NULL AND 'owner' = ANY (u.roles);
END;;

CREATE FUNCTION identity.accept_invitation(wanted bytea, clock_offset interval)
RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = identity, pg_temp
AS $$
DECLARE
    accepted uuid;
BEGIN
    UPDATE invitations AS i SET accept_time = clock_timestamp() + clock_offset,
        user_id = current_setting('chenu.person')::uuid
    WHERE i.secret_hash = wanted AND i.accept_time IS NULL
        AND i.tenant_id = current_setting('chenu.tenant')::uuid
        AND i.expire_time > clock_timestamp() + clock_offset
    RETURNING i.invitation_id INTO accepted;
    RETURN accepted;
END $$;;

CREATE FUNCTION identity.list_people()
RETURNS TABLE (person_id uuid, display_name text, roles text[], create_time timestamptz,
    deactivate_time timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = identity, pg_temp
BEGIN ATOMIC
    SELECT u.user_id, p.display_name, u.roles, u.create_time, u.deactivate_time
    FROM identity.users AS u JOIN identity.user_profiles AS p USING (user_id)
    WHERE u.tenant_id = current_setting('chenu.tenant')::uuid
        AND EXISTS (SELECT FROM identity.users AS me
            WHERE me.user_id = current_setting('chenu.person')::uuid
                AND me.tenant_id = u.tenant_id AND me.deactivate_time IS NULL);
END;;

CREATE FUNCTION identity.change_person(changed uuid, new_roles text[], leaves boolean)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = identity, pg_temp
AS $$
DECLARE
    tenant constant uuid := current_setting('chenu.tenant')::uuid;
    before users;
BEGIN
    -- One change of a tenant's people at a time, or two owners could depose each other.
    PERFORM FROM tenants AS t WHERE t.tenant_id = tenant FOR UPDATE;
    IF NOT is_owner() THEN
        RETURN 'NOT_AN_OWNER';
    END IF;
    SELECT * INTO before FROM users AS u WHERE u.user_id = changed AND u.tenant_id = tenant;
    IF NOT FOUND THEN
        RETURN 'FORBIDDEN';
    END IF;
    IF before.deactivate_time IS NOT NULL AND leaves
        OR NOT leaves AND before.roles = new_roles THEN
        RETURN 'UNCHANGED';
    END IF;
    IF (leaves OR NOT 'owner' = ANY (new_roles)) AND NOT EXISTS (SELECT FROM users AS u
        WHERE u.tenant_id = tenant AND u.user_id <> changed AND u.deactivate_time IS NULL
            AND 'owner' = ANY (u.roles)) THEN
        RETURN 'LAST_OWNER';
    END IF;
    UPDATE users AS u SET
        roles = CASE WHEN leaves THEN u.roles ELSE new_roles END,
        deactivate_time = CASE WHEN leaves THEN clock_timestamp() ELSE u.deactivate_time END
    WHERE u.user_id = changed;
    RETURN 'CHANGED';
END $$;;

CREATE FUNCTION identity.check_voters(
    tenant uuid, owner_identity uuid, voters uuid[], voting_identities uuid[], in_sessions uuid[])
RETURNS TABLE (place bigint, is_known boolean, is_active boolean, holds_own boolean,
    is_owner boolean, session_is_good boolean, roles text[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = identity, pg_temp
BEGIN ATOMIC
    SELECT v.place, u.user_id IS NOT NULL, u.deactivate_time IS NULL,
        EXISTS (SELECT FROM identity.identities AS i
            WHERE i.user_id = u.user_id AND i.identity_id = v.identity),
        EXISTS (SELECT FROM identity.identities AS i
            WHERE i.user_id = u.user_id AND i.identity_id = owner_identity),
        v.session IS NULL OR EXISTS (SELECT FROM identity.sessions AS s
            WHERE s.session_id = v.session AND s.user_id = u.user_id AND s.end_time IS NULL),
        coalesce(u.roles, '{}')
    FROM unnest(voters, voting_identities, in_sessions)
        WITH ORDINALITY AS v(person, identity, session, place)
    LEFT JOIN identity.users AS u ON u.user_id = v.person AND u.tenant_id = tenant;
END;;

CREATE FUNCTION identity.list_approvers(
    tenant uuid, owner_identity uuid, with_owner boolean, of_roles text[], named uuid[])
RETURNS TABLE (person_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = identity, pg_temp
BEGIN ATOMIC
    SELECT u.user_id FROM identity.users AS u
    WHERE u.tenant_id = tenant AND u.deactivate_time IS NULL
        AND (u.roles && of_roles OR u.user_id = ANY (named)
            OR with_owner AND EXISTS (SELECT FROM identity.identities AS i
                WHERE i.user_id = u.user_id AND i.identity_id = owner_identity))
    ORDER BY u.user_id LIMIT 200;
END"""

SIGNATURES = (
    "is_owner()",
    "find_invitation(bytea, interval)",
    "accept_invitation(bytea, interval)",
    "list_people()",
    "change_person(uuid, text[], boolean)",
    "check_voters(uuid, uuid, uuid[], uuid[], uuid[])",
    "list_approvers(uuid, uuid, boolean, text[], uuid[])",
)
OWN = f"tenant_id = {TENANT} AND inviter_id = {PERSON}"
CHECK_VOTERS = "check_voters(uuid, uuid, uuid[], uuid[], uuid[])"


def upgrade() -> None:
    for statement in TABLES.split(";\n"):
        op.execute(statement)
    op.execute(f"DROP FUNCTION identity.{CHECK_VOTERS}")
    for statement in DOORS.split(";;\n"):
        op.execute(statement)
    for signature in SIGNATURES:
        grant_execute(signature)
    grant("invitations", app="SELECT, INSERT")
    enable_rls("invitations")
    policy("invitations", "app_read", role="app", command="SELECT", using=OWN)
    # Only an owner invites, whoever holds the connection.
    policy(
        "invitations", "app_make", role="app", command="INSERT",
        check=f"{OWN} AND accept_time IS NULL AND identity.is_owner()",
    )  # fmt: skip
    policy("invitations", "door", role="owner", using="true", check="true")
    policy("tenants", "door", role="owner", using="true")
    policy("users", "door_change", role="owner", command="UPDATE", using="true", check="true")
    op.execute(
        "CREATE TRIGGER one_way BEFORE UPDATE ON identity.invitations FOR EACH ROW"
        " WHEN (OLD.accept_time IS NOT NULL) EXECUTE FUNCTION identity.refuse_undoing()"
    )
    op.execute("ALTER TABLE identity.invitations ENABLE ALWAYS TRIGGER one_way")
    op.execute(
        "CREATE TRIGGER one_way BEFORE UPDATE ON identity.users FOR EACH ROW"
        " WHEN (OLD.deactivate_time IS NOT NULL AND NEW.deactivate_time IS NULL)"
        " EXECUTE FUNCTION identity.refuse_undoing()"
    )
    op.execute("ALTER TABLE identity.users ENABLE ALWAYS TRIGGER one_way")


def downgrade() -> None:
    op.execute("DROP TRIGGER one_way ON identity.users")
    op.execute("DROP POLICY door_change ON identity.users")
    op.execute("DROP POLICY door ON identity.tenants")
    op.execute("DROP POLICY app_make ON identity.invitations")
    for signature in SIGNATURES:
        op.execute(f"DROP FUNCTION identity.{signature}")
    op.execute("DROP TABLE identity.invitations")
    op.execute("DROP INDEX identity.users_tenant_id")
    before = import_module("services.identity.migrations.0002_doors")
    (door,) = [one for one in before.DOORS.split(";;\n") if "check_voters" in one]
    op.execute(door)
    grant_execute(CHECK_VOTERS)
