"""A person is forgotten: what was asked, shown and said goes; what was decided by whom stays.

A question of theirs that still waits runs out of time: nobody could see any more what it asks.
"""

from importlib import import_module

from alembic import op

from kernel.migration.helpers import create_eraser, drop_eraser, policy

revision = "0017"
down_revision = "0016"

TABLES = (
    "actions", "views", "edited_views", "comments", "remarks", "freezes", "grants", "checkpoints",
)  # fmt: skip
# As in 0006, 0005 and 0012; each guard lets the owner do the one thing more that forgetting takes.
CHECKPOINT_GUARD = """
CREATE OR REPLACE FUNCTION governance.guard_checkpoint() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    approvals bigint;
    approvers bigint;
    seats bigint;
    rejections bigint;
BEGIN
    NEW.changed := pg_current_xact_id();
    IF current_user = 'governance_owner' AND to_jsonb(NEW) - '{expire_time,valid_until,changed}'
        ::text[] = to_jsonb(OLD) - '{expire_time,valid_until,changed}'::text[] THEN
        RETURN NEW;
    END IF;
    -- Its decision was executed: that is noted beside the state, and not taken back.
    IF (NEW.state, NEW.version, NEW.executed) = (OLD.state, OLD.version, true) THEN
        RETURN NEW;
    END IF;
    IF OLD.state <> 'pending' AND (OLD.state, NEW.state) <> ('approved', 'expired')
        OR NEW.version <> OLD.version + 1 OR NEW.executed THEN
        RAISE EXCEPTION 'a checkpoint does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state IN ('approved', 'rejected') THEN
        SELECT count(*) FILTER (WHERE option = 'approve'),
            count(DISTINCT person) FILTER (WHERE option = 'approve'),
            count(DISTINCT coalesce(seat, person)) FILTER (WHERE option = 'approve'),
            count(*) FILTER (WHERE option = 'reject')
        INTO approvals, approvers, seats, rejections
        FROM governance.votes WHERE checkpoint_id = OLD.checkpoint_id
            AND revision = OLD.revision AND view_digest = OLD.etag;
        IF NEW.state = 'rejected' AND rejections = 0
            OR NEW.state = 'approved' AND (rejections > 0
                OR least(approvers, seats) < OLD.required_approvals
                OR EXISTS (
                    SELECT FROM jsonb_array_elements(OLD.approval -> 'stages')
                        WITH ORDINALITY AS s(stage, number)
                    WHERE (s.stage ->> 'required')::bigint > (
                        SELECT count(DISTINCT v.person) FROM governance.votes AS v
                        WHERE v.checkpoint_id = OLD.checkpoint_id AND v.revision = OLD.revision
                            AND v.view_digest = OLD.etag AND v.option = 'approve'
                            AND v.stage = s.number))) THEN
            RAISE EXCEPTION 'a checkpoint is not % without votes', NEW.state
                USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    RETURN NEW;
END $$"""
FREEZE_GUARD = """
CREATE OR REPLACE FUNCTION governance.guard_freeze() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF OLD.lift_time IS NOT NULL AND (NEW.reason = OLD.reason
            OR to_jsonb(NEW) - 'reason' <> to_jsonb(OLD) - 'reason')
        OR OLD.effective_time IS NOT NULL AND NEW.effective_time <> OLD.effective_time
        OR NEW.lift_time IS NOT NULL AND NOT EXISTS (SELECT FROM governance.executions
            WHERE decision_id = NEW.lift_decision AND state = 'succeeded') THEN
        RAISE EXCEPTION 'a freeze is lifted once, by a decision that people approved'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$"""
GRANT_GUARD = """
CREATE OR REPLACE FUNCTION governance.guard_grant() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.uses_left > OLD.uses_left OR NEW.total_left > OLD.total_left
        OR OLD.revoke_time IS NOT NULL AND (NEW.terms = OLD.terms
            OR to_jsonb(NEW) - 'terms' <> to_jsonb(OLD) - 'terms') THEN
        RAISE EXCEPTION 'a grant is only ever used up' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$"""


def upgrade() -> None:
    for guard in (CHECKPOINT_GUARD, FREEZE_GUARD, GRANT_GUARD):
        op.execute(guard)
    create_eraser(
        TABLES,
        "UPDATE checkpoints SET expire_time = clock_timestamp() WHERE :own"
        " AND state = 'pending' AND expire_time > clock_timestamp()",
        "UPDATE checkpoints SET valid_until = clock_timestamp() WHERE :own"
        " AND state = 'approved' AND NOT executed AND valid_until > clock_timestamp()",
        "DELETE FROM actions WHERE :own",
        "DELETE FROM edited_views WHERE :own",
        "DELETE FROM views WHERE :own",
        "UPDATE views SET resolution_reason = '' WHERE resolution_reason <> ''"
        " AND checkpoint_id IN (SELECT checkpoint_id FROM votes"
        " WHERE tenant = of_tenant AND person = of_person)",
        "DELETE FROM comments WHERE :own OR vote_id IN (SELECT vote_id FROM votes"
        " WHERE tenant = of_tenant AND person = of_person)",
        "DELETE FROM remarks WHERE :own OR tenant = of_tenant AND person = of_person",
        "UPDATE freezes SET reason = '' WHERE tenant = of_tenant AND person = of_person"
        " AND reason <> ''",
        "UPDATE grants SET terms = jsonb_set(terms, '{constraints}', '[]'),"
        " revoke_time = coalesce(revoke_time, clock_timestamp()) WHERE :own"
        " AND (revoke_time IS NULL OR terms -> 'constraints' <> '[]')",
    )
    policy("votes", "eraser", role="owner", command="SELECT", using="true")


def downgrade() -> None:
    op.execute("DROP POLICY eraser ON governance.votes")
    drop_eraser(TABLES)
    for number in ("0006_voters", "0005_freezes", "0012_grants"):
        op.execute(import_module(f"services.governance.migrations.{number}").GUARD)
