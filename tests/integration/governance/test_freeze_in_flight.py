"""A thousand permits are in flight when somebody pulls the brake."""

import asyncio
import json
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from chenu.governance.v1.authorization_service_pb2 import GetPermitKeySetRequest
from chenu.governance.v1.freeze_service_pb2 import GetFreezeStateRequest, GetFreezeStateResponse
from chenu_gate.action import Action, ActionKind
from chenu_gate.executor import Executions, OnAsyncpg, executions_table
from chenu_gate.freezes import FreezeWatch
from chenu_gate.gatekeeper import Gatekeeper, PermitRefused
from chenu_gate.tools import Tool, Toolbox
from kernel.settings import SharedSettings
from services.governance.__main__ import PROGRAM
from tests.support.database_urls import DatabaseUrls
from tests.support.governance_client import GovernanceClient, allowed
from tests.support.identity import Person, StandInIdentity
from tests.support.running import running

FLYING, SPREAD_SECONDS = 1_024, 3.5
SEARCH = Tool.declare(
    name="thread.search",
    description="Searches.",
    input_schema={"type": "object"},
    kind=ActionKind.SEARCH,
    executor="threads",
)


def searching(person: Person, number: int) -> Action:
    return allowed(person, tool=SEARCH.pinned, targets=(), arguments={"number": number})


@pytest.fixture
async def hasty(
    shared: SharedSettings, urls: DatabaseUrls, service: Any, identity: StandInIdentity
) -> AsyncIterator[GovernanceClient]:
    """A second governance on the same database, whose permits live two seconds."""
    async with (
        running(PROGRAM, shared, urls, permit_seconds=2, sweep_seconds=3600) as started,
        grpc.aio.insecure_channel(f"127.0.0.1:{started.port}") as channel,
    ):
        yield GovernanceClient(channel, identity)


class Fleet:
    """One executor's table, and two processes before it: one listens for freezes, one is deaf."""

    def __init__(self, pool: asyncpg.Pool, schema: str, client: GovernanceClient) -> None:
        self._pool, self._schema, self._client = pool, schema, client
        self._executions = Executions(schema)
        self.deaf = Gatekeeper("threads", Toolbox([SEARCH]), self._keys)
        # Its clock stands still: what it hears stops it, and the clock of its database.
        self.moment = datetime.now(UTC)
        self.listening = Gatekeeper("threads", Toolbox([SEARCH]), self._keys, lambda: self.moment)
        self.watch = FreezeWatch(self.listening, self._state)
        self.refused: list[tuple[datetime, str]] = []

    async def _keys(self) -> str:
        answer = await self._client.authorization.GetPermitKeySet(GetPermitKeySetRequest())
        return str(answer.jwks)

    async def _state(self) -> GetFreezeStateResponse:
        return await self._client.freezes.GetFreezeState(
            GetFreezeStateRequest(), metadata=self._client.identity.as_service("threads")
        )

    async def start(
        self, gatekeeper: Gatekeeper, action: Action, permit: str, delay: float, *, queued: bool
    ) -> None:
        """Begin after a while; what is `queued` was admitted before, and waited since."""
        if not queued:
            await asyncio.sleep(delay)
        try:
            permitted = await gatekeeper.admit(permit, action.canonical(), asker=action.principal)
            if queued:
                await asyncio.sleep(delay)
            async with self._pool.acquire() as connection, connection.transaction():
                await self._executions.fence(OnAsyncpg(connection), permitted)
        except PermitRefused as refusal:
            self.refused.append((datetime.now(UTC), refusal.reason))

    async def started(self) -> list[datetime]:
        rows = await self._pool.fetch(f"SELECT started_at FROM {self._schema}.executions")
        return [row["started_at"] for row in rows]


@pytest.fixture
async def fleet(urls: DatabaseUrls, hasty: GovernanceClient) -> AsyncIterator[Fleet]:
    schema = f"executor_{uuid4().hex}"
    table = executions_table(sa.MetaData(schema=schema))
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    async with asyncpg.create_pool(urls.admin, min_size=0, max_size=5) as pool:
        await pool.execute(f"CREATE SCHEMA {schema}")
        await pool.execute(str(sa.schema.CreateTable(table).compile(dialect=dialect)))
        yield Fleet(pool, schema, hasty)
        await pool.execute(f"DROP SCHEMA {schema} CASCADE")


async def test_row_40_of_a_thousand_permits_in_flight_none_starts_after_the_freezes_effective_time(
    hasty: GovernanceClient, fleet: Fleet, person: Person
) -> None:
    actions = [searching(person, number) for number in range(FLYING)]
    plans = [actions[at : at + 32] for at in range(0, FLYING, 32)]
    verdicts = [v for told in await asyncio.gather(*(hasty.ask(person, *p) for p in plans))
                for v in told]  # fmt: skip
    fleet.moment = verdicts[0].permit_expire_time.ToDatetime(UTC) - timedelta(seconds=1)
    starts = [
        asyncio.create_task(
            fleet.start(
                (fleet.deaf, fleet.deaf, fleet.listening)[number % 3],
                action,
                verdict.permit,
                SPREAD_SECONDS * number / FLYING,
                queued=number % 3 == 1,
            )
        )
        for number, (action, verdict) in enumerate(zip(actions, verdicts, strict=True))
    ]

    # However slowly they were asked for: one that is fresh starts.
    asked = FLYING
    while not await fleet.started():
        action = searching(person, asked)
        (verdict,) = await hasty.ask(person, action)
        await fleet.start(fleet.deaf, action, verdict.permit, 0.0, queued=False)
        asked += 1
    freeze = await hasty.freeze(person, "KIND", "search")
    effective = freeze.effective_time.ToDatetime(UTC)
    await fleet.watch.refresh()
    await fleet.start(fleet.listening, actions[0], verdicts[0].permit, 0.0, queued=False)
    assert fleet.refused[-1][1] == "PERMIT_FROZEN"
    await asyncio.gather(*starts)
    # Somebody tries after it, whose process nobody has told.
    await asyncio.sleep(max(0.0, (effective - datetime.now(UTC)).total_seconds()) + 0.05)
    await fleet.start(fleet.deaf, actions[-1], verdicts[-1].permit, 0.0, queued=False)
    assert fleet.refused[-1][1] == "PERMIT_EXPIRED"

    started = await fleet.started()
    assert started
    assert max(started) < effective
    assert len(started) + len(fleet.refused) == asked + 2


async def test_a_permit_signed_late_does_not_outlive_a_freeze_that_came_before(
    client: GovernanceClient, person: Person, service: Any
) -> None:
    """However long signing takes: its seconds began before the freezes were looked at."""
    (verdict,) = await client.ask(person, allowed(person))
    freeze = await client.freeze(person)

    expires = verdict.permit_expire_time.ToDatetime(UTC)
    claims = json.loads(_body(verdict.permit))
    assert claims["freeze_epoch"] < freeze.epoch
    assert expires < freeze.effective_time.ToDatetime(UTC)


def _body(token: str) -> bytes:
    body = token.split(".")[1]
    return urlsafe_b64decode(body + "=" * (-len(body) % 4))
