"""The ledger of calls to models."""

from alembic import op

from kernel.migration.helpers import (
    IDENTITY,
    TENANT,
    append_only,
    create_outbox,
    drop_outbox,
    enable_rls,
    grant,
    grouped_write,
)

revision = "0001"
down_revision = None

LEDGER = (
    """CREATE TABLE llm.ledger (
    call_id uuid PRIMARY KEY,
    tenant uuid NOT NULL,
    identity uuid NOT NULL,
    run_id uuid,
    provider text NOT NULL,
    model_requested text NOT NULL,
    model_answered text NOT NULL,
    host text NOT NULL,
    simulated boolean NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    duration_millis bigint NOT NULL,
    outcome text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp()
)""",
    "CREATE INDEX ledger_by_identity ON llm.ledger (identity, call_id)",
    "CREATE INDEX ledger_by_run ON llm.ledger (run_id) WHERE run_id IS NOT NULL",
)

RECORD_CALL = """
CREATE FUNCTION llm.record_call(p jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO llm.ledger (call_id, tenant, identity, run_id, provider, model_requested,
        model_answered, host, simulated, input_tokens, output_tokens, duration_millis, outcome)
    VALUES ((p->>'call_id')::uuid, current_setting('chenu.tenant')::uuid,
        current_setting('chenu.identity')::uuid, nullif(p->>'run_id', '')::uuid,
        p->>'provider', p->>'model_requested', p->>'model_answered', p->>'host',
        (p->>'simulated')::boolean, (p->>'input_tokens')::bigint,
        (p->>'output_tokens')::bigint, (p->>'duration_millis')::bigint, p->>'outcome');
    RETURN '{}';
END $$"""


def upgrade() -> None:
    for statement in LEDGER:
        op.execute(statement)
    create_outbox()
    grant("ledger", app="SELECT, INSERT")
    enable_rls("ledger", app=f"tenant = {TENANT} AND identity = {IDENTITY}")
    append_only("ledger")
    op.execute(RECORD_CALL)
    grouped_write("record_call")


def downgrade() -> None:
    op.execute(
        "DROP FUNCTION llm.record_call_group"
        "(text[], text[], text[], jsonb[], uuid[], text[], bigint[], bytea[])"
    )
    op.execute("DROP FUNCTION llm.record_call(jsonb)")
    drop_outbox()
    op.execute("DROP TABLE llm.ledger")
    op.execute("DROP FUNCTION llm.refuse_change()")
