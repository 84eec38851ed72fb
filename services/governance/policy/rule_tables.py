"""The tables of tenants' rules: revisions, labels, what counters add up, what shadows said."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

_ID = Uuid(as_uuid=False)
_TIME = DateTime(timezone=True)
_NOW = text("clock_timestamp()")
_DECISION: Final = "governance.decisions.decision_id"


def rule_tables(metadata: MetaData) -> None:
    """Declare them beside the decisions that they refer to."""
    revisions = Table(
        "rule_revisions",
        metadata,
        Column("tenant", _ID, primary_key=True),
        # The hash of the document, so that a decision names exactly what it was made by.
        Column("revision", Text, primary_key=True),
        Column("document", JSONB, nullable=False),
        Column("description", Text, nullable=False),
        Column("rule_count", Integer, nullable=False),
        Column("person", _ID, nullable=False),
        Column("create_time", _TIME, nullable=False, server_default=_NOW),
        Column("built_in", Text, nullable=False),
        Index("rule_revisions_listed", "tenant", "create_time", "revision"),
    )

    Table(
        "rule_labels",
        metadata,
        Column("tenant", _ID, primary_key=True),
        Column("label", Text, primary_key=True),
        Column("revision", Text),
        Column("version", BigInteger, nullable=False),
        Column("person", _ID, nullable=False),
        # The promotion that moved it; of "live" always.
        Column("decision_id", _ID, ForeignKey(_DECISION)),
        Column("change_time", _TIME, nullable=False, server_default=_NOW),
        ForeignKeyConstraint(
            ["tenant", "revision"],
            [revisions.c.tenant, revisions.c.revision],
            name="rule_labels_revision_fkey",
        ),
    )

    # What counters add up: a row for each decision and counter, and its opposite once a person has
    # refused the action or nobody decided.
    Table(
        "counted",
        metadata,
        Column("counted_id", BigInteger, Identity(always=True), primary_key=True),
        Column("tenant", _ID, nullable=False),
        Column("decision_id", _ID, ForeignKey(_DECISION), nullable=False),
        Column("tally", Text, nullable=False),
        Column("amount", BigInteger, nullable=False),
        Column("create_time", _TIME, nullable=False, server_default=_NOW),
        Index(
            "counted_tally",
            "tenant",
            "tally",
            "create_time",
            postgresql_include=["amount", "counted_id"],
        ),
        Index("counted_of_decision", "decision_id"),
    )

    Table(
        "built_in_rules",
        metadata,
        Column("revision", Text, primary_key=True),
        Column("words", Text, nullable=False),
        Column("create_time", _TIME, nullable=False, server_default=_NOW),
    )

    Table(
        "shadow_verdicts",
        metadata,
        Column("decision_id", _ID, ForeignKey(_DECISION), primary_key=True),
        Column("tenant", _ID, nullable=False),
        Column("revision", Text, nullable=False),
        Column("kind", Text, nullable=False),
        Column("tool", Text, nullable=False),
        Column("change", Text, nullable=False),
        Column("recorded_effect", Text, nullable=False),
        Column("recorded_rule", Text, nullable=False),
        Column("effect", Text, nullable=False),
        Column("rule", Text, nullable=False),
        Column("create_time", _TIME, nullable=False, server_default=_NOW),
        Index("shadow_verdicts_listed", "tenant", "create_time", "decision_id"),
    )
