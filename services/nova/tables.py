"""Tables of schema `nova`: what a run is, what it holds, what happened to it.

`runs`, `run_events` and `workers` hold no text of anyone's; what may have to be
erased, and what is secret, lies in `run_contents`.
"""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA, JSONB, UUID

from kernel.outbox import outbox_tables

SCHEMA: Final = "nova"
metadata = sa.MetaData(schema=SCHEMA)

workers = sa.Table(
    "workers",
    metadata,
    sa.Column("worker_id", UUID(as_uuid=False), primary_key=True),
    sa.Column("expire_time", sa.TIMESTAMP(timezone=True), nullable=False),
)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("run_id", UUID(as_uuid=False), primary_key=True),
    sa.Column("tenant", UUID(as_uuid=False), nullable=False),
    sa.Column("person", UUID(as_uuid=False), nullable=False),
    sa.Column("identity", UUID(as_uuid=False), nullable=False),
    sa.Column("agent", sa.Text, nullable=False, server_default=""),
    sa.Column("request_id", UUID(as_uuid=False)),
    sa.Column("body_digest", sa.Text, nullable=False),
    sa.Column("state", sa.SmallInteger, nullable=False),
    sa.Column("thread_id", UUID(as_uuid=False)),
    sa.Column("worker_id", UUID(as_uuid=False)),
    sa.Column("cancel_reason", sa.Text),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("create_time", sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column("update_time", sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column("deadline", sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column("untold", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.UniqueConstraint("tenant", "identity", "person", "agent", "request_id"),
    sa.Index("runs_by_identity", "identity", "run_id"),
    sa.Index("runs_by_thread", "thread_id", postgresql_where=sa.text("thread_id IS NOT NULL")),
    sa.Index("runs_unfinished", "state", "worker_id", postgresql_where=sa.text("state <= 3")),
)

run_contents = sa.Table(
    "run_contents",
    metadata,
    sa.Column(
        "run_id", UUID(as_uuid=False), sa.ForeignKey(f"{SCHEMA}.runs.run_id"), primary_key=True
    ),
    sa.Column("tenant", UUID(as_uuid=False), nullable=False),
    sa.Column("identity", UUID(as_uuid=False), nullable=False),
    sa.Column("run", BYTEA, nullable=False, comment="chenu.nova.v1.Run"),
    sa.Column("journal", JSONB, nullable=False, comment="what a resumed run needs beside it"),
    sa.Column("delegation", sa.Text, nullable=False, server_default=""),
)

run_events = sa.Table(
    "run_events",
    metadata,
    sa.Column(
        "run_id", UUID(as_uuid=False), sa.ForeignKey(f"{SCHEMA}.runs.run_id"), primary_key=True
    ),
    sa.Column("sequence_number", sa.BigInteger, primary_key=True),
    sa.Column("tenant", UUID(as_uuid=False), nullable=False),
    sa.Column("identity", UUID(as_uuid=False), nullable=False),
    sa.Column("events", JSONB, nullable=False),
    sa.Column(
        "create_time",
        sa.TIMESTAMP(timezone=True),
        nullable=False,
        server_default=sa.text("clock_timestamp()"),
    ),
)

outbox_tables(metadata)
