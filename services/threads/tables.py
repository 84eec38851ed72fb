"""Tables of schema `threads`.

History (`thread_events`) is append-only and holds ids, words and digests; what a person wrote,
and may want erased one day, lies in tables of its own (`threads`, `messages`, `event_payloads`,
`search_answers`).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from chenu_gate.executor import executions_table
from kernel.database import Record
from kernel.idempotency import requests_table
from kernel.outbox import outbox_tables

SCHEMA: Final = "threads"
metadata = sa.MetaData(schema=SCHEMA)

# A row of a table, or what is known of one before it is written.
Row: TypeAlias = Record | Mapping[str, Any]


def stored(row: Row) -> Row:
    """A row that a function answered with as JSON: its times are times again."""
    times = {name: row[name] for name in ("create_time", "update_time") if name in row}
    return {
        **row,
        **{name: datetime.fromisoformat(at).astimezone(UTC) for name, at in times.items()},
    }


def _id(name: str, **options: Any) -> sa.Column[str]:
    return sa.Column(name, UUID(as_uuid=False), **{"nullable": False, **options})


def _word(name: str, **options: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text, **{"nullable": False, **options})


def _number(name: str, **options: Any) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, **{"nullable": False, **options})


def _time(name: str, **options: Any) -> sa.Column[Any]:
    now = sa.text("clock_timestamp()")
    return sa.Column(
        name,
        sa.TIMESTAMP(timezone=True),
        **{
            "nullable": False,
            "server_default": None if options.get("nullable") else now,
            **options,
        },
    )


def _thread(**options: Any) -> sa.Column[str]:
    return sa.Column(
        "thread_id",
        UUID(as_uuid=False),
        sa.ForeignKey(f"{SCHEMA}.threads.thread_id"),
        **{"nullable": False, **options},
    )


threads = sa.Table(
    "threads",
    metadata,
    _id("thread_id", primary_key=True),
    _id("tenant"),
    _id("owner_identity"),
    _id("founder"),
    _word("title"),
    _word("founding_intent"),
    _word("description"),
    _word("sphere"),
    _word("kind"),
    _word("ownership"),
    _word("visibility"),
    _word("status"),
    sa.Column("tags", ARRAY(sa.Text), nullable=False),
    _number("event_count"),
    _number("version", comment="of the content; its etag"),
    _number("revision", comment="without what is said in it"),
    _word("changed_run", nullable=True, comment="the run that made the last change"),
    _number("version_before_run", nullable=True, comment="the version that this run found"),
    _time("create_time"),
    _time("update_time"),
    _time("delete_time", nullable=True, comment="set: nobody can read it any more"),
    sa.Column(
        "folded_title",
        sa.Text,
        sa.Computed("threads.folded(title)", persisted=True),
        nullable=False,
    ),
    sa.Index("threads_by_time", "owner_identity", sa.desc("update_time"), sa.desc("thread_id")),
    sa.Index("threads_by_title", "owner_identity", "folded_title"),
)

participants = sa.Table(
    "participants",
    metadata,
    _thread(primary_key=True),
    _id("identity", primary_key=True),
    _id("tenant"),
    _word("role", comment="editor or viewer"),
    _time("join_time"),
    _time("leave_time", nullable=True),
    _id("person", comment="who shared it, and reads it"),
    sa.Index("participants_by_identity", "identity"),
)

thread_events = sa.Table(
    "thread_events",
    metadata,
    _id("event_id", primary_key=True),
    _thread(),
    _number("sequence_number"),
    _id("tenant"),
    _word("type"),
    _word("payload_digest"),
    _word("actor_type"),
    _word("actor_id", comment="the person, or the agent's account"),
    _id("identity"),
    _id("decision", nullable=True, comment="of governance, where an action did it"),
    _time("create_time"),
    sa.UniqueConstraint("thread_id", "sequence_number"),
)

event_payloads = sa.Table(
    "event_payloads",
    metadata,
    sa.Column(
        "event_id",
        UUID(as_uuid=False),
        sa.ForeignKey(f"{SCHEMA}.thread_events.event_id"),
        primary_key=True,
    ),
    _thread(),
    sa.Column("payload", JSONB, nullable=False),
)

messages = sa.Table(
    "messages",
    metadata,
    _id("message_id", primary_key=True),
    _thread(),
    _number("sequence_number", comment="of the event that tells of it"),
    _id("tenant"),
    _id("identity"),
    _word("role"),
    _word("content"),
    _time("create_time"),
    sa.UniqueConstraint("thread_id", "sequence_number"),
    sa.Index("messages_by_identity", "identity"),
)

search_answers = sa.Table(
    "search_answers",
    metadata,
    _id("decision_id", primary_key=True),
    _id("tenant"),
    _id("identity"),
    sa.Column("answer", JSONB, nullable=False),
)

executions_table(metadata)
requests_table(metadata)
outbox_tables(metadata)
