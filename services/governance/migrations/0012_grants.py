"""Standing grants: found with what stands against an action, used up in the deciding statement."""

from importlib import import_module

from alembic import op

from kernel.migration.helpers import IDENTITY, TENANT, append_only, enable_rls, grant, policy

revision = "0012"
down_revision = "0011"

OWN = f"tenant = {TENANT} AND identity = {IDENTITY}"
TABLE = """
CREATE TABLE governance.grants (
    grant_id uuid NOT NULL CONSTRAINT grants_pkey PRIMARY KEY
        CONSTRAINT grants_grant_id_fkey REFERENCES governance.decisions,
    tenant uuid NOT NULL,
    identity uuid NOT NULL,
    tool text NOT NULL,
    kind text NOT NULL,
    agent text NOT NULL,
    terms jsonb NOT NULL,
    uses_left integer NOT NULL CONSTRAINT grants_uses CHECK (uses_left >= 0),
    total_left bigint NOT NULL CONSTRAINT grants_total CHECK (total_left >= 0),
    end_time timestamptz NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    revoke_time timestamptz);
CREATE INDEX grants_of_tool ON governance.grants (identity, tool, kind)
    WHERE revoke_time IS NULL"""
GUARD = """
CREATE FUNCTION governance.guard_grant() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.uses_left > OLD.uses_left OR NEW.total_left > OLD.total_left
        OR OLD.revoke_time IS NOT NULL THEN
        RAISE EXCEPTION 'a grant is only ever used up' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$"""
TRIGGER = """
CREATE TRIGGER guard BEFORE UPDATE ON governance.grants
    FOR EACH ROW EXECUTE FUNCTION governance.guard_grant()"""
GRANTED = """
    SELECT jsonb_agg(jsonb_build_object('grant_id', grant_id, 'terms', terms)
        ORDER BY create_time, grant_id) INTO granted
    FROM governance.grants
    WHERE tenant = current_setting('chenu.tenant')::uuid
        AND identity = current_setting('chenu.identity')::uuid
        AND tool = item ->> 'tool' AND kind = item ->> 'kind' AND agent IN ('', item ->> 'agent')
        AND revoke_time IS NULL AND uses_left > 0
        AND end_time > clock_timestamp() + (plan ->> 'offset')::interval;"""
USE = """
    FOR item, place IN SELECT value, ordinality::integer - 1
        FROM jsonb_array_elements(plan -> 'items') WITH ORDINALITY LOOP
        CONTINUE WHEN NOT item -> 'facts' ? 'grant'
            OR NOT (answer #>> ARRAY['items', place::text, 'new'])::boolean;
        UPDATE governance.grants SET uses_left = uses_left - 1,
            total_left = total_left - (item ->> 'amount')::bigint
        WHERE grant_id = (item #>> '{facts,grant}')::uuid AND revoke_time IS NULL
            AND uses_left > 0 AND total_left >= (item ->> 'amount')::bigint
            AND end_time > clock_timestamp() + (plan ->> 'offset')::interval;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the grant is used up' USING ERRCODE = 'CHGRA';
        END IF;
    END LOOP;"""


def standing(create: str) -> str:
    """The function of 0008 with the grants."""
    before: str = import_module("services.governance.migrations.0008_tombstones").STANDING
    text = before.replace("CREATE FUNCTION", create)
    text = text.replace("    rejected jsonb;\n", "    rejected jsonb;\n    granted jsonb;\n")
    text = text.replace("    RETURN nullif(", f"{GRANTED.lstrip(chr(10))}\n    RETURN nullif(")
    return text.replace("'rejections', rejected)", "'rejections', rejected, 'grants', granted)")


def decide(create: str, *, uses: bool) -> str:
    """The function of 0005 as 0008 made it; with `uses`, it uses grants up."""
    before: str = import_module("services.governance.migrations.0005_freezes").DECIDE
    text = before.replace("CREATE FUNCTION", create)
    text = text.replace("governance.standing(item)", "governance.standing(item, plan)")
    if not uses:
        return text
    text = text.replace(
        "    standing jsonb;\n",
        "    standing jsonb;\n    answer jsonb;\n    item jsonb;\n    place integer;\n",
    )
    text = text.replace("governance.standing(item, plan)", "governance.standing(i.item, plan)")
    text = text.replace("AS items (item, place)", "AS i (item, place)").replace(
        "ORDER BY place", "ORDER BY i.place"
    )
    return text.replace(
        "    RETURN governance.authorize(plan)\n",
        f"    answer := governance.authorize(plan);{USE}\n    RETURN answer\n",
    )


def upgrade() -> None:
    for statement in TABLE.split(";\n"):
        op.execute(statement)
    op.execute(GUARD)
    op.execute(TRIGGER)
    op.execute("ALTER TABLE governance.grants ENABLE ALWAYS TRIGGER guard")
    # Made by what people have approved: the role that serves makes none.
    grant(
        "grants",
        app="SELECT, UPDATE (uses_left, total_left, revoke_time)",
        worker="SELECT, INSERT",
    )
    enable_rls("grants", worker="true")
    policy("grants", "app_read", role="app", command="SELECT", using=OWN)
    policy("grants", "app_use", role="app", command="UPDATE", using=OWN, check=OWN)
    append_only("grants", forbid="DELETE OR TRUNCATE")
    op.execute(standing("CREATE OR REPLACE FUNCTION"))
    op.execute(decide("CREATE OR REPLACE FUNCTION", uses=True))


def downgrade() -> None:
    before = import_module("services.governance.migrations.0008_tombstones").STANDING
    op.execute(before.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
    op.execute(decide("CREATE OR REPLACE FUNCTION", uses=False))
    op.execute("DROP TABLE governance.grants")
    op.execute("DROP FUNCTION governance.guard_grant")
