"""The tables of channels and of what is sent to them."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID

_NOW: Final = sa.text("clock_timestamp()")


def _id(name: str, *more: Any, **options: Any) -> sa.Column[str]:
    return sa.Column(name, UUID(as_uuid=False), *more, **({"nullable": False} | options))


def _text(name: str, **options: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, **options)


def _time(name: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.TIMESTAMP(timezone=True), **({"nullable": False} | options))


def _count(name: str, **options: Any) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False, **options)


def channel_tables(metadata: sa.MetaData) -> None:
    """Add them."""
    sa.Table(
        "channels", metadata,
        _id("channel_id", primary_key=True),
        _id("tenant"),
        _id("identity"),
        _id("person"),
        _text("name"),
        _text("kind"),
        # The address and the secrets, encrypted together.
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("disabled", sa.Boolean, nullable=False, server_default=sa.text("false")),
        _text("disable_reason", server_default=""),
        # The code that was sent there came back; of kinds that have one.
        _time("confirm_time", nullable=True),
        _time("decide_until", nullable=True),
        _count("wrong_codes", server_default=sa.text("0")),
        sa.Column("version", sa.BigInteger, nullable=False),
        _time("create_time", server_default=_NOW),
        sa.CheckConstraint(
            "kind IN ('webhook', 'email', 'slack', 'slack_app')", name="channels_kind"
        ),
        sa.UniqueConstraint("tenant", "identity", "name", name="channels_name"),
        sa.Index("channels_of_person", "tenant", "person"),
    )  # fmt: skip
    sa.Table(
        "notifications", metadata,
        _id("notification_id", primary_key=True),
        _id("tenant"),
        _id("identity"),
        _id("channel_id", sa.ForeignKey("courier.channels.channel_id", ondelete="CASCADE")),
        _id("notice_id"),
        _id("checkpoint_id", nullable=True),
        _id("about", nullable=True, comment="whose checkpoint it tells of"),
        _text("type"),
        _text("view_digest"),
        _text("body"),
        _text("state"),
        # All attempts, and how many of them there were when the schedule last began.
        _count("tries", server_default=sa.text("0")),
        _count("tries_before", server_default=sa.text("0")),
        # Somebody tries it until next_time.
        sa.Column("leased", sa.Boolean, nullable=False, server_default=sa.text("false")),
        # What the other side calls the message, where it can be edited.
        _text("reference", server_default=""),
        sa.Column("version", sa.BigInteger, nullable=False, server_default=sa.text("1")),
        _time("next_time", server_default=_NOW),
        _time("create_time", server_default=_NOW),
        _time("finish_time", nullable=True),
        sa.CheckConstraint(
            "state IN ('pending', 'delivered', 'failed', 'withdrawn')", name="notifications_state"
        ),
        sa.UniqueConstraint("channel_id", "notice_id", name="notifications_once"),
        sa.Index("notifications_about", "about"),
        sa.Index("notifications_of_checkpoint", "checkpoint_id", "channel_id"),
        sa.Index(
            "notifications_by_time", "identity", sa.desc("create_time"), sa.desc("notification_id")
        ),
        sa.Index(
            "notifications_due", "next_time", postgresql_where=sa.text("state = 'pending'")
        ),
    )  # fmt: skip
    sa.Table(
        "attempts", metadata,
        _id("notification_id",
            sa.ForeignKey("courier.notifications.notification_id", ondelete="CASCADE"),
            primary_key=True),
        _count("number", primary_key=True),
        _id("tenant"),
        _id("identity"),
        _count("status"),
        _text("reason"),
        _time("create_time", server_default=_NOW),
    )  # fmt: skip
    sa.Table(
        "interactions", metadata,
        sa.Column("signature_digest", sa.LargeBinary, primary_key=True),
        _id("channel_id", sa.ForeignKey("courier.channels.channel_id", ondelete="CASCADE")),
        _id("tenant"),
        _id("identity"),
        _time("create_time", server_default=_NOW),
    )  # fmt: skip
    sa.Table(
        "sent_codes", metadata,
        # A keyed digest of an address, or of an identity.
        sa.Column("counted", sa.LargeBinary, nullable=False),
        _time("create_time", server_default=_NOW),
        sa.Index("sent_codes_counted", "counted", "create_time"),
        sa.Index("sent_codes_by_time", "create_time"),
    )  # fmt: skip
