"""The tables behind `tx.emit`: events, the bundles made of them, the receipts for those.

    metadata = MetaData(schema="threads")
    outbox_tables(metadata)            # in tables.py
    create_outbox()                    # in the first migration, from kernel.migration.helpers

The app role may only insert into `outbox`; all else is the worker's. The rows
of `bundles` say for good which events a number means; only the two columns that
tell of publishing ever change.
"""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import UserDefinedType


class Xid8(UserDefinedType[str]):
    """A transaction id that never wraps."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Its name in SQL."""
        return "XID8"


NOW: Final = sa.text("clock_timestamp()")
IN_A_STREAM: Final = sa.text("stream <> ''")


def outbox_tables(metadata: sa.MetaData) -> None:
    """Add the four tables to a service's metadata."""
    sa.Table(
        "outbox", metadata,
        sa.Column("seq", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("xid", Xid8, nullable=False, server_default=sa.text("pg_current_xact_id()")),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("stream", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("event", sa.LargeBinary, nullable=False),
        sa.Index("outbox_xid_seq", "xid", "seq"),
        sa.Index("outbox_stream_version", "stream", "version", postgresql_where=IN_A_STREAM),
    )  # fmt: skip
    sa.Table(
        "bundles", metadata,
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("manifest", sa.LargeBinary, nullable=False),
        sa.Column("seqs", ARRAY(sa.BigInteger), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False, server_default=NOW),
        sa.Column("attempt", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("publish_time", sa.DateTime(timezone=True)),
        sa.Index("bundles_unpublished", "number", postgresql_where=sa.text("publish_time IS NULL")),
    )  # fmt: skip
    sa.Table(
        "relay_state", metadata,
        sa.Column("single", sa.Boolean, primary_key=True, server_default=sa.text("true")),
        sa.Column("cluster", sa.Text, nullable=False),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("snapshot", sa.Text, nullable=False),
        sa.Column("rebased", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.CheckConstraint("single", name="relay_state_single"),
    )  # fmt: skip
    sa.Table(
        "receipts", metadata,
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("tree_head", sa.Text, nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False, server_default=NOW),
    )  # fmt: skip
