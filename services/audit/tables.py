"""Tables of schema `audit`: entries, the log over them, each source's progress, what is amiss."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, JSONB, UUID

from kernel.outbox import outbox_tables

SCHEMA: Final = "audit"
metadata = sa.MetaData(schema=SCHEMA)

entries = sa.Table(
    "entries",
    metadata,
    sa.Column("index", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.Text, nullable=False, comment="event, manifest, conflict or quarantine"),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("event_id", UUID(as_uuid=False), comment="null unless kind is event"),
    sa.Column("tenant", UUID(as_uuid=False), nullable=False),
    sa.Column("identity", UUID(as_uuid=False)),
    sa.Column("leaf", BYTEA, nullable=False),
    sa.Column("leaf_hash", BYTEA, nullable=False),
    sa.Column("action", sa.SmallInteger, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("agent", sa.Text, nullable=False),
    sa.Column("service", sa.Text, nullable=False),
    sa.Column("sphere", sa.Text, nullable=False),
    sa.Column("stream", sa.Text, nullable=False),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("denial", sa.Boolean, nullable=False, comment="a call was refused"),
    sa.Column(
        "log_time",
        sa.TIMESTAMP(timezone=True),
        nullable=False,
        server_default=sa.text("clock_timestamp()"),
    ),
    sa.Column("type", sa.Text, nullable=False, server_default=""),
    sa.Column("method", sa.Text, nullable=False, server_default=""),
    sa.Column("outcome", sa.Text, nullable=False, server_default=""),
    sa.Column("trace_id", sa.Text, nullable=False, server_default=""),
    sa.Column("version", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("targets", ARRAY(sa.Text), nullable=False, server_default="{}"),
    sa.Column("bundle", sa.BigInteger, comment="number; null where its source was asked for it"),
    sa.Column("personal", UUID(as_uuid=False), comment="of whom it holds something sealed"),
    sa.Column("event_time", sa.TIMESTAMP(timezone=True), comment="by the source's clock"),
    sa.UniqueConstraint("source", "event_id"),
    sa.Index("entries_by_identity", "identity", "index"),
    sa.Index("entries_by_tenant", "tenant", "index"),
    sa.Index("entries_by_subject", "subject", "index"),
    sa.Index("entries_by_stream", "stream", "index"),
    sa.Index("entries_by_request", "request_id", postgresql_where=sa.text("request_id <> ''")),
    sa.Index("entries_personal", "personal", postgresql_where=sa.text("personal IS NOT NULL")),
    sa.Index(
        "entries_prunings", "index", postgresql_where=sa.text("type = 'chenu.audit.entries.pruned'")
    ),
    sa.Index("entries_denied", "index", postgresql_where=sa.text("denial")),
    sa.Index("entries_violations", "tenant", "index", postgresql_where=sa.text("action = 18")),
)

log = sa.Table(
    "log",
    metadata,
    sa.Column("single", sa.Boolean, primary_key=True, server_default=sa.true()),
    sa.Column("size", sa.BigInteger, nullable=False, server_default="0"),
    sa.CheckConstraint("single", name="log_has_one_row"),
)

tiles = sa.Table(
    "tiles",
    metadata,
    sa.Column("level", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("index", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hashes", BYTEA, nullable=False),
)

tree_heads = sa.Table(
    "tree_heads",
    metadata,
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("root", BYTEA, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column(
        "create_time",
        sa.TIMESTAMP(timezone=True),
        nullable=False,
        server_default=sa.text("clock_timestamp()"),
    ),
)

cosignatures = sa.Table(
    "cosignatures",
    metadata,
    sa.Column("witness", sa.Text, primary_key=True, comment="its verifier key"),
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("line", sa.Text, nullable=False, comment="its line of the signed note"),
    sa.Column(
        "create_time",
        sa.TIMESTAMP(timezone=True),
        nullable=False,
        server_default=sa.text("clock_timestamp()"),
    ),
    sa.Index("cosignatures_by_size", "size"),
)

sources = sa.Table(
    "sources",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False, comment="every bundle up to it is held"),
    sa.Column("manifest_index", sa.BigInteger, nullable=False),
    sa.Column("receipted_number", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("generation", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column(
        "heard_time",
        sa.TIMESTAMP(timezone=True),
        nullable=False,
        server_default=sa.text("clock_timestamp()"),
        comment="even an idle source sends a bundle every ten seconds",
    ),
)

streams = sa.Table(
    "streams",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("stream", sa.Text, primary_key=True),
    sa.Column("highest", sa.BigInteger, nullable=False),
    sa.Column("held", sa.BigInteger, nullable=False, comment="fewer than highest: a hole"),
    sa.Column(
        "update_time",
        sa.TIMESTAMP(timezone=True),
        nullable=False,
        server_default=sa.text("clock_timestamp()"),
    ),
    sa.Index("streams_with_holes", "update_time", postgresql_where=sa.text("held <> highest")),
)

progress = sa.Table(
    "progress",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("index", sa.BigInteger, nullable=False, comment="the next entry to be looked at"),
)

alerts = sa.Table(
    "alerts",
    metadata,
    sa.Column("alert_id", UUID(as_uuid=False), primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("details", JSONB, nullable=False),
    sa.Column(
        "open_time",
        sa.TIMESTAMP(timezone=True),
        nullable=False,
        server_default=sa.text("clock_timestamp()"),
    ),
    sa.Column("close_time", sa.TIMESTAMP(timezone=True)),
    sa.Column(
        "close_comment",
        sa.Text,
        nullable=False,
        server_default="",
        comment="of the person who closed it",
    ),
    sa.Index(
        "alerts_open",
        "kind",
        "source",
        "subject",
        unique=True,
        postgresql_where=sa.text("close_time IS NULL"),
    ),
)

holds = sa.Table(
    "holds",
    metadata,
    sa.Column("hold_id", UUID(as_uuid=False), primary_key=True),
    sa.Column("tenant", UUID(as_uuid=False), nullable=False),
    sa.Column("person", UUID(as_uuid=False), comment="null for the whole tenant"),
    sa.Column("matter", sa.Text, nullable=False),
    sa.Column(
        "place_time",
        sa.TIMESTAMP(timezone=True),
        nullable=False,
        server_default=sa.text("clock_timestamp()"),
    ),
    sa.Column("release_time", sa.TIMESTAMP(timezone=True)),
)

erasures = sa.Table(
    "erasures",
    metadata,
    sa.Column(
        "erasure_id",
        UUID(as_uuid=False),
        primary_key=True,
        server_default=sa.text("uuidv7()"),
    ),
    sa.Column("tenant", UUID(as_uuid=False), nullable=False),
    sa.Column("identity", UUID(as_uuid=False), nullable=False, comment="who asked for it"),
    sa.Column("person", UUID(as_uuid=False), nullable=False),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("records", sa.BigInteger, nullable=False),
    sa.Column(
        "identities",
        ARRAY(UUID(as_uuid=False)),
        comment="of the person; null until identity was asked",
    ),
    sa.Column(
        "remaining", ARRAY(sa.Text), nullable=False, comment="services that have not answered yet"
    ),
    sa.Column(
        "again_time", sa.TIMESTAMP(timezone=True), comment="once more then; null once that began"
    ),
    sa.Column(
        "start_time",
        sa.TIMESTAMP(timezone=True),
        nullable=False,
        server_default=sa.text("clock_timestamp()"),
    ),
    sa.Column("finish_time", sa.TIMESTAMP(timezone=True)),
    sa.Column("outcome", sa.Text, nullable=False, server_default=""),
    sa.Index(
        "erasures_going_on",
        "tenant",
        "person",
        unique=True,
        postgresql_where=sa.text("finish_time IS NULL"),
    ),
    sa.Index(
        "erasures_due",
        "erasure_id",
        postgresql_where=sa.text("remaining <> '{}' OR again_time IS NOT NULL"),
    ),
)

prunings = sa.Table(
    "prunings",
    metadata,
    sa.Column(
        "minimum_index",
        sa.BigInteger,
        primary_key=True,
        autoincrement=False,
        comment="what is before it is gone, but manifests",
    ),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("entries", sa.BigInteger, nullable=False),
    sa.Column(
        "prune_time",
        sa.TIMESTAMP(timezone=True),
        nullable=False,
        server_default=sa.text("clock_timestamp()"),
    ),
)

quarantine = sa.Table(
    "quarantine",
    metadata,
    sa.Column("index", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("data", BYTEA, nullable=False),
)

outbox_tables(metadata)
