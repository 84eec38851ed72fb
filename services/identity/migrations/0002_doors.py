"""The few doors that open before an identity is known.

Each takes what only the holder of a secret has (find_login: what only the owner
of an e-mail should have), gives one row of ids, and runs as the owner, whose
policies let it read these tables and change none but its own two.
"""

from alembic import op

from kernel.migration.helpers import grant_execute, policy

revision = "0002"
down_revision = "0001"

DOORS = """
CREATE FUNCTION identity.find_login(wanted text)
RETURNS TABLE (tenant_id uuid, user_id uuid, identity_id uuid, roles text[], password_hash text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = identity, pg_temp
BEGIN ATOMIC
    SELECT u.tenant_id, u.user_id, i.identity_id, u.roles, c.password_hash
    FROM identity.user_profiles AS p
    JOIN identity.users AS u USING (user_id)
    JOIN identity.credentials AS c USING (user_id)
    JOIN identity.identities AS i ON i.user_id = u.user_id AND i.is_default
    WHERE p.email_key = wanted AND u.deactivate_time IS NULL;
END;;

CREATE FUNCTION identity.find_session(wanted bytea)
RETURNS TABLE (tenant_id uuid, user_id uuid, identity_id uuid, session_id uuid, amr text[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = identity, pg_temp
BEGIN ATOMIC
    SELECT s.tenant_id, s.user_id, s.identity_id, s.session_id, s.amr
    FROM identity.sessions AS s WHERE s.secret_hash = wanted;
END;;

CREATE FUNCTION identity.find_refresh_token(wanted bytea)
RETURNS TABLE (tenant_id uuid, user_id uuid, identity_id uuid, session_id uuid, roles text[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = identity, pg_temp
BEGIN ATOMIC
    SELECT s.tenant_id, s.user_id, s.identity_id, s.session_id, u.roles
    FROM identity.refresh_tokens AS t
    JOIN identity.sessions AS s USING (session_id)
    JOIN identity.users AS u ON u.user_id = s.user_id
    WHERE t.token_hash = wanted;
END;;

CREATE FUNCTION identity.find_agent(agent uuid, wanted bytea)
RETURNS TABLE (tenant_id uuid, user_id uuid, identity_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = identity, pg_temp
BEGIN ATOMIC
    SELECT a.tenant_id, a.user_id, a.identity_id
    FROM identity.agents AS a JOIN identity.users AS u USING (user_id)
    WHERE a.agent_id = agent AND a.secret_hash = wanted
        AND a.fire_time IS NULL AND u.deactivate_time IS NULL;
END;;

CREATE FUNCTION identity.find_service_key(wanted_service text, wanted_kid text)
RETURNS bytea LANGUAGE sql STABLE SECURITY DEFINER SET search_path = identity, pg_temp
BEGIN ATOMIC
    SELECT k.public_key FROM identity.service_keys AS k
    WHERE k.service = wanted_service AND k.kid = wanted_kid AND k.end_time IS NULL;
END;;

CREATE FUNCTION identity.spend_assertion(service text, token_id text, expire_time timestamptz)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = identity, pg_temp
AS $$ BEGIN
    INSERT INTO spent_assertions VALUES (service, token_id, expire_time) ON CONFLICT DO NOTHING;
    RETURN found;
END $$;;

CREATE FUNCTION identity.check_voters(
    tenant uuid, owner_identity uuid, voters uuid[], voting_identities uuid[], in_sessions uuid[])
RETURNS TABLE (
    place bigint, is_known boolean, is_active boolean, holds_both boolean, session_is_good boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = identity, pg_temp
BEGIN ATOMIC
    SELECT v.place, u.user_id IS NOT NULL, u.deactivate_time IS NULL,
        (SELECT count(*) FROM identity.identities AS i WHERE i.user_id = u.user_id
            AND i.identity_id IN (owner_identity, v.identity))
            = CASE WHEN owner_identity = v.identity THEN 1 ELSE 2 END,
        v.session IS NULL OR EXISTS (SELECT FROM identity.sessions AS s
            WHERE s.session_id = v.session AND s.user_id = u.user_id AND s.end_time IS NULL)
    FROM unnest(voters, voting_identities, in_sessions)
        WITH ORDINALITY AS v(person, identity, session, place)
    LEFT JOIN identity.users AS u ON u.user_id = v.person AND u.tenant_id = tenant;
END;;

CREATE FUNCTION identity.take_attempts(
    keys bytea[], limits integer[], time_window interval, clock_offset interval)
RETURNS TABLE (wait interval, is_first_refusal boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = identity, pg_temp
AS $$
DECLARE
    moment timestamptz;
    full_keys bytea[];
BEGIN
    -- In the order of the keys, so that two callers never wait for each other.
    INSERT INTO attempts SELECT k, 0, '-infinity', false FROM unnest(keys) AS k ORDER BY k
        ON CONFLICT DO NOTHING;
    PERFORM FROM attempts AS a WHERE a.key = ANY (keys) ORDER BY a.key FOR UPDATE;
    moment := clock_timestamp() + clock_offset;
    UPDATE attempts AS a SET count = 0, window_end = moment + time_window, is_refused = false
        WHERE a.key = ANY (keys) AND a.window_end <= moment;
    SELECT max(a.window_end) - moment, bool_or(NOT a.is_refused), array_agg(a.key)
        INTO wait, is_first_refusal, full_keys
        FROM attempts AS a JOIN unnest(keys, limits) AS l(key, maximum) USING (key)
        WHERE a.count >= l.maximum;
    IF wait IS NULL THEN
        UPDATE attempts AS a SET count = a.count + 1 WHERE a.key = ANY (keys);
    ELSE
        UPDATE attempts AS a SET is_refused = true WHERE a.key = ANY (full_keys);
    END IF;
    RETURN NEXT;
END $$;;

CREATE FUNCTION identity.give_back_attempts(keys bytea[])
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = identity, pg_temp
AS $$ BEGIN
    PERFORM FROM attempts AS a WHERE a.key = ANY (keys) ORDER BY a.key FOR UPDATE;
    UPDATE attempts AS a SET count = greatest(a.count - 1, 0) WHERE a.key = ANY (keys);
END $$"""

SIGNATURES = (
    "find_login(text)",
    "find_session(bytea)",
    "find_refresh_token(bytea)",
    "find_agent(uuid, bytea)",
    "find_service_key(text, text)",
    "spend_assertion(text, text, timestamptz)",
    "check_voters(uuid, uuid, uuid[], uuid[], uuid[])",
    "take_attempts(bytea[], integer[], interval, interval)",
    "give_back_attempts(bytea[])",
)
READ = (
    "users", "user_profiles", "credentials", "identities", "sessions", "refresh_tokens",
    "agents", "service_keys",
)  # fmt: skip


def upgrade() -> None:
    for statement in DOORS.split(";;\n"):
        op.execute(statement)
    for signature in SIGNATURES:
        grant_execute(signature)
    for table in READ:
        policy(table, "door", role="owner", command="SELECT", using="true")
    policy("spent_assertions", "door", role="owner", command="INSERT", check="true")
    policy("attempts", "door", role="owner", using="true", check="true")


def downgrade() -> None:
    for signature in SIGNATURES:
        op.execute(f"DROP FUNCTION identity.{signature}")
    for table in (*READ, "spent_assertions", "attempts"):
        op.execute(f"DROP POLICY door ON identity.{table}")
