"""What came before a question: the day's use of the like, and how often its agent has asked."""

from alembic import op

from kernel.migration.helpers import grouped_write

revision = "0019"
down_revision = "0018"

# What rules or a grant permitted, found by when; what people approved is found by when they did.
INDEXES = """
CREATE INDEX decisions_permitted ON governance.decisions (identity, kind, create_time)
    WHERE refusal = '' AND (effect IN ('allow', 'warn') OR facts ? 'grant');
CREATE INDEX checkpoints_approved_of_identity ON governance.checkpoints (identity, resolve_time)
    WHERE state = 'approved'"""

# In PL/pgSQL, which plans it once a connection: row-level security makes the plan a long one.
PERMITTED = """
CREATE FUNCTION governance.permitted(of_kind text, of_tool text, since timestamptz,
    moment timestamptz) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
    tenant_id constant uuid := current_setting('chenu.tenant')::uuid;
    identity_id constant uuid := current_setting('chenu.identity')::uuid;
BEGIN
    RETURN (WITH permitted AS MATERIALIZED (
        SELECT tool, facts -> 'amount' AS amount FROM governance.decisions
        WHERE tenant = tenant_id AND identity = identity_id AND kind = of_kind
            AND create_time >= since
            AND refusal = '' AND (effect IN ('allow', 'warn') OR facts ? 'grant')
        UNION ALL
        SELECT d.tool, coalesce(e.facts, d.facts) -> 'amount'
        FROM governance.checkpoints AS c JOIN governance.decisions AS d USING (decision_id)
            LEFT JOIN governance.edits AS e ON c.edited_digest IS NOT NULL
                AND e.checkpoint_id = c.checkpoint_id AND e.revision = c.revision
        WHERE c.tenant = tenant_id AND c.identity = identity_id AND d.kind = of_kind
            AND c.state = 'approved' AND c.resolve_time >= since
            AND (c.executed OR c.valid_until > moment)
    ), amounts AS (
        SELECT amount ->> 'unit' AS unit, jsonb_build_object(
            'micros', coalesce(sum((amount ->> 'micros')::numeric), 0)::text,
            'untold', count(*) FILTER (WHERE amount -> 'micros' IS NULL)::text) AS said
        FROM permitted WHERE amount IS NOT NULL GROUP BY amount ->> 'unit'
    )
    SELECT jsonb_build_object(
        'of_tool', (SELECT count(*) FROM permitted WHERE tool = of_tool)::text,
        'of_kind', (SELECT count(*) FROM permitted)::text,
        'amounts', (SELECT coalesce(jsonb_object_agg(unit, said), '{}') FROM amounts)));
END $$"""

# Requests that were answered before ask nobody anything again.
BEFORE = """
CREATE FUNCTION governance.before(question jsonb) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
    tenant_id constant uuid := current_setting('chenu.tenant')::uuid;
    identity_id constant uuid := current_setting('chenu.identity')::uuid;
    earliest constant timestamptz := clock_timestamp() - (question ->> 'window')::interval;
    used jsonb;
    asked jsonb;
BEGIN
    SELECT jsonb_agg(governance.permitted(item ->> 'kind', item ->> 'tool',
        (question ->> 'since')::timestamptz,
        clock_timestamp() + (question ->> 'offset')::interval) ORDER BY place) INTO used
    FROM jsonb_array_elements(question -> 'of') WITH ORDINALITY AS items (item, place);
    IF question ->> 'agent' <> '' THEN
        SELECT jsonb_build_object('asked', count(*),
            'wait', extract(epoch FROM min(c.create_time) - earliest),
            'known', (SELECT count(*) FROM governance.decisions
                WHERE tenant = tenant_id AND identity = identity_id
                    AND person = current_setting('chenu.person')::uuid
                    AND request_id IN (SELECT value::uuid
                        FROM jsonb_array_elements_text(question -> 'request_ids'))))
        INTO asked
        FROM governance.checkpoints AS c JOIN governance.decisions AS d USING (decision_id)
        WHERE c.tenant = tenant_id AND c.identity = identity_id
            AND d.agent = question ->> 'agent' AND c.create_time > earliest;
    END IF;
    RETURN jsonb_build_object('used', used, 'asked', asked);
END $$"""


def upgrade() -> None:
    for statement in INDEXES.split(";\n"):
        op.execute(statement)
    op.execute(PERMITTED)
    op.execute(
        "GRANT EXECUTE ON FUNCTION governance.permitted(text, text, timestamptz, timestamptz)"
        " TO governance_app"
    )
    op.execute(BEFORE)
    grouped_write("before")


def downgrade() -> None:
    op.execute("DROP FUNCTION governance.before_group")
    op.execute("DROP FUNCTION governance.before")
    op.execute("DROP FUNCTION governance.permitted")
    op.execute("DROP INDEX governance.checkpoints_approved_of_identity")
    op.execute("DROP INDEX governance.decisions_permitted")
