"""Checkpoints, their views and votes, and the resolutions that Nova waits for."""

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

revision = "0002"
down_revision = "0001"

OWN = f"tenant = {TENANT} AND identity = {IDENTITY}"

TABLES = """
CREATE TABLE governance.checkpoints (
    checkpoint_id uuid NOT NULL CONSTRAINT checkpoints_pkey PRIMARY KEY,
    decision_id uuid NOT NULL CONSTRAINT checkpoints_decision_id_key UNIQUE
        CONSTRAINT checkpoints_decision_id_fkey REFERENCES governance.decisions,
    tenant uuid NOT NULL,
    identity uuid NOT NULL,
    type text NOT NULL,
    state text NOT NULL CONSTRAINT checkpoints_state CHECK (state IN
        ('pending', 'approved', 'rejected', 'expired', 'cancelled', 'superseded')),
    revision integer NOT NULL,
    priority text NOT NULL,
    etag text NOT NULL,
    required_approvals integer NOT NULL
        CONSTRAINT checkpoints_required_approvals CHECK (required_approvals > 0),
    run text NOT NULL,
    thread text NOT NULL,
    expire_time timestamptz NOT NULL,
    valid_until timestamptz,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    resolve_time timestamptz,
    executed boolean NOT NULL DEFAULT false,
    version bigint NOT NULL,
    changed xid8 NOT NULL DEFAULT pg_current_xact_id(),
    CONSTRAINT checkpoints_resolve_time CHECK ((state = 'pending') = (resolve_time IS NULL)),
    CONSTRAINT checkpoints_valid_until
        CHECK (state <> 'approved' AND NOT executed OR valid_until IS NOT NULL));
CREATE INDEX checkpoints_listed ON governance.checkpoints (identity, create_time, checkpoint_id);
CREATE INDEX checkpoints_changed ON governance.checkpoints (identity, changed);
CREATE INDEX checkpoints_of_run ON governance.checkpoints (run) WHERE state = 'pending';
CREATE INDEX checkpoints_pending ON governance.checkpoints (expire_time) WHERE state = 'pending';
CREATE INDEX checkpoints_approved ON governance.checkpoints (valid_until)
    WHERE state = 'approved' AND NOT executed;
CREATE TABLE governance.views (
    checkpoint_id uuid NOT NULL CONSTRAINT views_pkey PRIMARY KEY
        CONSTRAINT views_checkpoint_id_fkey REFERENCES governance.checkpoints,
    tenant uuid NOT NULL,
    identity uuid NOT NULL,
    question text NOT NULL,
    view text NOT NULL,
    resolution_reason text NOT NULL DEFAULT '');
CREATE TABLE governance.votes (
    vote_id uuid NOT NULL CONSTRAINT votes_pkey PRIMARY KEY,
    checkpoint_id uuid NOT NULL
        CONSTRAINT votes_checkpoint_id_fkey REFERENCES governance.checkpoints,
    tenant uuid NOT NULL,
    identity uuid NOT NULL,
    revision integer NOT NULL,
    person uuid NOT NULL,
    voter_identity uuid NOT NULL,
    actor text NOT NULL CONSTRAINT votes_human CHECK (actor = 'human'),
    option text NOT NULL CONSTRAINT votes_option CHECK (option IN ('approve', 'reject')),
    view_digest text NOT NULL,
    session text NOT NULL,
    authentication text NOT NULL,
    token_id text NOT NULL CONSTRAINT votes_token_id_key UNIQUE,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE INDEX votes_of_checkpoint ON governance.votes (checkpoint_id);
CREATE TABLE governance.comments (
    vote_id uuid NOT NULL CONSTRAINT comments_pkey PRIMARY KEY
        CONSTRAINT comments_vote_id_fkey REFERENCES governance.votes,
    tenant uuid NOT NULL,
    identity uuid NOT NULL,
    comment text NOT NULL);
CREATE TABLE governance.resolutions (
    resolution_id uuid NOT NULL DEFAULT uuidv7() CONSTRAINT resolutions_pkey PRIMARY KEY,
    checkpoint_id uuid NOT NULL
        CONSTRAINT resolutions_checkpoint_id_fkey REFERENCES governance.checkpoints,
    tenant uuid NOT NULL,
    identity uuid NOT NULL,
    run text NOT NULL,
    state text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT resolutions_once UNIQUE (checkpoint_id, state))"""

# The laws once more, for whoever holds a connection of the service but not its code:
# an end is an end, and nothing is approved or rejected but by votes for what waits.
CHECKPOINT_GUARD = """
CREATE OR REPLACE FUNCTION governance.guard_checkpoint() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    approvers bigint;
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
        SELECT count(DISTINCT person) FILTER (WHERE option = 'approve'),
            count(*) FILTER (WHERE option = 'reject') INTO approvers, rejections
        FROM governance.votes WHERE checkpoint_id = OLD.checkpoint_id
            AND revision = OLD.revision AND view_digest = OLD.etag;
        IF NEW.state = 'approved' AND (approvers < OLD.required_approvals OR rejections > 0)
            OR NEW.state = 'rejected' AND rejections = 0 THEN
            RAISE EXCEPTION 'a checkpoint is not % without votes', NEW.state
                USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    RETURN NEW;
END $$"""
CHECKPOINT_TRIGGER = """
CREATE TRIGGER guard BEFORE UPDATE ON governance.checkpoints
    FOR EACH ROW EXECUTE FUNCTION governance.guard_checkpoint()"""
# A checkpoint begins undecided, or its beginning would be its approval.
CHECKPOINT_BEGINNING = f"{OWN} AND state = 'pending' AND NOT executed AND version = 1"
VOTE = f"{OWN} AND person = {PERSON}"


def upgrade() -> None:
    for statement in TABLES.split(";\n"):
        op.execute(statement)
    op.execute(CHECKPOINT_GUARD)
    op.execute(CHECKPOINT_TRIGGER)
    op.execute("ALTER TABLE governance.checkpoints ENABLE ALWAYS TRIGGER guard")

    grant(
        "checkpoints",
        app="SELECT, INSERT, UPDATE (state, valid_until, resolve_time, version)",
        worker="SELECT, UPDATE (executed)",
    )
    enable_rls("checkpoints", worker="true")
    policy("checkpoints", "app_read", role="app", command="SELECT", using=OWN)
    policy("checkpoints", "app_make", role="app", command="INSERT", check=CHECKPOINT_BEGINNING)
    policy("checkpoints", "app_move", role="app", command="UPDATE", using=OWN, check=OWN)
    append_only("checkpoints", forbid="DELETE OR TRUNCATE")
    grant("views", app="SELECT, INSERT, UPDATE (resolution_reason)")
    enable_rls("views", app=OWN)
    append_only("views", forbid="TRUNCATE")
    grant("votes", app="SELECT, INSERT")
    enable_rls("votes")
    policy("votes", "app_read", role="app", command="SELECT", using=OWN)
    policy("votes", "app_cast", role="app", command="INSERT", check=VOTE)
    append_only("votes")
    grant("comments", app="SELECT, INSERT")
    enable_rls("comments", app=OWN)
    append_only("comments", forbid="UPDATE OR TRUNCATE")
    grant("resolutions", app="INSERT", worker="SELECT, DELETE")
    enable_rls("resolutions", worker="true")
    policy("resolutions", "app_make", role="app", command="INSERT", check=OWN)


def downgrade() -> None:
    for table in ("resolutions", "comments", "votes", "views", "checkpoints"):
        op.execute(f"DROP TABLE governance.{table}")
    op.execute("DROP FUNCTION governance.guard_checkpoint")
