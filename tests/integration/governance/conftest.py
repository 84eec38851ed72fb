"""Governance on a free port, between a stand-in identity and the tests' clock."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest

from chenu_gate.permit import PermitKeys, permit_keys
from kernel.context import background
from kernel.database import Database
from kernel.service import Program, Service
from kernel.settings import SharedSettings
from kernel.watching import Changes
from services.governance.__main__ import assemble
from services.governance.clock import Clock
from services.governance.review.endings import AT_ONCE, Sweeper
from services.governance.review.reminders import Reminders
from services.governance.review.transitions import Transitions
from services.governance.settings import GovernanceSettings
from tests.support.approvals import RULES
from tests.support.audit import StandInAudit
from tests.support.database_urls import DatabaseUrls
from tests.support.executor import FAKED, PAY, SHIP, StandInExecutor
from tests.support.governance_client import GovernanceClient
from tests.support.identity import StandInIdentity
from tests.support.running import running, shared_settings

OPERATOR_TENANT = str(uuid4())
Events = Callable[[str], Awaitable[list[dict[str, Any]]]]


@pytest.fixture(scope="package")
async def identity() -> AsyncIterator[StandInIdentity]:
    async with StandInIdentity() as stand_in:
        yield stand_in


@pytest.fixture(scope="package")
def held_clock() -> Clock:
    return Clock()


@pytest.fixture
def clock(held_clock: Clock) -> Any:
    """The clock of the service; it is set back after the test."""
    yield held_clock
    held_clock.offset = timedelta(0)


@pytest.fixture(scope="package")
def keys_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="package")
async def executor() -> AsyncIterator[StandInExecutor]:
    async with StandInExecutor(PAY) as stand_in:
        yield stand_in


@pytest.fixture(scope="package")
async def warehouse() -> AsyncIterator[StandInExecutor]:
    """An executor that is none of the fleet's."""
    async with StandInExecutor(SHIP, FAKED) as stand_in:
        yield stand_in


@pytest.fixture(scope="package")
async def audit() -> AsyncIterator[StandInAudit]:
    async with StandInAudit() as stand_in:
        yield stand_in


@pytest.fixture(scope="package")
def shared(
    keys_dir: Path,
    nats_url: str,
    identity: StandInIdentity,
    executor: StandInExecutor,
    audit: StandInAudit,
) -> SharedSettings:
    addresses = {"threads": executor.address, "audit": audit.address}
    return shared_settings(keys_dir, nats_url, identity, **addresses)


@pytest.fixture(scope="package")
def urls(database_urls: Mapping[str, DatabaseUrls]) -> DatabaseUrls:
    return database_urls["governance"]


@pytest.fixture(scope="package")
async def service(
    shared: SharedSettings, urls: DatabaseUrls, held_clock: Clock, warehouse: StandInExecutor
) -> AsyncIterator[Service[GovernanceSettings]]:
    started_with = partial(assemble, clock=held_clock, rules_in_force=RULES)
    program = Program("governance", GovernanceSettings, started_with)
    # The sweeper of the service itself keeps still: tests sweep when they want to.
    async with running(
        program,
        shared,
        urls,
        sweep_seconds=3600,
        heartbeat_seconds=0.3,
        watch_seconds=20,
        executors=f"warehouse={warehouse.address}",
        operator_tenant=OPERATOR_TENANT,
    ) as started:
        yield started


@pytest.fixture(scope="package")
async def channel(service: Service[GovernanceSettings]) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{service.port}") as opened:
        yield opened


@pytest.fixture(scope="package")
def client(channel: grpc.aio.Channel, identity: StandInIdentity) -> GovernanceClient:
    return GovernanceClient(channel, identity)


@pytest.fixture
async def database(urls: DatabaseUrls, service: Any) -> AsyncIterator[Database]:
    """The app role's own connections, for what no RPC would do."""
    opened = await Database.connect(urls.app, schema="governance", pool_size=2)
    yield opened
    await opened.close()


@pytest.fixture
def events(superuser: Any) -> Events:
    """The audit events about a subject, as their bytes say."""

    async def about(subject: str) -> list[dict[str, Any]]:
        rows = await superuser.fetch("SELECT event FROM governance.outbox ORDER BY seq")
        told = [json.loads(row["event"]) for row in rows]
        return [event for event in told if event["subject"] == subject]

    return about


@pytest.fixture
async def permit_key_set(client: GovernanceClient) -> PermitKeys:
    """The keys that executors check permits with."""
    from chenu.governance.v1.authorization_service_pb2 import GetPermitKeySetRequest

    answer = await client.authorization.GetPermitKeySet(GetPermitKeySetRequest())
    return permit_keys(json.loads(answer.jwks))


@pytest.fixture
async def app(urls: DatabaseUrls, service: Any) -> AsyncIterator[Any]:
    """A connection of the role that serves, without the service."""
    connection = await asyncpg.connect(urls.app)
    yield connection
    await connection.close()


@pytest.fixture
async def worker(urls: DatabaseUrls, service: Any) -> AsyncIterator[Any]:
    """Likewise of the role that works without an identity."""
    connection = await asyncpg.connect(urls.worker)
    yield connection
    await connection.close()


class Thorough(Sweeper):
    """One sweep takes only so many, and other tests may have left more than that."""

    async def sweep(self) -> int:
        done = many = await super().sweep()
        while many >= AT_ONCE:
            many = await super().sweep()
            done += many
        return done


@pytest.fixture
async def sweeper(service: Service[Any], clock: Clock) -> AsyncIterator[Sweeper]:
    """A sweeper of its own on the service's connections."""
    transitions = Transitions(service.database, service.messaging, Changes(), clock)
    reminders = Reminders(service.database, transitions, clock)
    with background("governance.sweeper"):
        yield Thorough(service.worker, transitions, reminders, clock, 0.01)
