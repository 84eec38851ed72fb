"""The tables of what people do about checkpoints besides voting; `tables.py` has the others."""

from typing import Final

from sqlalchemy import (
    ARRAY,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

_ID: Final = Uuid(as_uuid=False)
_TIME: Final = DateTime(timezone=True)
_NOW: Final = text("clock_timestamp()")
_CHECKPOINT: Final = "governance.checkpoints.checkpoint_id"


def _owner() -> list[Column[str]]:
    """Whose row it is; row-level security goes by it."""
    return [Column("tenant", _ID, nullable=False), Column("identity", _ID, nullable=False)]


def review_tables(metadata: MetaData) -> None:
    """Add edits, deputies and remarks."""
    Table(
        "edits",
        metadata,
        Column("checkpoint_id", _ID, ForeignKey(_CHECKPOINT), primary_key=True),
        Column("revision", Integer, primary_key=True),
        *_owner(),
        Column("person", _ID, nullable=False),
        Column("action_digest", Text, nullable=False),
        Column("etag", Text, nullable=False),
        Column("rule", Text, nullable=False),
        Column("rule_revision", Text, nullable=False),
        Column("facts", JSONB, nullable=False),
        Column("approval", JSONB, nullable=False),
        Column("create_time", _TIME, nullable=False, server_default=_NOW),
    )
    Table(
        "edited_views",
        metadata,
        Column("checkpoint_id", _ID, primary_key=True),
        Column("revision", Integer, primary_key=True),
        *_owner(),
        Column("action", Text, nullable=False),
        Column("question", Text, nullable=False),
        Column("view", Text, nullable=False),
        Column("changes", JSONB, nullable=False),
        ForeignKeyConstraint(
            ["checkpoint_id", "revision"],
            ["governance.edits.checkpoint_id", "governance.edits.revision"],
        ),
    )
    Table(
        "deputies",
        metadata,
        Column("deputy_id", _ID, primary_key=True),
        Column("tenant", _ID, nullable=False),
        # Whose votes the deputy may cast, and the roles by which the deputy may look.
        Column("person", _ID, nullable=False),
        Column("identity", _ID, nullable=False),
        Column("roles", ARRAY(Text), nullable=False),
        Column("deputy", _ID, nullable=False),
        Column("create_time", _TIME, nullable=False, server_default=_NOW),
        Column("end_time", _TIME, nullable=False),
        Column("dismiss_time", _TIME),
        CheckConstraint("person <> deputy", name="deputies_another"),
        Index(
            "deputies_deputy", "deputy", "end_time", postgresql_where=text("dismiss_time IS NULL")
        ),
        Index("deputies_person", "person"),
    )
    Table(
        "remarks",
        metadata,
        Column("remark_id", _ID, primary_key=True),
        Column("checkpoint_id", _ID, ForeignKey(_CHECKPOINT), nullable=False),
        *_owner(),
        Column("person", _ID, nullable=False),
        Column("is_question", Boolean, nullable=False),
        Column("remark", Text, nullable=False),
        Column("create_time", _TIME, nullable=False, server_default=_NOW),
        Index("remarks_of_checkpoint", "checkpoint_id"),
    )
