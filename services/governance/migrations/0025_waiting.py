"""What is asked all the time finds what waits or holds, however much else is kept.

A condition on `clock_timestamp()` itself is looked at row by row; on `(SELECT clock_timestamp())`
an index is searched.
"""

from importlib import import_module

from alembic import op

revision = "0025"
down_revision = "0024"

INDEXES = """
CREATE INDEX checkpoints_waiting ON governance.checkpoints (tenant, create_time, checkpoint_id)
    WHERE state = 'pending';
CREATE INDEX freezes_lifted ON governance.freezes (lift_time) WHERE lift_time IS NOT NULL;
DROP INDEX governance.deputies_deputy;
CREATE INDEX deputies_deputy ON governance.deputies (deputy, end_time)
    WHERE dismiss_time IS NULL"""

# First the few that are recent, then of each its decision by its key: row-level security has the
# planner guess how much a tenant has, and where most have little, it would begin with all of that.
_EACH = """CROSS JOIN LATERAL (SELECT tool, kind, agent, request_id, facts
            FROM governance.decisions WHERE decision_id = c.decision_id OFFSET 0) AS d"""
_RECENT = (
    (
        "FROM (SELECT c.decision_id",
        """FROM (WITH recent AS MATERIALIZED (
            SELECT decision_id, checkpoint_id, resolve_time FROM governance.checkpoints
            WHERE state = 'rejected' AND tenant = current_setting('chenu.tenant')::uuid
                AND identity = current_setting('chenu.identity')::uuid
                AND resolve_time > (SELECT clock_timestamp() + (plan ->> 'offset')::interval
                    - (plan ->> 'tombstone_life')::interval))
        SELECT c.decision_id""",
    ),
    (
        """FROM governance.checkpoints AS c JOIN governance.decisions AS d USING (decision_id)
        WHERE c.state = 'rejected' AND c.tenant = current_setting('chenu.tenant')::uuid
            AND c.identity = current_setting('chenu.identity')::uuid
            AND c.resolve_time > clock_timestamp() + (plan ->> 'offset')::interval
                - (plan ->> 'tombstone_life')::interval
            AND d.tool""",
        f"""FROM recent AS c {_EACH}
        WHERE d.tool""",
    ),
)
_ASKED = (
    (
        "SELECT jsonb_build_object('asked'",
        """WITH recent AS MATERIALIZED (
            SELECT decision_id, create_time FROM governance.checkpoints
            WHERE tenant = tenant_id AND identity = identity_id AND create_time > earliest)
        SELECT jsonb_build_object('asked'""",
    ),
    (
        """FROM governance.checkpoints AS c JOIN governance.decisions AS d USING (decision_id)
        WHERE c.tenant = tenant_id AND c.identity = identity_id
            AND d.agent = question ->> 'agent' AND c.create_time > earliest;""",
        f"""FROM recent AS c {_EACH}
        WHERE d.agent = question ->> 'agent';""",
    ),
)
_USED = (
    (
        "WITH permitted AS",
        """WITH approved AS MATERIALIZED (
        SELECT decision_id, checkpoint_id, revision, edited_digest FROM governance.checkpoints
        WHERE tenant = tenant_id AND identity = identity_id
            AND state = 'approved' AND resolve_time >= since
            AND (executed OR valid_until > moment)
    ), permitted AS""",
    ),
    (
        """FROM governance.checkpoints AS c JOIN governance.decisions AS d USING (decision_id)
""",
        f"""FROM approved AS c {_EACH}
""",
    ),
    (
        """WHERE c.tenant = tenant_id AND c.identity = identity_id AND d.kind = of_kind
            AND c.state = 'approved' AND c.resolve_time >= since
            AND (c.executed OR c.valid_until > moment)
""",
        """WHERE d.kind = of_kind
""",
    ),
)
_KNOWN = """request_id IN (SELECT value::uuid
                        FROM jsonb_array_elements_text(question -> 'request_ids'))"""
_FOUND = """request_id = ANY (ARRAY(SELECT value::uuid
                        FROM jsonb_array_elements_text(question -> 'request_ids')))"""
_ENDS = "end_time > clock_timestamp() + ahead"
_LAST = "votes jsonb, action text, view text, remarks jsonb, edits jsonb"
_EDITS = "WHERE one.checkpoint_id = c.checkpoint_id)"
TOLD = "governance.checkpoints_told(interval)"


def _text(migration: str, name: str) -> str:
    text: str = getattr(import_module(f"services.governance.migrations.{migration}"), name)
    return text.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")


def _replaced(text: str, *changes: tuple[str, str]) -> str:
    for before, after in changes:
        if before not in text:
            raise LookupError(before)
        text = text.replace(before, after)
    return text


def _standing() -> str:
    covered = _text("0022_votes", "_FREEZE") + " INTO stopped" + _text("0022_votes", "_COVERS")
    stopped = (f"{covered};", "stopped := governance.stopped(item);")
    return _replaced(_text("0012_grants", "STANDING"), stopped)


def _told(text: str) -> None:
    op.execute(f"DROP FUNCTION {TOLD}")
    op.execute(text)
    op.execute(f"GRANT EXECUTE ON FUNCTION {TOLD} TO governance_app")


def upgrade() -> None:
    for statement in INDEXES.split(";\n"):
        op.execute(statement)
    op.execute(_replaced(_standing(), *_RECENT))
    op.execute(_replaced(_text("0019_use_today", "BEFORE"), (_KNOWN, _FOUND), *_ASKED))
    op.execute(_replaced(_text("0019_use_today", "PERMITTED"), *_USED))
    looked = (_ENDS, "end_time > (SELECT clock_timestamp() + ahead)")
    op.execute(_replaced(_text("0022_votes", "LOOK"), looked))
    # What a list of what waits is searched by; `state` knows of the clock, too.
    stored = ((_LAST, f"{_LAST}, stored_state text"), (_EDITS, f"{_EDITS}, c.state"))
    _told(_replaced(_text("0023_checkpoints_told", "TOLD"), *stored))


def downgrade() -> None:
    _told(_text("0023_checkpoints_told", "TOLD"))
    op.execute(_text("0022_votes", "LOOK"))
    for name in ("BEFORE", "PERMITTED"):
        op.execute(_text("0019_use_today", name))
    op.execute(_standing())
    for index in ("deputies_deputy", "freezes_lifted", "checkpoints_waiting"):
        op.execute(f"DROP INDEX governance.{index}")
    op.execute(
        "CREATE INDEX deputies_deputy ON governance.deputies (deputy) WHERE dismiss_time IS NULL"
    )
