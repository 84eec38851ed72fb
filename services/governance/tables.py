"""The tables of schema `governance`.

History (`decisions`, `votes`) is append-only and holds digests; what may have to be erased
(actions, views, comments) lies in tables of its own.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from kernel.outbox import Xid8, outbox_tables
from services.governance.holds.hold_tables import hold_tables
from services.governance.policy.rule_tables import rule_tables
from services.governance.review.review_tables import review_tables

SCHEMA = "governance"
metadata = MetaData(schema=SCHEMA)

_ID = Uuid(as_uuid=False)
_TIME = DateTime(timezone=True)
_NOW = text("clock_timestamp()")
_WRITER = text("pg_current_xact_id()")


def _owner() -> list[Column[str]]:
    """Whose row it is; row-level security goes by it."""
    return [Column("tenant", _ID, nullable=False), Column("identity", _ID, nullable=False)]


decisions = Table(
    "decisions",
    metadata,
    Column("decision_id", _ID, primary_key=True),
    *_owner(),
    Column("person", _ID, nullable=False),
    Column("agent", Text, nullable=False),
    Column("request_id", _ID, nullable=False),
    Column("action_digest", Text, nullable=False),
    Column("requires_checkpoint", Boolean, nullable=False),
    Column("kind", Text, nullable=False),
    Column("tool", Text, nullable=False),
    Column("executor", Text, nullable=False),
    Column("run", Text, nullable=False),
    Column("thread", Text, nullable=False),
    Column("sphere", Text, nullable=False),
    Column("effect", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("rule_revision", Text, nullable=False),
    Column("warnings", ARRAY(Text), nullable=False),
    Column("refusal", Text, nullable=False),
    Column("facts", JSONB, nullable=False),
    Column("create_time", _TIME, nullable=False, server_default=_NOW),
    # What it took to approve it, where a person had to: an ApprovalRequirement.
    Column("approval", JSONB),
    UniqueConstraint("tenant", "identity", "person", "request_id", name="decisions_request"),
    CheckConstraint("effect IN ('allow', 'warn', 'checkpoint', 'deny')", name="decisions_effect"),
    Index(
        "decisions_permitted",
        "identity",
        "kind",
        "create_time",
        postgresql_where=text("refusal = '' AND (effect IN ('allow', 'warn') OR facts ? 'grant')"),
    ),
)

actions = Table(
    "actions",
    metadata,
    Column("decision_id", _ID, ForeignKey(decisions.c.decision_id), primary_key=True),
    *_owner(),
    # Canonical JSON is UTF-8 without NUL, so text keeps it byte for byte.
    Column("action", Text, nullable=False),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("checkpoint_id", _ID, primary_key=True),
    Column("decision_id", _ID, ForeignKey(decisions.c.decision_id), nullable=False, unique=True),
    *_owner(),
    Column("type", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("priority", Text, nullable=False),
    Column("etag", Text, nullable=False),
    Column("required_approvals", Integer, nullable=False),
    Column("run", Text, nullable=False),
    Column("thread", Text, nullable=False),
    Column("expire_time", _TIME, nullable=False),
    Column("valid_until", _TIME),
    Column("create_time", _TIME, nullable=False, server_default=_NOW),
    Column("resolve_time", _TIME),
    # Beside the state: whether the decision was executed. Set once, by what executors report.
    Column("executed", Boolean, nullable=False, server_default=text("false")),
    Column("version", BigInteger, nullable=False),
    Column("changed", Xid8, nullable=False, server_default=_WRITER),
    Column("approval", JSONB, nullable=False),
    # Who may look besides its identity, as the requirement names them.
    Column("voter_persons", ARRAY(_ID), nullable=False),
    Column("voter_roles", ARRAY(Text), nullable=False),
    Column("remind_time", _TIME),
    Column("reminders", Integer, nullable=False, server_default=text("0")),
    Column("escalate_time", _TIME),
    Column("escalated", Boolean, nullable=False, server_default=text("false")),
    # However late it was approved, it is not executed after this.
    Column("execute_by", _TIME),
    # Somebody is looking at it: the others wait with their approvals until then.
    Column("claimed_by", _ID),
    Column("claim_until", _TIME),
    # Of what waits instead of what was asked for, once somebody has edited it.
    Column("edited_digest", Text),
    CheckConstraint("(claimed_by IS NULL) = (claim_until IS NULL)", name="checkpoints_claim"),
    CheckConstraint(
        "state IN ('pending', 'approved', 'rejected', 'expired', 'cancelled', 'superseded')",
        name="checkpoints_state",
    ),
    CheckConstraint("required_approvals > 0", name="checkpoints_required_approvals"),
    CheckConstraint(
        "(state = 'pending') = (resolve_time IS NULL)", name="checkpoints_resolve_time"
    ),
    CheckConstraint(
        "state <> 'approved' AND NOT executed OR valid_until IS NOT NULL",
        name="checkpoints_valid_until",
    ),
    Index("checkpoints_listed", "identity", "create_time", "checkpoint_id"),
    Index("checkpoints_changed", "identity", "changed"),
    Index("checkpoints_of_tenant", "tenant", "create_time", "checkpoint_id"),
    Index("checkpoints_changed_of_tenant", "tenant", "changed"),
    Index(
        "checkpoints_remind",
        "remind_time",
        postgresql_where=text("state = 'pending' AND remind_time IS NOT NULL"),
    ),
    Index(
        "checkpoints_escalate",
        "escalate_time",
        postgresql_where=text("state = 'pending' AND escalate_time IS NOT NULL"),
    ),
    Index(
        "checkpoints_rejected",
        "identity",
        "resolve_time",
        postgresql_where=text("state = 'rejected'"),
    ),
    Index(
        "checkpoints_approved_of_identity",
        "identity",
        "resolve_time",
        postgresql_where=text("state = 'approved'"),
    ),
    Index("checkpoints_of_run", "run", postgresql_where=text("state = 'pending'")),
    Index("checkpoints_pending", "expire_time", postgresql_where=text("state = 'pending'")),
    Index(
        "checkpoints_waiting",
        "tenant",
        "create_time",
        "checkpoint_id",
        postgresql_where=text("state = 'pending'"),
    ),
    Index(
        "checkpoints_approved",
        "valid_until",
        postgresql_where=text("state = 'approved' AND NOT executed"),
    ),
)

views = Table(
    "views",
    metadata,
    Column("checkpoint_id", _ID, ForeignKey(checkpoints.c.checkpoint_id), primary_key=True),
    *_owner(),
    Column("question", Text, nullable=False),
    Column("view", Text, nullable=False),
    # The words of whoever ended it.
    Column("resolution_reason", Text, nullable=False, server_default=""),
)

votes = Table(
    "votes",
    metadata,
    Column("vote_id", _ID, primary_key=True),
    Column("checkpoint_id", _ID, ForeignKey(checkpoints.c.checkpoint_id), nullable=False),
    *_owner(),
    Column("revision", Integer, nullable=False),
    Column("person", _ID, nullable=False),
    Column("voter_identity", _ID, nullable=False),
    Column("actor", Text, nullable=False),
    Column("option", Text, nullable=False),
    Column("view_digest", Text, nullable=False),
    Column("session", Text, nullable=False),
    Column("authentication", Text, nullable=False),
    Column("token_id", Text, nullable=False, unique=True),
    Column("create_time", _TIME, nullable=False, server_default=_NOW),
    Column("stage", Integer, nullable=False, server_default=text("1")),
    # In whose place, where a deputy voted.
    Column("seat", _ID),
    Column("seat_identity", _ID),
    # The vote token, which is spent, and the public key that signed it: evidence.
    Column("token", Text, nullable=False, server_default=""),
    Column("token_key", Text, nullable=False, server_default=""),
    CheckConstraint("actor = 'human'", name="votes_human"),
    CheckConstraint("option IN ('approve', 'reject')", name="votes_option"),
    Index("votes_of_checkpoint", "checkpoint_id"),
)

comments = Table(
    "comments",
    metadata,
    Column("vote_id", _ID, ForeignKey(votes.c.vote_id), primary_key=True),
    *_owner(),
    Column("comment", Text, nullable=False),
)

executions = Table(
    "executions",
    metadata,
    Column("decision_id", _ID, ForeignKey(decisions.c.decision_id), primary_key=True),
    *_owner(),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("finish_time", _TIME),
    Column("report_time", _TIME, nullable=False, server_default=_NOW),
    # The permit that it was executed by, and the public key that signed it: evidence.
    Column("permit", Text, nullable=False, server_default=""),
    Column("permit_key", Text, nullable=False, server_default=""),
    # What the executor says, where a person has told another end.
    Column("contradicted_by", Text),
    CheckConstraint(
        "contradicted_by IN ('succeeded', 'failed')", name="executions_contradicted_by"
    ),
    CheckConstraint(
        "state IN ('running', 'succeeded', 'failed', 'unknown')", name="executions_state"
    ),
)

resolutions = Table(
    "resolutions",
    metadata,
    Column("resolution_id", _ID, primary_key=True, server_default=text("uuidv7()")),
    Column("checkpoint_id", _ID, ForeignKey(checkpoints.c.checkpoint_id), nullable=False),
    *_owner(),
    Column("run", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("create_time", _TIME, nullable=False, server_default=_NOW),
    UniqueConstraint("checkpoint_id", "state", name="resolutions_once"),
)

freeze = Table(
    "freeze",
    metadata,
    # One row for ever: the primary key has one possible value.
    Column("single", Boolean, primary_key=True, server_default=text("true")),
    Column("epoch", BigInteger, nullable=False),
    CheckConstraint("single", name="freeze_single"),
)

hold_tables(metadata)
rule_tables(metadata)
review_tables(metadata)
outbox_tables(metadata)
