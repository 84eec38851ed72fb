"""The grouped write of a plan: decisions, checkpoints and events in one statement."""

from alembic import op

from kernel.migration.helpers import grouped_write

revision = "0003"
down_revision = "0002"

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
    expire timestamptz;
    answers jsonb := '[]';
BEGIN
    FOR item IN SELECT value FROM jsonb_array_elements(plan -> 'items') LOOP
        INSERT INTO governance.decisions (decision_id, tenant, identity, person, agent,
            request_id, action_digest, requires_checkpoint, kind, tool, executor, run, thread,
            sphere, effect, rule, rule_revision, warnings, refusal, facts)
        VALUES ((item ->> 'decision_id')::uuid, tenant_id, identity_id, person_id,
            item ->> 'agent', (item ->> 'request_id')::uuid, item ->> 'action_digest',
            (item ->> 'requires_checkpoint')::boolean, item ->> 'kind', item ->> 'tool',
            item ->> 'executor', item ->> 'run', item ->> 'thread', item ->> 'sphere',
            item ->> 'effect', item ->> 'rule', item ->> 'rule_revision',
            ARRAY(SELECT jsonb_array_elements_text(item -> 'warnings')), item ->> 'refusal',
            item -> 'facts')
        ON CONFLICT (tenant, identity, person, request_id) DO NOTHING
        RETURNING create_time INTO made;
        IF NOT FOUND THEN
            answers := answers || governance.authorized(item);
            CONTINUE;
        END IF;
        INSERT INTO governance.actions (decision_id, tenant, identity, action)
        VALUES ((item ->> 'decision_id')::uuid, tenant_id, identity_id, item ->> 'action');
        gate := item -> 'checkpoint';
        IF jsonb_typeof(gate) = 'object' THEN
            INSERT INTO governance.checkpoints (checkpoint_id, decision_id, tenant, identity,
                type, state, revision, priority, etag, required_approvals, run, thread,
                expire_time, version)
            VALUES ((gate ->> 'checkpoint_id')::uuid, (item ->> 'decision_id')::uuid,
                tenant_id, identity_id, gate ->> 'type', 'pending', 1, gate ->> 'priority',
                gate ->> 'etag', (gate ->> 'required_approvals')::integer, item ->> 'run',
                item ->> 'thread', clock_timestamp() + (plan ->> 'expires_in')::interval, 1)
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

# What a request id was given before; another body under the same id takes the whole plan back.
AUTHORIZED = """
CREATE OR REPLACE FUNCTION governance.authorized(item jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
    answer jsonb;
BEGIN
    SELECT to_jsonb(d) || jsonb_build_object(
        'new', false,
        'execution', e.state,
        'checkpoint', to_jsonb(c) || jsonb_build_object(
            'question', v.question,
            'view', CASE WHEN c.state = 'pending' THEN v.view END,
            'reason', v.resolution_reason,
            'approvers', (SELECT jsonb_agg(DISTINCT
                    jsonb_build_object('person', person, 'identity', voter_identity))
                FROM governance.votes WHERE votes.checkpoint_id = c.checkpoint_id
                    AND votes.revision = c.revision AND option = 'approve')))
    INTO answer
    FROM governance.decisions AS d
        LEFT JOIN governance.executions AS e USING (decision_id)
        LEFT JOIN governance.checkpoints AS c USING (decision_id)
        LEFT JOIN governance.views AS v USING (checkpoint_id)
    WHERE d.tenant = current_setting('chenu.tenant')::uuid
        AND d.identity = current_setting('chenu.identity')::uuid
        AND d.person = current_setting('chenu.person')::uuid
        AND d.request_id = (item ->> 'request_id')::uuid;
    IF answer ->> 'action_digest' <> item ->> 'action_digest'
        OR answer ->> 'requires_checkpoint' <> item ->> 'requires_checkpoint' THEN
        RAISE EXCEPTION 'request id used for another action: %', item ->> 'request_id'
            USING ERRCODE = 'CHREQ';
    END IF;
    RETURN answer;
END $$"""


def upgrade() -> None:
    op.execute(AUTHORIZED)
    op.execute(AUTHORIZE)
    op.execute("GRANT EXECUTE ON FUNCTION governance.authorized(jsonb) TO governance_app")
    grouped_write("authorize")


def downgrade() -> None:
    op.execute("DROP FUNCTION governance.authorize_group")
    op.execute("DROP FUNCTION governance.authorize")
    op.execute("DROP FUNCTION governance.authorized")
