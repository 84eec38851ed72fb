"""Tables of schema `llm`: the ledger, append-only, without a word of what was said."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID

from kernel.outbox import outbox_tables

SCHEMA: Final = "llm"
metadata = sa.MetaData(schema=SCHEMA)

ledger = sa.Table(
    "ledger",
    metadata,
    sa.Column("call_id", UUID(as_uuid=False), primary_key=True),
    sa.Column("tenant", UUID(as_uuid=False), nullable=False),
    sa.Column("identity", UUID(as_uuid=False), nullable=False),
    sa.Column("run_id", UUID(as_uuid=False)),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("model_requested", sa.Text, nullable=False),
    sa.Column("model_answered", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("simulated", sa.Boolean, nullable=False),
    sa.Column("input_tokens", sa.BigInteger, nullable=False),
    sa.Column("output_tokens", sa.BigInteger, nullable=False),
    sa.Column("duration_millis", sa.BigInteger, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column(
        "create_time",
        sa.TIMESTAMP(timezone=True),
        nullable=False,
        server_default=sa.text("clock_timestamp()"),
    ),
    sa.Index("ledger_by_identity", "identity", "call_id"),
    sa.Index("ledger_by_run", "run_id", postgresql_where=sa.text("run_id IS NOT NULL")),
)

outbox_tables(metadata)
