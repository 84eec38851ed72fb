"""What it takes to approve, who may look because of it, and the clocks that go with it."""

from importlib import import_module

from alembic import op

revision = "0004"
down_revision = "0003"

# What was asked for before had one approval by the owner, who sees the row anyway.
OWNER = '{"stages": [{"required": 1, "approvers": {"owner": true}}]}'
COLUMNS = f"""
ALTER TABLE governance.decisions ADD COLUMN approval jsonb;
ALTER TABLE governance.checkpoints
    ADD COLUMN approval jsonb NOT NULL DEFAULT '{OWNER}',
    ADD COLUMN voter_persons uuid[] NOT NULL DEFAULT '{{}}',
    ADD COLUMN voter_roles text[] NOT NULL DEFAULT '{{}}',
    ADD COLUMN remind_time timestamptz,
    ADD COLUMN reminders integer NOT NULL DEFAULT 0,
    ADD COLUMN escalate_time timestamptz,
    ADD COLUMN escalated boolean NOT NULL DEFAULT false,
    ADD COLUMN execute_by timestamptz;
ALTER TABLE governance.checkpoints
    ALTER COLUMN approval DROP DEFAULT,
    ALTER COLUMN voter_persons DROP DEFAULT,
    ALTER COLUMN voter_roles DROP DEFAULT"""

# Whose rows they are comes from the transaction's settings, never from the payload.
AUTHORIZE = """
CREATE OR REPLACE FUNCTION governance.authorize(plan jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    tenant_id constant uuid := current_setting('chenu.tenant')::uuid;
    identity_id constant uuid := current_setting('chenu.identity')::uuid;
    person_id constant uuid := current_setting('chenu.person')::uuid;
    item jsonb;
    gate jsonb;
    made timestamptz;
    gated timestamptz;
    expire timestamptz;
    answers jsonb := '[]';
BEGIN
    FOR item IN SELECT value FROM jsonb_array_elements(plan -> 'items') LOOP
        gate := item -> 'checkpoint';
        INSERT INTO governance.decisions (decision_id, tenant, identity, person, agent,
            request_id, action_digest, requires_checkpoint, kind, tool, executor, run, thread,
            sphere, effect, rule, rule_revision, warnings, refusal, facts, approval)
        VALUES ((item ->> 'decision_id')::uuid, tenant_id, identity_id, person_id,
            item ->> 'agent', (item ->> 'request_id')::uuid, item ->> 'action_digest',
            (item ->> 'requires_checkpoint')::boolean, item ->> 'kind', item ->> 'tool',
            item ->> 'executor', item ->> 'run', item ->> 'thread', item ->> 'sphere',
            item ->> 'effect', item ->> 'rule', item ->> 'rule_revision',
            ARRAY(SELECT jsonb_array_elements_text(item -> 'warnings')), item ->> 'refusal',
            item -> 'facts', gate -> 'approval')
        ON CONFLICT (tenant, identity, person, request_id) DO NOTHING
        RETURNING create_time INTO made;
        IF NOT FOUND THEN
            answers := answers || governance.authorized(item);
            CONTINUE;
        END IF;
        INSERT INTO governance.actions (decision_id, tenant, identity, action)
        VALUES ((item ->> 'decision_id')::uuid, tenant_id, identity_id, item ->> 'action');
        IF jsonb_typeof(gate) = 'object' THEN
            gated := clock_timestamp() + (plan ->> 'offset')::interval;
            INSERT INTO governance.checkpoints (checkpoint_id, decision_id, tenant, identity,
                type, state, revision, priority, etag, required_approvals, run, thread, version,
                approval, voter_persons, voter_roles, expire_time, remind_time, escalate_time,
                execute_by)
            VALUES ((gate ->> 'checkpoint_id')::uuid, (item ->> 'decision_id')::uuid,
                tenant_id, identity_id, gate ->> 'type', 'pending', 1, gate ->> 'priority',
                gate ->> 'etag', (gate ->> 'required_approvals')::integer, item ->> 'run',
                item ->> 'thread', 1, gate -> 'approval',
                ARRAY(SELECT jsonb_array_elements_text(gate -> 'voter_persons'))::uuid[],
                ARRAY(SELECT jsonb_array_elements_text(gate -> 'voter_roles')),
                gated + (gate ->> 'expires_in')::interval,
                gated + (gate ->> 'remind_in')::interval,
                gated + (gate ->> 'escalate_in')::interval,
                gated + (gate ->> 'execute_in')::interval)
            RETURNING expire_time INTO expire;
            INSERT INTO governance.views (checkpoint_id, tenant, identity, question, view)
            VALUES ((gate ->> 'checkpoint_id')::uuid, tenant_id, identity_id,
                gate ->> 'question', gate ->> 'view');
        END IF;
        INSERT INTO governance.outbox (id, stream, version, event)
        SELECT (event ->> 'id')::uuid, event ->> 'stream', (event ->> 'version')::bigint,
            convert_to(event ->> 'event', 'UTF8')
        FROM jsonb_array_elements(item -> 'events') AS event;
        answers := answers || jsonb_build_object(
            'new', true, 'create_time', made, 'expire_time', expire);
    END LOOP;
    RETURN jsonb_build_object('items', answers, 'now', clock_timestamp(),
        'freeze_epoch', (SELECT epoch FROM governance.freeze));
END $$"""


def upgrade() -> None:
    for statement in COLUMNS.split(";\n"):
        op.execute(statement)
    op.execute(AUTHORIZE)


def downgrade() -> None:
    before = import_module("services.governance.migrations.0003_authorize")
    op.execute(before.AUTHORIZE)
    op.execute("ALTER TABLE governance.decisions DROP COLUMN approval")
    columns = (
        "approval", "voter_persons", "voter_roles", "remind_time", "reminders", "escalate_time",
        "escalated", "execute_by",
    )  # fmt: skip
    op.execute(
        "ALTER TABLE governance.checkpoints "
        + ", ".join(f"DROP COLUMN {column}" for column in columns)
    )
