"""The tables of what stands for or against an action besides the rules."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
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

_NOW: Final = text("clock_timestamp()")


def _id(name: str, *more: Any, **options: Any) -> Column[str]:
    return Column(name, Uuid(as_uuid=False), *more, **({"nullable": False} | options))


def _time(name: str, **options: Any) -> Column[Any]:
    return Column(name, DateTime(timezone=True), **({"nullable": False} | options))


def hold_tables(metadata: MetaData) -> None:
    """Add them; decisions and checkpoints are there already."""
    Table(
        "lifted_tombstones", metadata,
        _id("checkpoint_id", ForeignKey("governance.checkpoints.checkpoint_id"), primary_key=True),
        _id("tenant"),
        _id("identity"),
        _id("person"),
        _time("create_time", server_default=_NOW),
    )  # fmt: skip
    Table(
        "grants", metadata,
        _id("grant_id", ForeignKey("governance.decisions.decision_id"), primary_key=True),
        _id("tenant"),
        _id("identity"),
        Column("tool", Text, nullable=False),
        Column("kind", Text, nullable=False),
        Column("agent", Text, nullable=False),
        Column("terms", JSONB, nullable=False),
        Column("uses_left", Integer, nullable=False),
        Column("total_left", BigInteger, nullable=False),
        _time("end_time"),
        _time("create_time", server_default=_NOW),
        _time("revoke_time", nullable=True),
        CheckConstraint("uses_left >= 0", name="grants_uses"),
        CheckConstraint("total_left >= 0", name="grants_total"),
        Index(
            "grants_of_tool", "identity", "tool", "kind",
            postgresql_where=text("revoke_time IS NULL"),
        ),
    )  # fmt: skip
    Table(
        "freezes", metadata,
        _id("freeze_id", primary_key=True),
        _id("tenant"),
        _id("person"),
        Column("scope", Text, nullable=False),
        Column("value", Text, nullable=False),
        Column("reason", Text, nullable=False),
        Column("epoch", BigInteger, nullable=False),
        _time("create_time", server_default=_NOW),
        # Set right after the commit; see services.governance.holds.freezes.
        _time("effective_time", nullable=True),
        _time("lift_time", nullable=True),
        _id("lift_decision", ForeignKey("governance.decisions.decision_id"), nullable=True),
        CheckConstraint(
            "scope IN ('tenant', 'agent', 'tool', 'kind', 'all')", name="freezes_scope"
        ),
        CheckConstraint("(lift_time IS NULL) = (lift_decision IS NULL)", name="freezes_lift"),
        Index(
            "freezes_in_force", "tenant", "scope", "value", unique=True,
            postgresql_where=text("lift_time IS NULL"),
        ),
        Index("freezes_listed", "tenant", "create_time", "freeze_id"),
        Index("freezes_lifted", "lift_time", postgresql_where=text("lift_time IS NOT NULL")),
    )  # fmt: skip
    Table(
        "notices", metadata,
        _id("notice_id", primary_key=True, server_default=text("uuidv7()")),
        _id("checkpoint_id"),
        _id("tenant"),
        _id("identity"),
        Column("event", Text, nullable=False),
        Column("version", BigInteger, nullable=False),
        _time("create_time", server_default=_NOW),
        CheckConstraint(
            "event IN ('created', 'reminded', 'escalated', 'resolved', 'contradicted')",
            name="notices_event",
        ),
        UniqueConstraint("checkpoint_id", "version", "event", name="notices_once"),
    )  # fmt: skip
