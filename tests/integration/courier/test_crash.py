import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import grpc
import pytest

from chenu.courier.v1.delivery_pb2 import DeliveryState
from chenu.courier.v1.delivery_service_pb2 import ReconcileDeliveryRequest
from chenu.governance.v1.decision_pb2 import ExecutionState
from chenu_gate.executor import Executions
from deploy.local.server import free_port
from kernel.context import background
from kernel.database import Database
from kernel.settings import SharedSettings
from services.courier import execution
from services.courier.settings import CourierSettings
from services.courier.sweeping import Sweeper
from tests.support.courier import CourierClient
from tests.support.database_urls import DatabaseUrls
from tests.support.identity import Metadata, Person
from tests.support.receiver import Receiver
from tests.support.refusals import refused
from tests.support.waiting import soon

PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


@pytest.fixture
async def doomed(
    shared: SharedSettings, settings: CourierSettings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Another instance of the service in a process of its own, and its address."""
    # Nobody waits long for the end of what it is sending.
    monkeypatch.setattr(execution, "_WAIT_SECONDS", 0.3)
    address = f"127.0.0.1:{free_port()}"
    environment = {
        **os.environ,
        "CHENU_NATS_URL": shared.nats_url,
        "CHENU_KEYS_DIR": str(shared.keys_dir),
        "CHENU_IDENTITY_ADDRESS": shared.identity_address,
        "CHENU_GOVERNANCE_ADDRESS": shared.governance_address,
        "CHENU_COURIER_LISTEN": address,
        "CHENU_COURIER_DATABASE_URL": settings.database_url,
        "CHENU_COURIER_WORKER_DATABASE_URL": settings.worker_database_url,
        "CHENU_COURIER_KEY_FILE": str(settings.key_file),
        "CHENU_COURIER_ALLOWED_PRIVATE": settings.allowed_private,
        "CHENU_COURIER_TIMEOUT_SECONDS": "60",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.courier"),
        cwd=Path(__file__).parents[3],
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
    )
    yield process, address
    if process.returncode is None:
        process.kill()
    await process.wait()


async def test_a_service_that_is_killed_while_it_sends_leaves_an_unknown_end_and_no_second_message(
    client: CourierClient,
    person: Person,
    as_human: Metadata,
    receiver: Receiver,
    superuser: asyncpg.Connection,
    doomed: tuple[asyncio.subprocess.Process, str],
) -> None:
    process, address = doomed
    made = await client.register(person, receiver.url("/hang"), idempotent=True)
    action, decision = client.action(person, made.endpoint), str(uuid4())
    eager = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 100)]
    async with grpc.aio.insecure_channel(address, options=eager) as channel:
        await channel.channel_ready()
        other = CourierClient(channel, client.identity, client.governance)
        sending = asyncio.create_task(
            other.execute(person, action, client.governance.permit(action, decision=decision))
        )
        await receiver.wait_for(decision)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        with pytest.raises(grpc.aio.AioRpcError):
            await sending

    await refused(
        client.execute(person, action, client.governance.permit(action, decision=decision)),
        grpc.StatusCode.UNAVAILABLE,
        "UNAVAILABLE",
    )
    await let_time_pass(superuser, decision)
    outcome = await client.governance.outcome(decision)
    assert (outcome.state, outcome.reason) == (
        ExecutionState.EXECUTION_STATE_UNKNOWN,
        "OVERDUE",
    )
    delivery = await client.delivery(person, decision)
    assert delivery.state == DeliveryState.DELIVERY_STATE_UNKNOWN
    await refused(
        client.execute(person, action, client.governance.permit(action, decision=decision)),
        PRECONDITION,
        "OUTCOME_UNKNOWN",
    )
    assert len(receiver.received[decision]) == 1
    settled = await client.deliveries.ReconcileDelivery(
        ReconcileDeliveryRequest(
            delivery_id=delivery.delivery_id, state=DeliveryState.DELIVERY_STATE_SUCCEEDED
        ),
        metadata=as_human,
    )
    assert settled.delivery.reconciled


async def let_time_pass(superuser: asyncpg.Connection, decision: str) -> None:
    """Until the execution is overdue."""
    await superuser.execute(
        "UPDATE courier.executions SET deadline = clock_timestamp() - interval '1 second'"
        " WHERE decision_id = $1 AND state = 'RUNNING'",
        decision,
    )


async def test_an_end_that_comes_after_it_was_given_up_is_recorded_after_all(
    client: CourierClient, person: Person, receiver: Receiver, superuser: asyncpg.Connection
) -> None:
    made = await client.register(person, receiver.url("/late/200"))
    action, decision = client.action(person, made.endpoint), str(uuid4())
    permit = client.governance.permit(action, decision=decision)
    sending = asyncio.create_task(client.execute(person, action, permit))
    await receiver.wait_for(decision)
    await let_time_pass(superuser, decision)
    await client.governance.outcome(decision, state=ExecutionState.EXECUTION_STATE_UNKNOWN)

    receiver.let_go()
    await sending

    known = await client.governance.outcome(
        decision, state=ExecutionState.EXECUTION_STATE_SUCCEEDED
    )
    assert known.reason == "OK"
    delivery = await client.delivery(person, decision)
    assert delivery.state == DeliveryState.DELIVERY_STATE_SUCCEEDED


EVENTS = """
    SELECT count(*) FROM courier.outbox
    WHERE convert_from(event, 'UTF8')::jsonb #>> '{data,details,decision}' = $1"""


async def test_sweepers_that_meet_give_each_delivery_up_once(
    client: CourierClient,
    person: Person,
    receiver: Receiver,
    superuser: asyncpg.Connection,
    urls: DatabaseUrls,
) -> None:
    made = await client.register(person, receiver.url("/late/200"))
    action, decision = client.action(person, made.endpoint), str(uuid4())
    permit = client.governance.permit(action, decision=decision)
    sending = asyncio.create_task(client.execute(person, action, permit))
    await receiver.wait_for(decision)
    await let_time_pass(superuser, decision)
    worker = await Database.connect(urls.worker, schema="courier", pool_size=4)
    sweepers = [Sweeper(worker, Executions("courier"), 1, lambda: None) for _ in range(4)]

    with background("courier.sweeper"):
        await asyncio.gather(*(sweeper.sweep() for sweeper in sweepers))

    async def told() -> int:
        found: int = await superuser.fetchval(EVENTS, decision)
        return found

    async def given_up() -> bool:
        return await told() > 1

    # The service's own sweeper may have met them, and be about to commit.
    await soon(given_up, "the delivery was given up")
    assert await told() == 2  # started, unknown
    receiver.let_go()
    await sending
    await worker.close()
