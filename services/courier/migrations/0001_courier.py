"""Endpoints with their sealed secrets, deliveries, and what was executed."""

from alembic import op

from kernel.migration.helpers import (
    IDENTITY,
    TENANT,
    create_outbox,
    create_requests,
    drop_outbox,
    enable_rls,
    grant,
)

revision = "0001"
down_revision = None

TABLES = (
    """CREATE TABLE courier.endpoints (
    endpoint_id uuid PRIMARY KEY,
    tenant uuid NOT NULL,
    identity uuid NOT NULL,
    name text NOT NULL,
    url text NOT NULL,
    idempotent boolean NOT NULL,
    disabled boolean NOT NULL,
    sealed_secret bytea NOT NULL,
    version bigint NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    update_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (tenant, identity, name)
)""",
    """CREATE TABLE courier.deliveries (
    delivery_id uuid PRIMARY KEY,
    tenant uuid NOT NULL,
    identity uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    decision_id uuid NOT NULL UNIQUE,
    state text NOT NULL CHECK (state IN ('RUNNING', 'SUCCEEDED', 'FAILED', 'UNKNOWN')),
    payload_digest text NOT NULL,
    attempts integer NOT NULL,
    http_status integer NOT NULL,
    reason text NOT NULL,
    reconciled boolean NOT NULL,
    comment text NOT NULL,
    version bigint NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    finish_time timestamptz
)""",
    """CREATE INDEX deliveries_by_time ON courier.deliveries
    (identity, create_time DESC, delivery_id DESC)""",
    """CREATE TABLE courier.executions (
    decision_id uuid PRIMARY KEY,
    permit_id text NOT NULL,
    action_digest text NOT NULL,
    tenant uuid NOT NULL,
    identity uuid NOT NULL,
    tool text NOT NULL,
    state text NOT NULL,
    reason text NOT NULL DEFAULT '',
    outcome jsonb,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    deadline timestamptz,
    reported_at timestamptz,
    CONSTRAINT executions_state CHECK (state IN ('RUNNING', 'SUCCEEDED', 'FAILED', 'UNKNOWN')),
    CONSTRAINT executions_finished CHECK ((state = 'RUNNING') = (finished_at IS NULL)),
    CONSTRAINT executions_deadline CHECK (state <> 'RUNNING' OR deadline IS NOT NULL)
)""",
    "CREATE INDEX executions_overdue ON courier.executions (deadline) WHERE state = 'RUNNING'",
    """CREATE INDEX executions_unreported ON courier.executions (finished_at)
    WHERE reported_at IS NULL AND state <> 'RUNNING'""",
)
OWN = f"tenant = {TENANT} AND identity = {IDENTITY}"


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)
    create_requests()
    create_outbox()
    grant(
        "endpoints",
        app="SELECT, INSERT, DELETE,"
        " UPDATE (name, url, idempotent, disabled, version, update_time)",
    )
    ending = "state, reason, finish_time, version"
    grant(
        "deliveries",
        app=f"SELECT, INSERT, UPDATE ({ending}, attempts, http_status, reconciled, comment)",
        worker=f"SELECT, UPDATE ({ending})",
    )
    grant(
        "executions",
        app="SELECT, INSERT, UPDATE (state, reason, outcome, finished_at, reported_at)",
        worker="SELECT, UPDATE (state, reason, finished_at, reported_at)",
    )
    enable_rls("endpoints", app=OWN)
    enable_rls("deliveries", app=OWN, worker="true")
    enable_rls("executions", app=OWN, worker="true")


def downgrade() -> None:
    drop_outbox()
    for table in ("requests", "executions", "deliveries", "endpoints"):
        op.execute(f"DROP TABLE courier.{table}")
    op.execute("DROP FUNCTION courier.refuse_change()")
