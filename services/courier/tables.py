"""Tables of schema `courier`."""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID

from chenu_gate.executor import executions_table
from kernel.idempotency import requests_table
from kernel.outbox import outbox_tables
from services.courier.channel_tables import channel_tables

SCHEMA: Final = "courier"
metadata = sa.MetaData(schema=SCHEMA)


def _id(name: str, *, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(name, UUID(as_uuid=False), primary_key=primary_key, nullable=False)


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    now = None if nullable else sa.text("clock_timestamp()")
    return sa.Column(name, sa.TIMESTAMP(timezone=True), nullable=nullable, server_default=now)


endpoints = sa.Table(
    "endpoints",
    metadata,
    _id("endpoint_id", primary_key=True),
    _id("tenant"),
    _id("identity"),
    _text("name"),
    _text("url"),
    sa.Column("idempotent", sa.Boolean, nullable=False),
    sa.Column("disabled", sa.Boolean, nullable=False),
    sa.Column("sealed_secret", sa.LargeBinary, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    _time("create_time"),
    _time("update_time"),
    sa.UniqueConstraint("tenant", "identity", "name"),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    _id("delivery_id", primary_key=True),
    _id("tenant"),
    _id("identity"),
    # No foreign key: a delivery outlives its endpoint.
    _id("endpoint_id"),
    _id("decision_id"),
    _text("state"),
    _text("payload_digest"),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("http_status", sa.Integer, nullable=False),
    _text("reason"),
    sa.Column("reconciled", sa.Boolean, nullable=False),
    _text("comment"),
    sa.Column("version", sa.BigInteger, nullable=False),
    _time("create_time"),
    _time("finish_time", nullable=True),
    sa.UniqueConstraint("decision_id"),
    sa.Index("deliveries_by_time", "identity", sa.desc("create_time"), sa.desc("delivery_id")),
)

channel_tables(metadata)
executions_table(metadata)
requests_table(metadata)
outbox_tables(metadata)
