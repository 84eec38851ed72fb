"""Channels, what is sent to them, and every attempt."""

from alembic import op

from kernel.migration.helpers import (
    IDENTITY,
    TENANT,
    append_only,
    enable_rls,
    grant,
    policy,
)

revision = "0003"
down_revision = "0002"

TABLES = (
    """CREATE TABLE courier.channels (
    channel_id uuid NOT NULL CONSTRAINT channels_pkey PRIMARY KEY,
    tenant uuid NOT NULL,
    identity uuid NOT NULL,
    person uuid NOT NULL,
    name text NOT NULL,
    kind text NOT NULL CONSTRAINT channels_kind CHECK (kind IN ('webhook', 'email', 'slack')),
    sealed bytea NOT NULL,
    disabled boolean NOT NULL DEFAULT false,
    disable_reason text NOT NULL DEFAULT '',
    version bigint NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT channels_name UNIQUE (tenant, identity, name)
)""",
    "CREATE INDEX channels_of_person ON courier.channels (tenant, person)",
    """CREATE TABLE courier.notifications (
    notification_id uuid NOT NULL CONSTRAINT notifications_pkey PRIMARY KEY,
    tenant uuid NOT NULL,
    identity uuid NOT NULL,
    channel_id uuid NOT NULL CONSTRAINT notifications_channel
        REFERENCES courier.channels ON DELETE CASCADE,
    notice_id uuid NOT NULL,
    checkpoint_id uuid NOT NULL,
    type text NOT NULL,
    view_digest text NOT NULL,
    body text NOT NULL,
    state text NOT NULL CONSTRAINT notifications_state
        CHECK (state IN ('pending', 'delivered', 'failed')),
    tries integer NOT NULL DEFAULT 0,
    tries_before integer NOT NULL DEFAULT 0,
    version bigint NOT NULL DEFAULT 1,
    next_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    finish_time timestamptz,
    CONSTRAINT notifications_once UNIQUE (channel_id, notice_id)
)""",
    """CREATE INDEX notifications_by_time ON courier.notifications
    (identity, create_time DESC, notification_id DESC)""",
    "CREATE INDEX notifications_due ON courier.notifications (next_time) WHERE state = 'pending'",
    """CREATE TABLE courier.attempts (
    notification_id uuid NOT NULL CONSTRAINT attempts_notification
        REFERENCES courier.notifications ON DELETE CASCADE,
    number integer NOT NULL,
    tenant uuid NOT NULL,
    identity uuid NOT NULL,
    status integer NOT NULL,
    reason text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT attempts_pkey PRIMARY KEY (notification_id, number)
)""",
)
OWN = f"tenant = {TENANT} AND identity = {IDENTITY}"


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)
    # The worker finds what is due and for whom; addresses and bodies are not for it.
    grant(
        "channels",
        app="SELECT, INSERT, DELETE, UPDATE (disabled, disable_reason, version)",
        worker="SELECT (channel_id, tenant, identity, person, disabled)",
    )
    grant(
        "notifications",
        app="SELECT, INSERT, UPDATE (state, tries, tries_before, version, next_time, finish_time)",
        worker="SELECT (notification_id, tenant, identity, channel_id, state, next_time)",
    )
    grant("attempts", app="SELECT, INSERT")
    for table in ("channels", "notifications"):
        enable_rls(table, app=OWN)
        policy(table, "worker_read", role="worker", command="SELECT", using="true")
    enable_rls("attempts", app=OWN)
    append_only("attempts", forbid="UPDATE OR TRUNCATE")


def downgrade() -> None:
    for table in ("attempts", "notifications", "channels"):
        op.execute(f"DROP TABLE courier.{table}")
