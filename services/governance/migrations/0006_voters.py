"""Voters of other identities, in stages and seats; deputies, claims and remarks.

Who may look at a checkpoint besides its identity is written on it (migration 0004). A
transaction of a person says whom and which roles it stands for (`chenu.voters`,
`chenu.voter_roles`); one of an agent, of Nova or of a service says nothing and sees nothing more.
"""

from importlib import import_module

from alembic import op

from kernel.migration.helpers import (
    IDENTITY,
    PERSON,
    TENANT,
    append_only,
    enable_rls,
    grant,
    policy,
)

revision = "0006"
down_revision = "0005"

VOTERS = "(SELECT coalesce(nullif(current_setting('chenu.voters', true), ''), '{}')::uuid[])"
ROLES = "(SELECT coalesce(nullif(current_setting('chenu.voter_roles', true), ''), '{}')::text[])"
OWN = f"tenant = {TENANT} AND identity = {IDENTITY}"
SEEN = (
    f"tenant = {TENANT} AND (identity = {IDENTITY}"
    f" OR voter_persons && {VOTERS} OR voter_roles && {ROLES})"
)
# Whoever sees a checkpoint sees what belongs to it; asked only where somebody stands for others.
IS_VOTER = f"tenant = {TENANT} AND (SELECT current_setting('chenu.voters', true)) <> ''"


def of_checkpoint(table: str, key: str = "checkpoint_id") -> str:
    return (
        f"{IS_VOTER} AND EXISTS (SELECT FROM governance.checkpoints AS c"
        f" WHERE c.{key} = {table}.{key} AND c.identity = {table}.identity)"
    )


COLUMNS = """
ALTER TABLE governance.votes
    ADD COLUMN stage integer NOT NULL DEFAULT 1,
    ADD COLUMN seat uuid,
    ADD COLUMN seat_identity uuid;
ALTER TABLE governance.checkpoints
    ADD COLUMN claimed_by uuid,
    ADD COLUMN claim_until timestamptz,
    ADD CONSTRAINT checkpoints_claim CHECK ((claimed_by IS NULL) = (claim_until IS NULL));
CREATE INDEX checkpoints_of_tenant ON governance.checkpoints
    (tenant, create_time, checkpoint_id);
CREATE INDEX checkpoints_changed_of_tenant ON governance.checkpoints (tenant, changed);
CREATE TABLE governance.deputies (
    deputy_id uuid NOT NULL CONSTRAINT deputies_pkey PRIMARY KEY,
    tenant uuid NOT NULL,
    person uuid NOT NULL,
    identity uuid NOT NULL,
    roles text[] NOT NULL,
    deputy uuid NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    end_time timestamptz NOT NULL,
    dismiss_time timestamptz,
    CONSTRAINT deputies_another CHECK (person <> deputy));
CREATE INDEX deputies_deputy ON governance.deputies (deputy) WHERE dismiss_time IS NULL;
CREATE INDEX deputies_person ON governance.deputies (person);
CREATE TABLE governance.remarks (
    remark_id uuid NOT NULL CONSTRAINT remarks_pkey PRIMARY KEY,
    checkpoint_id uuid NOT NULL
        CONSTRAINT remarks_checkpoint_id_fkey REFERENCES governance.checkpoints,
    tenant uuid NOT NULL,
    identity uuid NOT NULL,
    person uuid NOT NULL,
    is_question boolean NOT NULL,
    remark text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE INDEX remarks_of_checkpoint ON governance.remarks (checkpoint_id)"""

# As in 0002; approvals are counted by stage now, each person and each seat once.
GUARD = """
CREATE OR REPLACE FUNCTION governance.guard_checkpoint() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    approvals bigint;
    approvers bigint;
    seats bigint;
    rejections bigint;
BEGIN
    NEW.changed := pg_current_xact_id();
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

# As in 0003; with all that tells whether an approval still counts.
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
            'approvers', (SELECT jsonb_agg(DISTINCT jsonb_build_object(
                    'person', person, 'identity', voter_identity, 'stage', stage,
                    'seat', coalesce(seat, person),
                    'seat_identity', coalesce(seat_identity, voter_identity)))
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

MOVES = (
    "claimed_by, claim_until, remind_time, reminders, escalate_time, escalated,"
    " voter_persons, voter_roles"
)
VOTE = f"tenant = {TENANT} AND person = {PERSON}"
_VOTED = (
    f"{IS_VOTER} AND EXISTS (SELECT FROM governance.votes AS v"
    " WHERE v.vote_id = comments.vote_id AND v.identity = comments.identity)"
)
_DEPUTIES = f"tenant = {TENANT} AND (person = {PERSON} OR deputy = {PERSON})"
_REMARKS = (
    f"tenant = {TENANT} AND EXISTS (SELECT FROM governance.checkpoints AS c"
    " WHERE c.checkpoint_id = remarks.checkpoint_id AND c.identity = remarks.identity)"
)


def upgrade() -> None:
    for statement in COLUMNS.split(";\n"):
        op.execute(statement)
    op.execute(GUARD)
    op.execute(AUTHORIZED)
    grant("checkpoints", app=f"UPDATE ({MOVES})")
    for name, command, check in (("app_read", "SELECT", ""), ("app_move", "UPDATE", SEEN)):
        op.execute(f"DROP POLICY {name} ON governance.checkpoints")
        policy("checkpoints", name, role="app", command=command, using=SEEN, check=check)
    for table in ("decisions", "actions", "executions"):
        using = of_checkpoint(table, "decision_id")
        policy(table, "app_voter", role="app", command="SELECT", using=using)
    for table in ("views", "votes"):
        policy(table, "app_voter", role="app", command="SELECT", using=of_checkpoint(table))
    reasons = of_checkpoint("views")
    policy("views", "app_reason", role="app", command="UPDATE", using=reasons, check=reasons)
    policy(
        "votes", "app_vote", role="app", command="INSERT",
        check=f"{VOTE} AND {of_checkpoint('votes')}",
    )  # fmt: skip
    for command in ("SELECT", "INSERT"):
        clause = {"using": _VOTED} if command == "SELECT" else {"check": _VOTED}
        policy("comments", f"app_{command.lower()}", role="app", command=command, **clause)
    policy(
        "resolutions", "app_vote", role="app", command="INSERT",
        check=of_checkpoint("resolutions"),
    )  # fmt: skip
    grant("deputies", app="SELECT, INSERT, UPDATE (dismiss_time)")
    enable_rls("deputies")
    policy("deputies", "app_read", role="app", command="SELECT", using=_DEPUTIES)
    own = f"tenant = {TENANT} AND person = {PERSON}"
    policy("deputies", "app_appoint", role="app", command="INSERT", check=own)
    policy("deputies", "app_dismiss", role="app", command="UPDATE", using=own, check=own)
    append_only("deputies", forbid="DELETE OR TRUNCATE")
    grant("remarks", app="SELECT, INSERT")
    enable_rls("remarks")
    policy("remarks", "app_read", role="app", command="SELECT", using=_REMARKS)
    policy(
        "remarks", "app_remark", role="app", command="INSERT",
        check=f"person = {PERSON} AND {_REMARKS}",
    )  # fmt: skip
    append_only("remarks", forbid="UPDATE OR TRUNCATE")


def downgrade() -> None:
    for table in ("remarks", "deputies"):
        op.execute(f"DROP TABLE governance.{table}")
    for table, name in (
        ("decisions", "app_voter"), ("actions", "app_voter"), ("executions", "app_voter"),
        ("views", "app_voter"), ("votes", "app_voter"), ("views", "app_reason"),
        ("votes", "app_vote"), ("comments", "app_select"), ("comments", "app_insert"),
        ("resolutions", "app_vote"),
    ):  # fmt: skip
        op.execute(f"DROP POLICY {name} ON governance.{table}")
    for name, command, check in (("app_read", "SELECT", ""), ("app_move", "UPDATE", OWN)):
        op.execute(f"DROP POLICY {name} ON governance.checkpoints")
        policy("checkpoints", name, role="app", command=command, using=OWN, check=check)
    op.execute(f"REVOKE UPDATE ({MOVES}) ON governance.checkpoints FROM governance_app")
    for number, name in (
        ("0002_checkpoints", "CHECKPOINT_GUARD"),
        ("0003_authorize", "AUTHORIZED"),
    ):
        before = getattr(import_module(f"services.governance.migrations.{number}"), name)
        op.execute(before)
    op.execute("DROP INDEX governance.checkpoints_of_tenant")
    op.execute("DROP INDEX governance.checkpoints_changed_of_tenant")
    op.execute("ALTER TABLE governance.checkpoints DROP COLUMN claimed_by, DROP COLUMN claim_until")
    op.execute(
        "ALTER TABLE governance.votes DROP COLUMN stage, DROP COLUMN seat,"
        " DROP COLUMN seat_identity"
    )
