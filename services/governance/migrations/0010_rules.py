"""The rules of tenants, what counts towards their limits, and what shadows said."""

from alembic import op

from kernel.migration.helpers import (
    IDENTITY,
    PERSON,
    TENANT,
    append_only,
    enable_rls,
    grant,
    grouped_write,
    policy,
)

revision = "0010"
down_revision = "0009"

OWN = f"tenant = {TENANT} AND identity = {IDENTITY}"
TENANTS = f"tenant = {TENANT}"

TABLES = """
CREATE TABLE governance.rule_revisions (
    tenant uuid NOT NULL,
    revision text NOT NULL,
    document jsonb NOT NULL,
    description text NOT NULL,
    rule_count integer NOT NULL,
    person uuid NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT rule_revisions_pkey PRIMARY KEY (tenant, revision));
CREATE INDEX rule_revisions_listed ON governance.rule_revisions (tenant, create_time, revision);
CREATE TABLE governance.rule_labels (
    tenant uuid NOT NULL,
    label text NOT NULL,
    revision text,
    version bigint NOT NULL,
    person uuid NOT NULL,
    decision_id uuid CONSTRAINT rule_labels_decision_id_fkey REFERENCES governance.decisions,
    change_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT rule_labels_pkey PRIMARY KEY (tenant, label),
    CONSTRAINT rule_labels_revision_fkey FOREIGN KEY (tenant, revision)
        REFERENCES governance.rule_revisions);
CREATE TABLE governance.counted (
    counted_id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT counted_pkey PRIMARY KEY,
    tenant uuid NOT NULL,
    decision_id uuid NOT NULL
        CONSTRAINT counted_decision_id_fkey REFERENCES governance.decisions,
    tally text NOT NULL,
    amount bigint NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE INDEX counted_tally ON governance.counted (tenant, tally, create_time)
    INCLUDE (amount, counted_id);
CREATE INDEX counted_of_decision ON governance.counted (decision_id);
CREATE TABLE governance.shadow_verdicts (
    decision_id uuid NOT NULL CONSTRAINT shadow_verdicts_pkey PRIMARY KEY
        CONSTRAINT shadow_verdicts_decision_id_fkey REFERENCES governance.decisions,
    tenant uuid NOT NULL,
    revision text NOT NULL,
    kind text NOT NULL,
    tool text NOT NULL,
    change text NOT NULL,
    recorded_effect text NOT NULL,
    recorded_rule text NOT NULL,
    effect text NOT NULL,
    rule text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE INDEX shadow_verdicts_listed
    ON governance.shadow_verdicts (tenant, create_time, decision_id)"""

# What holds is changed by an executed promotion of the same tenant and by nothing else,
# whoever holds the connection.
LABEL_GUARD = """
CREATE FUNCTION governance.guard_rule_label() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.label = 'live' AND NOT EXISTS (
        SELECT FROM governance.decisions AS d JOIN governance.executions AS e USING (decision_id)
        WHERE d.decision_id = NEW.decision_id AND d.tenant = NEW.tenant
            AND d.executor = 'governance' AND d.tool = 'rules.promote'
            AND e.state = 'succeeded') THEN
        RAISE EXCEPTION 'what is live changes by a promotion that people approved'
            USING ERRCODE = 'check_violation';
    END IF;
    IF TG_OP = 'UPDATE' AND (NEW.version <> OLD.version + 1
        OR NEW.label = 'live' AND NEW.decision_id = OLD.decision_id) THEN
        RAISE EXCEPTION 'a label moves one version at a time, each by its own decision'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$"""
LABEL_TRIGGER = """
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON governance.rule_labels
    FOR EACH ROW EXECUTE FUNCTION governance.guard_rule_label()"""

# What a person refused, or nobody decided, does not count towards any limit.
UNCOUNT = """
CREATE OR REPLACE FUNCTION governance.uncount() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO governance.counted (tenant, decision_id, tally, amount, create_time)
    SELECT tenant, decision_id, tally, -amount, create_time
    FROM governance.counted WHERE decision_id = NEW.decision_id AND amount > 0;
    RETURN NULL;
END $$"""
UNCOUNT_TRIGGER = """
CREATE TRIGGER uncount AFTER UPDATE OF state ON governance.checkpoints
    FOR EACH ROW WHEN (NEW.state <> OLD.state
        AND NEW.state IN ('rejected', 'expired', 'cancelled', 'superseded'))
    EXECUTE FUNCTION governance.uncount()"""

# A plan is judged with the rules and sums that the service knew. Here it is looked at once more
# whether they still stand; if not the plan is handed back, and nothing was written. The shared
# lock lets a promotion wait for the decisions that are under way: once it has committed, none
# commits that was made by the rules of before.
JUDGED = """
CREATE FUNCTION governance.judged(plan jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    tenant_id constant uuid := current_setting('chenu.tenant')::uuid;
    stand jsonb;
    bound jsonb;
    latest bigint;
    answer jsonb;
    item jsonb;
    shadow jsonb;
    place integer := -1;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('rules/' || tenant_id, 0));
    SELECT coalesce(jsonb_object_agg(label, revision), '{}') INTO stand
    FROM governance.rule_labels
    WHERE tenant = tenant_id AND label IN ('live', 'shadow') AND revision IS NOT NULL;
    IF stand <> plan -> 'labels' THEN
        RETURN jsonb_build_object('labels', stand);
    END IF;
    -- In their order, as everybody does.
    FOR bound IN SELECT value FROM jsonb_array_elements(plan -> 'tallies') LOOP
        PERFORM pg_advisory_xact_lock(hashtextextended(tenant_id || (bound ->> 'tally'), 1));
        IF bound ? 'latest' THEN
            SELECT coalesce(max(counted_id), 0) INTO latest FROM governance.counted
            WHERE tenant = tenant_id AND tally = bound ->> 'tally'
                AND create_time > (bound ->> 'since')::timestamptz;
            IF latest <> (bound ->> 'latest')::bigint THEN
                RETURN jsonb_build_object('counted', true);
            END IF;
        END IF;
    END LOOP;
    answer := governance.decide(plan);
    IF NOT (plan ->> 'noted')::boolean OR NOT answer ? 'items' THEN
        RETURN answer;
    END IF;
    FOR item IN SELECT value FROM jsonb_array_elements(plan -> 'items') LOOP
        place := place + 1;
        CONTINUE WHEN NOT (answer #>> ARRAY['items', place::text, 'new'])::boolean;
        INSERT INTO governance.counted (tenant, decision_id, tally, amount)
        SELECT tenant_id, (item ->> 'decision_id')::uuid, one ->> 'tally',
            (one ->> 'amount')::bigint
        FROM jsonb_array_elements(item -> 'counted') AS one;
        shadow := item -> 'shadow';
        IF jsonb_typeof(shadow) = 'object' THEN
            INSERT INTO governance.shadow_verdicts (decision_id, tenant, revision, kind, tool,
                change, recorded_effect, recorded_rule, effect, rule)
            VALUES ((item ->> 'decision_id')::uuid, tenant_id, shadow ->> 'revision',
                item ->> 'kind', item ->> 'tool', shadow ->> 'change', item ->> 'effect',
                item ->> 'rule', shadow ->> 'effect', shadow ->> 'rule');
        END IF;
    END LOOP;
    RETURN answer;
END $$"""


def upgrade() -> None:
    for statement in TABLES.split(";\n"):
        op.execute(statement)
    for statement in (LABEL_GUARD, LABEL_TRIGGER, UNCOUNT, UNCOUNT_TRIGGER):
        op.execute(statement)
    for table in ("rule_labels", "checkpoints"):
        op.execute(
            f"ALTER TABLE governance.{table} ENABLE ALWAYS TRIGGER"
            f" {'guard' if table == 'rule_labels' else 'uncount'}"
        )
    grant("rule_revisions", app="SELECT, INSERT", worker="SELECT")
    enable_rls(
        "rule_revisions", app=TENANTS, app_check=f"{TENANTS} AND person = {PERSON}", worker="true"
    )
    append_only("rule_revisions")
    grant(
        "rule_labels",
        app="SELECT, INSERT, UPDATE (revision, version, person, change_time)",
        worker="SELECT, INSERT, UPDATE (revision, version, person, decision_id, change_time)",
    )
    enable_rls("rule_labels", worker="true")
    policy("rule_labels", "app_read", role="app", command="SELECT", using=TENANTS)
    # The others are names only; what holds is the worker's to move, when people have approved.
    named = f"{TENANTS} AND label <> 'live' AND person = {PERSON}"
    policy("rule_labels", "app_name", role="app", command="INSERT", check=named)
    policy(
        "rule_labels", "app_move", role="app", command="UPDATE",
        using=f"{TENANTS} AND label <> 'live'", check=named,
    )  # fmt: skip
    append_only("rule_labels", forbid="DELETE OR TRUNCATE")
    grant("counted", app="SELECT, INSERT", worker="SELECT, INSERT")
    enable_rls("counted", app=TENANTS, worker="true")
    append_only("counted")
    grant("shadow_verdicts", app="SELECT, INSERT")
    enable_rls("shadow_verdicts", app=TENANTS)
    append_only("shadow_verdicts")
    op.execute(JUDGED)
    grouped_write("judged")


def downgrade() -> None:
    op.execute("DROP FUNCTION governance.judged_group")
    op.execute("DROP FUNCTION governance.judged")
    op.execute("DROP TRIGGER uncount ON governance.checkpoints")
    for table in ("shadow_verdicts", "counted", "rule_labels", "rule_revisions"):
        op.execute(f"DROP TABLE governance.{table}")
    op.execute("DROP FUNCTION governance.uncount")
    op.execute("DROP FUNCTION governance.guard_rule_label")
