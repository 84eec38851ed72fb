"""Tables of the schema `sample`."""

from sqlalchemy import BigInteger, Column, MetaData, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from kernel.idempotency import requests_table
from kernel.outbox import outbox_tables

metadata = MetaData(schema="sample")
outbox_tables(metadata)
requests_table(metadata)

notes = Table(
    "notes",
    metadata,
    Column("id", Uuid(as_uuid=False), primary_key=True),
    Column("tenant", Uuid(as_uuid=False), nullable=False),
    Column("identity", Uuid(as_uuid=False), nullable=False),
    Column("title", Text, nullable=False),
    Column("facts", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("tags", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
)
history = Table(
    "history",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("word", Text, nullable=False),
)
