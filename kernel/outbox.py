"""The tables behind `tx.emit`: events, the bundles made of them, the receipts for those.

    metadata = MetaData(schema="threads")
    outbox_tables(metadata)            # in tables.py
    create_outbox()                    # in the first migration, from kernel.migration.helpers

The app role may only insert into `outbox`; all else is the worker's. The rows
of `bundles` say for good which events a number means; only the two columns that
tell of publishing ever change.
"""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import UserDefinedType


class Xid8(UserDefinedType[str]):
    """A transaction id that never wraps."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Its name in SQL."""
        return "XID8"


NOW: Final = text("clock_timestamp()")


def outbox_tables(metadata: MetaData) -> None:
    """Add the four tables to a service's metadata."""
    Table(
        "outbox", metadata,
        Column("seq", BigInteger, Identity(always=True), primary_key=True),
        Column("xid", Xid8, nullable=False, server_default=text("pg_current_xact_id()")),
        Column("id", Uuid(as_uuid=False), nullable=False),
        Column("stream", Text, nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("event", LargeBinary, nullable=False),
        Index("outbox_xid_seq", "xid", "seq"),
        Index("outbox_stream_version", "stream", "version", postgresql_where=text("stream <> ''")),
    )  # fmt: skip
    Table(
        "bundles", metadata,
        Column("number", BigInteger, primary_key=True, autoincrement=False),
        Column("manifest", LargeBinary, nullable=False),
        Column("seqs", ARRAY(BigInteger), nullable=False),
        Column("create_time", DateTime(timezone=True), nullable=False, server_default=NOW),
        Column("attempt", Integer, nullable=False, server_default=text("0")),
        Column("publish_time", DateTime(timezone=True)),
        Index("bundles_unpublished", "number", postgresql_where=text("publish_time IS NULL")),
    )  # fmt: skip
    Table(
        "relay_state", metadata,
        Column("single", Boolean, primary_key=True, server_default=text("true")),
        Column("cluster", Text, nullable=False),
        Column("generation", BigInteger, nullable=False),
        Column("number", BigInteger, nullable=False),
        Column("snapshot", Text, nullable=False),
        Column("rebased", Boolean, nullable=False, server_default=text("false")),
        CheckConstraint("single", name="relay_state_single"),
    )  # fmt: skip
    Table(
        "receipts", metadata,
        Column("number", BigInteger, primary_key=True, autoincrement=False),
        Column("tree_head", Text, nullable=False),
        Column("create_time", DateTime(timezone=True), nullable=False, server_default=NOW),
    )  # fmt: skip
