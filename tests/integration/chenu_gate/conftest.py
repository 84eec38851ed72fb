"""An executor of its own: a schema with the fence's table and one with effects, and governance."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import asyncpg
import grpc
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from chenu.governance.v1.decision_pb2 import EXECUTION_STATE_UNKNOWN
from chenu.governance.v1.outcome_service_pb2 import (
    Outcome,
    ReportOutcomesRequest,
    ReportOutcomesResponse,
)
from chenu.governance.v1.outcome_service_pb2_grpc import (
    OutcomeServiceServicer,
    OutcomeServiceStub,
    add_OutcomeServiceServicer_to_server,
)
from chenu_gate.action import Principal
from chenu_gate.executor import Connection, Executions, OnAsyncpg, executions_table
from chenu_gate.permit import Permit, PermittedAction
from tests.support.actions import an_action

DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]
Transactions: TypeAlias = Callable[[], AbstractAsyncContextManager[Connection]]


@pytest.fixture(scope="package")
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


async def unknown(executions: Executions, transaction: Transactions) -> str:
    """A decision of which nobody knows what it came to."""
    late = permitted()
    async with transaction() as tx:
        await executions.begin_running(tx, late, timedelta(0))
    async with transaction() as tx:
        await executions.overdue(tx)
    return late.permit.decision


class Governance(OutcomeServiceServicer):
    """Takes outcomes as governance does, and refuses when it is told to."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.calls = 0
        self.refused: dict[str, grpc.StatusCode] = {}
        self.unavailable = 0
        self.settled: list[Outcome] = []
        self.called = asyncio.Event()
        self.took = asyncio.Event()
        self.hold: asyncio.Event | None = None

    async def ReportOutcomes(
        self, request: ReportOutcomesRequest, context: Any
    ) -> ReportOutcomesResponse:
        self.calls += 1
        self.called.set()
        if self.unavailable:
            self.unavailable -= 1
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        for outcome in request.outcomes:
            if code := self.refused.get(outcome.decision_id):
                await context.abort(code, "not this one")
        if self.hold is not None:
            await self.hold.wait()
        self.outcomes.extend(request.outcomes)
        self.took.set()
        told = {one.decision_id for one in request.outcomes if one.state == EXECUTION_STATE_UNKNOWN}
        return ReportOutcomesResponse(
            settled=[one for one in self.settled if one.decision_id in told]
        )

    def decisions(self) -> list[str]:
        return [outcome.decision_id for outcome in self.outcomes]


@pytest.fixture
def governance() -> Governance:
    return Governance()


@pytest.fixture
async def stub(governance: Governance) -> AsyncIterator[OutcomeServiceStub]:
    server = grpc.aio.server()
    add_OutcomeServiceServicer_to_server(governance, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield OutcomeServiceStub(channel)
    await server.stop(None)


async def waiting_on_a_lock(pool: asyncpg.Pool) -> None:
    """Returns once some transaction in this database waits for another one."""
    waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
    while not await pool.fetchval(waiting):
        await pool.execute("SELECT pg_sleep(0.01)")
