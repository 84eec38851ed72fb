"""People, agents and services, and who may see and change which row."""

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
    for statement in TABLES.split(";\n"):
        op.execute(statement)
    for statement in ONE_WAY.split(";;\n"):
        op.execute(statement)
    _grant()
    _enable_rls()
    append_only("tenants")
    # Only what is over is deleted, and by the sweeper: a policy for DELETE says what that is.
    append_only("delegations", forbid="UPDATE OR TRUNCATE")
    append_only("spent_assertions", forbid="UPDATE OR TRUNCATE")


def downgrade() -> None:
    for table in (
        "attempts", "spent_assertions", "service_keys", "delegations", "agents", "refresh_tokens",
        "sessions", "identities", "credentials", "user_profiles", "users", "tenants", "requests",
    ):  # fmt: skip
        op.execute(f"DROP TABLE identity.{table}")
    drop_outbox()
    op.execute("DROP FUNCTION identity.refuse_undoing")
    op.execute("DROP FUNCTION identity.refuse_change")


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


def _enable_rls() -> None:
    enable_rls("tenants", app=OF_TENANT)
    for table in ("users", "user_profiles", "credentials", "identities", "sessions"):
        enable_rls(table, app=OF_PERSON)
    enable_rls("refresh_tokens", app=OF_PERSON)
    enable_rls("agents", app=OF_IDENTITY)
    enable_rls("delegations", app=OF_IDENTITY)
    enable_rls("service_keys", worker="true")
    enable_rls("spent_assertions")
    enable_rls("attempts")
    for table, over in (
        ("attempts", "window_end < clock_timestamp()"),
        ("spent_assertions", "expire_time < clock_timestamp() - interval '1 minute'"),
        ("refresh_tokens", "expire_time < clock_timestamp() - interval '30 days'"),
        ("delegations", "deadline < clock_timestamp() - interval '7 days'"),
    ):
        policy(table, "sweep", role="worker", command="DELETE", using=over)
