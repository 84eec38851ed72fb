"""An executor of its own: a schema with the fence's table and one with effects."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeAlias

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from chenu_gate.action import Principal
from chenu_gate.executor import Connection, Executions, OnAsyncpg, executions_table
from chenu_gate.permit import Permit, PermittedAction
from tests.support.actions import an_action

DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]
Transactions: TypeAlias = Callable[[], AbstractAsyncContextManager[Connection]]


@pytest.fixture(scope="session")
async def database(postgres: str) -> str:
    """The superuser's URL of a database for the tests of the fence."""
    connection = await asyncpg.connect(postgres)
    await connection.execute("CREATE DATABASE chenu_gate")
    await connection.close()
    return postgres.rpartition("/")[0] + "/chenu_gate"


@pytest.fixture
async def schema(database: str) -> str:
    """A schema with an empty table of executions and one of effects."""
    schema = f"executor_{uuid.uuid4().hex}"
    metadata = sa.MetaData(schema=schema)
    table = executions_table(metadata)
    effects = sa.Table("effects", metadata, sa.Column("decision_id", sa.Uuid))
    statements: list[sa.schema.ExecutableDDLElement] = [
        sa.schema.CreateSchema(schema),
        sa.schema.CreateTable(table),
        *(sa.schema.CreateIndex(index) for index in table.indexes),
        sa.schema.CreateTable(effects),
    ]
    connection = await asyncpg.connect(database)
    for statement in statements:
        await connection.execute(str(statement.compile(dialect=DIALECT)))
    await connection.close()
    return schema


@pytest.fixture
async def pool(database: str, schema: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections that find the tables of that schema."""
    settings = {"search_path": schema}
    async with asyncpg.create_pool(database, server_settings=settings, min_size=0) as pool:
        yield pool


@pytest.fixture
def executions(schema: str) -> Executions:
    """The fence of that schema."""
    return Executions(schema)


@pytest.fixture
def transaction(pool: asyncpg.Pool) -> Transactions:
    """Opens a transaction on a connection of its own."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Connection]:
        async with pool.acquire() as connection, connection.transaction():
            yield OnAsyncpg(connection)

    return opened


def permitted(**changes: Any) -> PermittedAction:
    """An action with a verified permit; both with ids of their own."""
    ids = {name: str(uuid.uuid4()) for name in ("tenant", "person", "identity")}
    action = an_action(principal=Principal(**ids))
    permit = Permit.for_action(
        action,
        permit_id=str(uuid.uuid4()),
        decision=str(uuid.uuid4()),
        freeze_epoch=0,
        now=datetime.now(UTC),
    )
    return PermittedAction(action, replace(permit, **changes))


async def waiting_on_a_lock(pool: asyncpg.Pool) -> None:
    """Returns once some transaction in this database waits for another one."""
    waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
    while not await pool.fetchval(waiting):
        await pool.execute("SELECT pg_sleep(0.01)")
