"""People, agents and services; who may see which row, and the few doors without an identity."""

from alembic import op

from kernel.migration.helpers import (
    IDENTITY,
    PERSON,
    TENANT,
    append_only,
    create_outbox,
    create_requests,
    drop_outbox,
    enable_rls,
    grant,
    grant_execute,
    policy,
)

revision = "0001"
down_revision = None

OF_TENANT = f"tenant_id = {TENANT}"
OF_PERSON = f"{OF_TENANT} AND user_id = {PERSON}"
OF_IDENTITY = f"{OF_PERSON} AND identity_id = {IDENTITY}"

TABLES = """
CREATE TABLE identity.tenants (
    tenant_id uuid PRIMARY KEY,
    founder_id uuid NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp());

CREATE TABLE identity.users (
    user_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES identity.tenants,
    roles text[] NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    deactivate_time timestamptz);
CREATE UNIQUE INDEX users_tenant ON identity.users (user_id, tenant_id);

CREATE TABLE identity.user_profiles (
    user_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    email text NOT NULL,
    email_key text NOT NULL,
    display_name text NOT NULL,
    FOREIGN KEY (user_id, tenant_id) REFERENCES identity.users (user_id, tenant_id));
CREATE UNIQUE INDEX user_profiles_email_key ON identity.user_profiles (email_key);

CREATE TABLE identity.credentials (
    user_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    password_hash text NOT NULL,
    update_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    FOREIGN KEY (user_id, tenant_id) REFERENCES identity.users (user_id, tenant_id));

CREATE TABLE identity.identities (
    identity_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    type text NOT NULL CONSTRAINT identities_type CHECK (type IN
        ('PERSONAL', 'ENTERPRISE', 'CREATIVE', 'DESIGN', 'ARCHITECTURE', 'CONSTRUCTION')),
    display_name text NOT NULL,
    is_default boolean NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    FOREIGN KEY (user_id, tenant_id) REFERENCES identity.users (user_id, tenant_id));
CREATE UNIQUE INDEX identities_user ON identity.identities (identity_id, user_id);
CREATE INDEX identities_user_id ON identity.identities (user_id);
CREATE UNIQUE INDEX identities_default ON identity.identities (user_id) WHERE is_default;

CREATE TABLE identity.sessions (
    session_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    identity_id uuid NOT NULL,
    secret_hash bytea NOT NULL,
    amr text[] NOT NULL,
    create_time timestamptz NOT NULL,
    expire_time timestamptz NOT NULL,
    end_time timestamptz,
    end_cause text CONSTRAINT sessions_end_cause CHECK (end_cause IN
        ('logged_out', 'refresh_token_reused', 'password_changed')),
    CONSTRAINT sessions_end CHECK ((end_time IS NULL) = (end_cause IS NULL)),
    FOREIGN KEY (user_id, tenant_id) REFERENCES identity.users (user_id, tenant_id),
    FOREIGN KEY (identity_id, user_id) REFERENCES identity.identities (identity_id, user_id));
CREATE UNIQUE INDEX sessions_user ON identity.sessions (session_id, user_id);
CREATE UNIQUE INDEX sessions_secret_hash ON identity.sessions (secret_hash);
CREATE INDEX sessions_open ON identity.sessions (user_id) WHERE end_time IS NULL;

CREATE TABLE identity.refresh_tokens (
    token_hash bytea PRIMARY KEY,
    session_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    expire_time timestamptz NOT NULL,
    use_time timestamptz,
    FOREIGN KEY (user_id, tenant_id) REFERENCES identity.users (user_id, tenant_id),
    FOREIGN KEY (session_id, user_id) REFERENCES identity.sessions (session_id, user_id));
CREATE INDEX refresh_tokens_expire_time ON identity.refresh_tokens (expire_time);

CREATE TABLE identity.agents (
    agent_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    identity_id uuid NOT NULL,
    display_name text NOT NULL,
    secret_hash bytea NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    fire_time timestamptz,
    FOREIGN KEY (user_id, tenant_id) REFERENCES identity.users (user_id, tenant_id),
    FOREIGN KEY (identity_id, user_id) REFERENCES identity.identities (identity_id, user_id));
CREATE UNIQUE INDEX agents_identity ON identity.agents (agent_id, identity_id);
CREATE INDEX agents_identity_id ON identity.agents (identity_id);

CREATE TABLE identity.delegations (
    delegation_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    identity_id uuid NOT NULL,
    agent_id uuid,
    session_id uuid,
    deadline timestamptz NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT delegations_stand_on_one CHECK (num_nonnulls(agent_id, session_id) = 1),
    FOREIGN KEY (user_id, tenant_id) REFERENCES identity.users (user_id, tenant_id),
    FOREIGN KEY (identity_id, user_id) REFERENCES identity.identities (identity_id, user_id),
    FOREIGN KEY (agent_id, identity_id) REFERENCES identity.agents (agent_id, identity_id),
    FOREIGN KEY (session_id, user_id) REFERENCES identity.sessions (session_id, user_id));
CREATE INDEX delegations_deadline ON identity.delegations (deadline);

CREATE TABLE identity.service_keys (
    kid text PRIMARY KEY,
    service text NOT NULL,
    public_key bytea NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    end_time timestamptz);
CREATE UNIQUE INDEX service_keys_one ON identity.service_keys (service) WHERE end_time IS NULL;

CREATE TABLE identity.spent_assertions (
    service text NOT NULL,
    token_id text NOT NULL,
    expire_time timestamptz NOT NULL,
    PRIMARY KEY (service, token_id));
CREATE INDEX spent_assertions_expire_time ON identity.spent_assertions (expire_time);

CREATE TABLE identity.attempts (
    key bytea PRIMARY KEY,
    count integer NOT NULL,
    window_end timestamptz NOT NULL,
    is_refused boolean NOT NULL);
CREATE INDEX attempts_window_end ON identity.attempts (window_end)"""

# What must be found before anybody's identity is known. Each takes what only the holder of a
# secret has (find_login: what only the owner of an e-mail should have), gives one row, and runs
# as the owner, whose policies let it read these tables and change none but its own two.
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

# What is over stays over, whoever asks: a session, an agent's hire, a refresh token.
ONE_WAY = """
CREATE FUNCTION identity.refuse_undoing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'what is over in % stays over', TG_RELID::regclass
        USING ERRCODE = 'insufficient_privilege';
END $$;;
CREATE TRIGGER one_way BEFORE UPDATE ON identity.sessions FOR EACH ROW
    WHEN (OLD.end_time IS NOT NULL)
    EXECUTE FUNCTION identity.refuse_undoing();;
CREATE TRIGGER one_way BEFORE UPDATE ON identity.agents FOR EACH ROW
    WHEN (OLD.fire_time IS NOT NULL)
    EXECUTE FUNCTION identity.refuse_undoing();;
CREATE TRIGGER one_way BEFORE UPDATE ON identity.refresh_tokens FOR EACH ROW
    WHEN (OLD.use_time IS NOT NULL)
    EXECUTE FUNCTION identity.refuse_undoing();;
ALTER TABLE identity.sessions ENABLE ALWAYS TRIGGER one_way;;
ALTER TABLE identity.agents ENABLE ALWAYS TRIGGER one_way;;
ALTER TABLE identity.refresh_tokens ENABLE ALWAYS TRIGGER one_way"""


def upgrade() -> None:
    create_outbox()
    create_requests()
    _run(TABLES, ";\n")
    _run(DOORS, ";;\n")
    _run(ONE_WAY, ";;\n")
    _grant()
    _enable_rls()
    append_only("tenants")
    # Only what is over is deleted, and by the sweeper: a policy for DELETE says what that is.
    append_only("delegations", forbid="UPDATE OR TRUNCATE")
    append_only("spent_assertions", forbid="UPDATE OR TRUNCATE")


def downgrade() -> None:
    for function in (
        "take_attempts", "give_back_attempts", "check_voters", "spend_assertion",
        "find_service_key", "find_agent", "find_refresh_token", "find_session", "find_login",
    ):  # fmt: skip
        op.execute(f"DROP FUNCTION identity.{function}")
    for table in (
        "attempts", "spent_assertions", "service_keys", "delegations", "agents", "refresh_tokens",
        "sessions", "identities", "credentials", "user_profiles", "users", "tenants", "requests",
    ):  # fmt: skip
        op.execute(f"DROP TABLE identity.{table}")
    drop_outbox()
    op.execute("DROP FUNCTION identity.refuse_undoing")
    op.execute("DROP FUNCTION identity.refuse_change")


def _run(statements: str, separator: str) -> None:
    for statement in statements.split(separator):
        op.execute(statement)


def _grant() -> None:
    grant("tenants", app="SELECT, INSERT")
    grant("users", app="SELECT, INSERT")
    grant("user_profiles", app="SELECT, INSERT")
    grant("credentials", app="SELECT, INSERT, UPDATE (password_hash, update_time)")
    grant("identities", app="SELECT, INSERT")
    ending = "identity_id, expire_time, end_time, end_cause"
    grant("sessions", app=f"SELECT, INSERT, UPDATE ({ending})")
    grant("refresh_tokens", app="SELECT, INSERT, UPDATE (use_time)", worker="DELETE")
    grant("agents", app="SELECT, INSERT, UPDATE (fire_time)")
    grant("delegations", app="SELECT, INSERT", worker="DELETE")
    grant("service_keys", worker="SELECT, INSERT, UPDATE (end_time)")
    grant("spent_assertions", worker="DELETE")
    grant("attempts", worker="DELETE")
    for function in (
        "find_login(text)", "find_session(bytea)", "find_refresh_token(bytea)",
        "find_agent(uuid, bytea)", "find_service_key(text, text)",
        "spend_assertion(text, text, timestamptz)",
        "check_voters(uuid, uuid, uuid[], uuid[], uuid[])",
        "take_attempts(bytea[], integer[], interval, interval)", "give_back_attempts(bytea[])",
    ):  # fmt: skip
        grant_execute(function)


def _enable_rls() -> None:
    enable_rls("tenants", app=OF_TENANT)
    for table in ("users", "user_profiles", "credentials", "identities", "sessions"):
        enable_rls(table, app=OF_PERSON)
    enable_rls("refresh_tokens", app=OF_PERSON)
    enable_rls("agents", app=OF_IDENTITY)
    enable_rls("delegations", app=OF_IDENTITY)
    enable_rls("service_keys", worker="true")
    enable_rls("spent_assertions")
    enable_rls("attempts", owner="true")
    for table in (
        "users", "user_profiles", "credentials", "identities", "sessions", "refresh_tokens",
        "agents", "service_keys",
    ):  # fmt: skip
        policy(table, "door", role="owner", command="SELECT", using="true")
    policy("spent_assertions", "door", role="owner", command="INSERT", check="true")
    for table, over in (
        ("attempts", "window_end < clock_timestamp()"),
        ("spent_assertions", "expire_time < clock_timestamp() - interval '1 minute'"),
        ("refresh_tokens", "expire_time < clock_timestamp() - interval '30 days'"),
        ("delegations", "deadline < clock_timestamp() - interval '7 days'"),
    ):
        policy(table, "sweep", role="worker", command="DELETE", using=over)
