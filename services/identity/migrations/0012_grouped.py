"""Vote tokens and the question about voters by one statement each way, shared by whoever asks."""

from alembic import op

from kernel.migration.helpers import grouped_write

revision = "0012"
down_revision = "0011"

# PL/pgSQL plans once a connection: row-level security makes the plans long ones.
LIVES = """s.session_id = {session} AND s.end_time IS NULL AND u.deactivate_time IS NULL
        AND s.expire_time > clock_timestamp() + ({asked} ->> 'clock_offset')::interval"""

FIND = f"""
CREATE FUNCTION identity.find_holder(question jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    found_session record;
    named uuid;
BEGIN
    SELECT * INTO found_session
    FROM identity.find_session(decode(question ->> 'secret_hash', 'hex'));
    IF NOT FOUND THEN
        RETURN '{{}}';
    END IF;
    named := coalesce((question ->> 'identity')::uuid, found_session.identity_id);
    -- The rest is asked as that person; the group sets the identity of the next item itself.
    PERFORM set_config('chenu.tenant', found_session.tenant_id::text, true),
        set_config('chenu.person', found_session.user_id::text, true),
        set_config('chenu.identity', named::text, true);
    RETURN jsonb_build_object(
        'tenant', found_session.tenant_id, 'person', found_session.user_id, 'identity', named,
        'session', found_session.session_id, 'amr', found_session.amr,
        'roles', (SELECT to_jsonb(u.roles)
            FROM identity.sessions AS s JOIN identity.users AS u USING (user_id)
            WHERE {LIVES.format(session="found_session.session_id", asked="question")}),
        'holds_identity', EXISTS (SELECT FROM identity.identities AS i
            WHERE i.identity_id = named));
END $$"""  # noqa: S608

HOLD = f"""
CREATE FUNCTION identity.hold_session(held jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    alive jsonb;
BEGIN
    SELECT jsonb_build_object('roles', u.roles) INTO alive
    FROM identity.sessions AS s JOIN identity.users AS u USING (user_id)
    WHERE {LIVES.format(session="(held ->> 'session')::uuid", asked="held")}
    FOR SHARE OF s;
    RETURN alive;
END $$"""  # noqa: S608

CHECK = """
CREATE FUNCTION identity.check_eligibility(question jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
    tenant constant uuid := question ->> 'tenant';
    owner_identity constant uuid := question ->> 'owner_identity';
BEGIN
    RETURN jsonb_build_object(
        'voters', (SELECT jsonb_agg(to_jsonb(v) ORDER BY v.place) FROM identity.check_voters(
            tenant, owner_identity,
            ARRAY(SELECT jsonb_array_elements_text(question -> 'persons')::uuid),
            ARRAY(SELECT jsonb_array_elements_text(question -> 'identities')::uuid),
            ARRAY(SELECT jsonb_array_elements_text(question -> 'sessions')::uuid)) AS v),
        'bears_name', question ->> 'owner_name' = ''
            OR identity.bears_name(tenant, owner_identity, question ->> 'owner_name'));
END $$"""


def upgrade() -> None:
    for function in (FIND, HOLD, CHECK):
        op.execute(function)
    for name in ("find_holder", "hold_session", "check_eligibility"):
        grouped_write(name)


def downgrade() -> None:
    for name in ("find_holder", "hold_session", "check_eligibility"):
        op.execute(f"DROP FUNCTION identity.{name}_group")
        op.execute(f"DROP FUNCTION identity.{name}")
