"""Executors killed while they act, and everything at once: done once, or said to be unknown."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from chenu.courier.v1.delivery_pb2 import DeliveryState
from chenu.courier.v1.delivery_service_pb2 import ListDeliveriesRequest, ReconcileDeliveryRequest
from chenu.courier.v1.endpoint_service_pb2 import CreateEndpointRequest
from chenu.governance.v1.decision_pb2 import ExecutionState
from chenu.nova.v1.run_pb2 import RunState
from deploy.postgres.roles import database_url
from tests.faults.forked import SERVICES
from tests.faults.proof import (
    blocked,
    ended,
    no_lane_ran_twice,
    recorded,
    succeeded,
    the_log_verifies,
)
from tests.faults.stage import Stage
from tests.laws.log import all_logged
from tests.support.fleet import Client
from tests.support.receiver import Receiver
from tests.support.waiting import soon

WAITS_FOR_THE_LOCK = """
    SELECT count(*) FROM pg_stat_activity
    WHERE usename = 'threads_app' AND wait_event_type = 'Lock'"""


@pytest.fixture
async def superuser(stage: Stage) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(database_url(stage.backends.postgres.admin_url))
    yield connection
    await connection.close()


@pytest.mark.parametrize("service", ["threads", "nova"])
async def test_who_is_killed_within_the_effects_own_transaction_does_it_once_afterwards(
    stage: Stage, me: Client, superuser: Any, service: str
) -> None:
    thread_id = await me.new_thread("Held")
    run_id, checkpoint = await blocked(me, "Delete the thread “Held”")
    hold = superuser.transaction()
    await hold.start()  # on the thread's row, so that the executor's transaction must wait
    await superuser.execute(
        "SELECT FROM threads.threads WHERE thread_id = $1 FOR UPDATE", thread_id
    )
    await me.approve(checkpoint)
    other: Any = await asyncpg.connect(database_url(stage.backends.postgres.admin_url))
    await soon(lambda: other.fetchval(WAITS_FOR_THE_LOCK), "the deletion waits in its transaction")
    await stage.kill(service)
    await hold.rollback()
    await other.close()
    await stage.start(service)
    run = await succeeded(me, run_id)
    (action,) = run.actions
    assert action.execution_state == ExecutionState.EXECUTION_STATE_SUCCEEDED
    assert await me.titles() == []
    types = await recorded(me, f"thread/{thread_id}", "thread.deleted")
    assert types.count("threads.thread.deleted") == 1
    await all_logged(superuser)
    await the_log_verifies(stage, me)


async def test_a_message_that_was_being_sent_when_courier_died_is_unknown_and_not_sent_again(
    stage: Stage, me: Client, superuser: Any
) -> None:
    async with Receiver() as outside:
        request = CreateEndpointRequest(name="Hook", url=outside.url("/hang"))
        await me.endpoints.CreateEndpoint(request, metadata=me.me)
        send = {"name": "webhook_send", "input": {"endpoint": "Hook", "payload": {"text": "x"}}}
        plan = json.dumps({"tools": [send], "finish": True})
        run_id, checkpoint = await blocked(me, f"Send it to “Hook”\n#simulate: {plan}")
        await me.approve(checkpoint)

        async def arrived() -> bool:
            return outside.requests > 0

        await soon(arrived, "the message is on its way")
        await stage.kill("courier")
        # Its time runs out: the clock is moved, since the real one would take half a minute.
        late = "UPDATE courier.executions SET deadline = now() WHERE state = 'RUNNING'"
        assert await superuser.execute(late) == "UPDATE 1"
        await stage.start("courier")
        run = await ended(me, run_id)
        assert (run.state, run.outcome_unknown) == (RunState.RUN_STATE_FAILED, True)
        assert outside.requests == 1
        listed = await me.deliveries.ListDeliveries(ListDeliveriesRequest(), metadata=me.me)
        (delivery,) = listed.deliveries
        assert delivery.state == DeliveryState.DELIVERY_STATE_UNKNOWN
        settle = ReconcileDeliveryRequest(
            delivery_id=delivery.delivery_id, state="DELIVERY_STATE_SUCCEEDED"
        )
        settled = await me.deliveries.ReconcileDelivery(settle, metadata=me.me)
        assert settled.delivery.reconciled
        assert outside.requests == 1
    await all_logged(superuser)
    await the_log_verifies(stage, me)


async def test_a_power_cut_loses_nothing_that_was_acknowledged(stage: Stage, me: Client) -> None:
    await me.new_thread("Waiting")
    waiting, checkpoint = await blocked(me, "Delete the thread “Waiting”")
    slow = "Create a thread called “Number {}”\n#simulate-fault: slow:800"
    begun = await asyncio.gather(*(me.begin(slow.format(n)) for n in range(6)))
    await me.approve(checkpoint)
    await stage.kill(*SERVICES)
    stage.backends.postgres.kill()
    stage.backends.nats.kill()
    stage.backends.nats.start()
    stage.backends.postgres.start()
    await stage.start(*SERVICES)
    for run_id in [waiting, *(run.run_id for run in begun)]:
        await succeeded(me, run_id)
    for run in begun:
        await no_lane_ran_twice(me, run.run_id)
    assert sorted(await me.titles()) == [f"Number {n}" for n in range(6)]
    superuser: Any = await asyncpg.connect(database_url(stage.backends.postgres.admin_url))
    await all_logged(superuser)
    await superuser.close()
    await the_log_verifies(stage, me)


async def test_a_worker_that_stood_still_and_lost_its_runs_writes_no_more(
    stage: Stage, me: Client, superuser: Any
) -> None:
    """Another worker has taken the run over by the time the first one wakes up."""
    slow = "Create a thread called “Taken over”\n#simulate-fault: slow:2000"
    run = await me.begin(slow)

    async def runs() -> bool:
        return (await me.run(run.run_id)).state == RunState.RUN_STATE_RUNNING

    await soon(runs, "it runs")
    stage.freeze("nova")
    try:
        await superuser.execute(
            "UPDATE nova.workers SET expire_time = clock_timestamp() - interval '1 second'"
        )
        taken = await superuser.execute(
            "UPDATE nova.runs SET worker_id = gen_random_uuid() WHERE run_id = $1", run.run_id
        )
        assert taken == "UPDATE 1"
    finally:
        stage.thaw("nova")
    # Its own lane goes on to its end, and its write is refused: so the run is adopted, and done.
    await succeeded(me, run.run_id)
    assert await me.titles() == ["Taken over"]
    await no_lane_ran_twice(me, run.run_id)
