"""What an executor records of its executions: the table, and the statements on it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

# What may change in a row once it stands; grant UPDATE on these columns and DELETE on none.
MUTABLE_COLUMNS = ("state", "reason", "outcome", "finished_at", "reported_at")


class ExecutionState(StrEnum):
    """What became of the execution of a decision."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"


class Connection(Protocol):
    """A connection inside a transaction of the caller's; `OnAsyncpg` makes one of asyncpg's."""

    async def fetch(self, statement: Any, **parameters: Any) -> Sequence[Any]:
        """All rows; `statement.bind(parameters)` gives SQL and positional arguments."""

    async def fetch_one(self, statement: Any, **parameters: Any) -> Any:
        """The first row as a mapping, or None."""


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with numbered parameters that are given by name."""

    sql: str
    order: tuple[str, ...]

    def bind(self, parameters: Mapping[str, Any]) -> tuple[str, list[Any]]:
        """The SQL and its arguments in order."""
        return self.sql, [parameters[name] for name in self.order]


class OnAsyncpg:
    """A plain asyncpg connection as the fence needs it, whatever codecs it has."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def fetch(self, statement: Statement, **parameters: Any) -> Sequence[Any]:
        """All rows."""
        sql, arguments = statement.bind(parameters)
        rows: Sequence[Any] = await self._connection.fetch(sql, *arguments)
        return rows

    async def fetch_one(self, statement: Statement, **parameters: Any) -> Any:
        """The first row, or None."""
        sql, arguments = statement.bind(parameters)
        return await self._connection.fetchrow(sql, *arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What is recorded of the one execution of a decision."""

    decision_id: str
    permit_id: str
    action_digest: str
    tenant: str
    identity: str
    tool: str
    state: ExecutionState
    reason: str
    outcome: Any
    started_at: datetime
    finished_at: datetime | None
    deadline: datetime | None
    permit: str


def executions_table(metadata: sa.MetaData) -> sa.Table:
    """The table of the fence; its primary key is what makes a decision single-use.

    `outcome` is for ids, states and digests: nothing that may have to be erased.
    """
    states = ", ".join(f"'{state}'" for state in ExecutionState)
    now = sa.text("clock_timestamp()")
    return sa.Table(
        "executions",
        metadata,
        sa.Column("decision_id", sa.Uuid, primary_key=True),
        sa.Column("permit_id", sa.Text, nullable=False),
        sa.Column("action_digest", sa.Text, nullable=False),
        sa.Column("tenant", sa.Uuid, nullable=False),
        sa.Column("identity", sa.Uuid, nullable=False),
        sa.Column("tool", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("outcome", JSONB),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False, server_default=now),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("deadline", sa.DateTime(timezone=True)),
        sa.Column("reported_at", sa.DateTime(timezone=True)),
        # As it was signed: it is good for nothing any more, and proves by what right it was done.
        sa.Column("permit", sa.Text, nullable=False, server_default=""),
        sa.CheckConstraint(f"state IN ({states})", name="executions_state"),
        sa.CheckConstraint(
            "(state = 'RUNNING') = (finished_at IS NULL)", name="executions_finished"
        ),
        # A RUNNING row that never falls due would stay so for ever.
        sa.CheckConstraint(
            "state <> 'RUNNING' OR deadline IS NOT NULL", name="executions_deadline"
        ),
        sa.Index("executions_overdue", "deadline", postgresql_where=sa.text("state = 'RUNNING'")),
        sa.Index(
            "executions_unreported",
            "finished_at",
            postgresql_where=sa.text("reported_at IS NULL AND state <> 'RUNNING'"),
        ),
    )


class ExecutionStatements:
    """The statements on one executor's table.

    Parameters travel as text, so that it does not matter which codecs a connection has for
    uuid and jsonb.
    """

    def __init__(self, schema: str) -> None:
        if not re.fullmatch(r"[a-z_][a-z0-9_]*", schema):
            raise ValueError(f"not the name of a schema: {schema!r}")
        table = f"{schema}.executions"
        self.insert = Statement(
            f"INSERT INTO {table} (decision_id, permit_id, action_digest, tenant, identity, tool,"  # noqa: S608 - a checked name
            " state, reason, outcome, deadline, permit, finished_at)"
            " VALUES ($1::text::uuid, $2, $3, $4::text::uuid, $5::text::uuid, $6, $7::text, $8,"
            " $9::text::jsonb, clock_timestamp() + $10::interval, $12,"
            " CASE WHEN $7::text <> 'RUNNING' THEN clock_timestamp() END)"
            " ON CONFLICT (decision_id) DO NOTHING"
            # Looked at once the row is in: it may have waited long for another one's end.
            " RETURNING state, clock_timestamp() < $11::timestamptz AS in_time",
            (
                *("decision_id", "permit_id", "action_digest", "tenant", "identity", "tool"),
                *("state", "reason", "outcome", "deadline", "last_moment", "permit"),
            ),
        )
        self.set_outcome = Statement(
            f"UPDATE {table} SET outcome = $3::text::jsonb"  # noqa: S608 - likewise
            " WHERE decision_id = $1::text::uuid AND permit_id = $2 AND reported_at IS NULL"
            f" AND state = 'SUCCEEDED' RETURNING {_COLUMNS}",
            ("decision_id", "permit_id", "outcome"),
        )
        self.finish = Statement(
            f"UPDATE {table} SET state = $2::text, reason = $3,"  # noqa: S608 - likewise
            " outcome = COALESCE($4::text::jsonb, outcome), finished_at = clock_timestamp(),"
            " reported_at = NULL WHERE decision_id = $1::text::uuid"
            " AND (state = 'RUNNING' OR (state = 'UNKNOWN' AND $2::text <> 'UNKNOWN'))"
            f" RETURNING {_COLUMNS}",
            ("decision_id", "state", "reason", "outcome"),
        )
        self.overdue = Statement(
            f"UPDATE {table} SET state = 'UNKNOWN', reason = 'OVERDUE',"  # noqa: S608 - likewise
            " finished_at = clock_timestamp() WHERE decision_id IN"
            f" (SELECT decision_id FROM {table} WHERE state = 'RUNNING'"
            " AND deadline < clock_timestamp() ORDER BY deadline LIMIT $1::int"
            f" FOR UPDATE SKIP LOCKED) RETURNING {_COLUMNS}",
            ("limit",),
        )
        self.get = Statement(
            f"SELECT {_COLUMNS} FROM {table} WHERE decision_id = $1::text::uuid",  # noqa: S608 - likewise
            ("decision_id",),
        )
        self.unreported = Statement(
            f"SELECT {_COLUMNS} FROM {table} WHERE reported_at IS NULL AND state <> 'RUNNING'"  # noqa: S608 - likewise
            " AND decision_id::text || ' ' || state <> ALL ($2::text[])"
            " ORDER BY finished_at LIMIT $1::int",
            ("limit", "without"),
        )
        self.mark_reported = Statement(
            f"UPDATE {table} AS e SET reported_at = clock_timestamp()"  # noqa: S608 - likewise
            " FROM unnest($1::text[], $2::text[]) AS r (decision_id, state)"
            " WHERE e.decision_id = r.decision_id::uuid AND e.state = r.state"
            " AND e.state <> 'UNKNOWN' AND e.reported_at IS NULL RETURNING e.state",
            ("decision_ids", "states"),
        )


def execution(row: Any) -> Execution:
    """The record in a row that one of the statements returned."""
    values = {name: row[name] for name in _NAMES}
    if values["outcome"] is not None:
        values["outcome"] = json.loads(values["outcome"])
    return Execution(**values | {"state": ExecutionState(values["state"])})


_NAMES = tuple(item.name for item in fields(Execution))
_AS_TEXT = {"decision_id", "tenant", "identity", "outcome"}
_COLUMNS = ", ".join(f"{name}::text AS {name}" if name in _AS_TEXT else name for name in _NAMES)
