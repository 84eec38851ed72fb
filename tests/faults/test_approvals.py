"""A person's answer, given at the worst of times: it counts once, and only while it may."""

import asyncio
import json
import time
from base64 import urlsafe_b64decode

import grpc

from chenu.governance.v1.checkpoint_pb2 import CheckpointState
from chenu.nova.v1.run_pb2 import RunState
from chenu.nova.v1.run_service_pb2 import GetRunRequest
from kernel.errors import reason_of
from tests.faults.proof import (
    blocked,
    ended,
    no_lane_ran_twice,
    recorded,
    succeeded,
    the_log_verifies,
)
from tests.faults.stage import Stage
from tests.support.fleet import Client
from tests.support.refusals import refused
from tests.support.waiting import soon

TEN_HOURS = "36000"
LEEWAY_SECONDS = 5


async def doomed(me: Client) -> tuple[str, str]:
    """A run that waits with the deletion of the person's only thread, and its checkpoint."""
    await me.new_thread("Doomed")
    return await blocked(me, "Delete the thread “Doomed”")


async def deleted_once(stage: Stage, me: Client, run_id: str) -> None:
    run = await succeeded(me, run_id)
    assert await me.titles() == []
    (action,) = run.actions
    thread = json.loads(action.result)["thread_id"]
    types = await recorded(me, f"thread/{thread}", "thread.deleted")
    assert types.count("threads.thread.deleted") == 1
    assert await recorded(me, f"run/{run_id}", "run.ended") == [
        "nova.run.accepted", "nova.run.blocked", "nova.run.resumed", "nova.run.ended",
    ]  # fmt: skip
    await the_log_verifies(stage, me)


async def test_two_clients_approve_at_once_and_one_of_them_did(stage: Stage, me: Client) -> None:
    run_id, checkpoint = await doomed(me)
    answers = await asyncio.gather(
        me.approve(checkpoint), me.approve(checkpoint), return_exceptions=True
    )
    (lost,) = [answer for answer in answers if isinstance(answer, BaseException)]
    assert isinstance(lost, grpc.aio.AioRpcError)
    assert lost.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert reason_of(lost) == "CHECKPOINT_NOT_PENDING"
    await deleted_once(stage, me, run_id)


async def test_an_approval_before_the_run_can_notice_is_not_lost(stage: Stage, me: Client) -> None:
    run_id, checkpoint = await doomed(me)
    stage.freeze("nova")
    try:
        await me.approve(checkpoint)
        assert await me.titles() == ["Doomed"]
    finally:
        stage.thaw("nova")
    await deleted_once(stage, me, run_id)


async def test_row_1_a_pending_decision_survives_the_death_of_nova_and_of_its_delegation(
    stage: Stage, me: Client
) -> None:
    await stage.restart("identity", CHENU_IDENTITY_DELEGATION_SECONDS="3")
    run_id, checkpoint = await doomed(me)
    old = await me.nova()
    await stage.kill("nova")
    await me.approve(checkpoint)
    await stage.restart("identity")
    await asyncio.sleep(max(0, expiry(old) + LEEWAY_SECONDS + 1 - time.time()))
    await stage.start("nova")
    get = me.runs.GetRun(GetRunRequest(run_id=run_id), metadata=old)
    await refused(get, grpc.StatusCode.UNAUTHENTICATED, "TOKEN_EXPIRED")
    await deleted_once(stage, Client(stage, me.session), run_id)


async def test_an_approval_while_nova_is_down_for_hours(stage: Stage, me: Client) -> None:
    run_id, checkpoint = await doomed(me)
    await stage.kill("nova")
    await me.approve(checkpoint)
    await stage.kill("governance", "identity")
    await stage.start(
        "governance",
        "identity",
        CHENU_GOVERNANCE_CLOCK_OFFSET_SECONDS=TEN_HOURS,
        CHENU_IDENTITY_CLOCK_OFFSET_SECONDS=TEN_HOURS,
    )
    try:
        await stage.start("nova")
        await deleted_once(stage, me, run_id)
    finally:
        await stage.restart("governance", "identity")


async def heard(me: Client, run_id: str) -> int:
    """How a blocked run stands once it has heard of the decision: it runs, or has ended."""

    async def look() -> int:
        state: int = (await me.run(run_id)).state
        return 0 if state == RunState.RUN_STATE_BLOCKED else state

    return await soon(look, "the run has heard of it")


async def test_a_no_reaches_the_model_though_nova_dies_while_it_is_told(
    stage: Stage, me: Client
) -> None:
    for milliseconds in (1_000, 5_000, 15_000):  # a busy machine may look too late
        title = f"Doomed after {milliseconds}"
        await me.new_thread(title)
        delete = {"name": "thread_delete", "input": {"thread": title}}
        plans = [{"tools": [delete], "finish": True}, {"text": "Then I leave it."}]
        text = f"x\n#simulate: {json.dumps(plans)}\n#simulate-fault: slow:{milliseconds}"
        run_id, checkpoint = await blocked(me, text)
        await me.reject(checkpoint, "not this one")
        if await heard(me, run_id) == RunState.RUN_STATE_RUNNING:
            break
    await stage.restart("nova")

    run = await ended(me, run_id)
    assert (run.state, run.error_message) == (RunState.RUN_STATE_REJECTED, "not this one")
    assert (run.round, run.answer) == (2, "Then I leave it.")
    assert title in await me.titles()
    await no_lane_ran_twice(me, run_id)
    await recorded(me, f"run/{run_id}", "run.ended")


async def test_an_approval_after_the_expiry_is_refused_and_nothing_is_done(
    stage: Stage, me: Client
) -> None:
    run_id, checkpoint = await doomed(me)
    etag = (await me.checkpoint(checkpoint)).etag
    await stage.restart("governance", CHENU_GOVERNANCE_CLOCK_OFFSET_SECONDS=TEN_HOURS)
    try:
        await refused(
            me.approve(checkpoint), grpc.StatusCode.FAILED_PRECONDITION, "CHECKPOINT_EXPIRED"
        )
        run = await ended(me, run_id)
        shown = await me.checkpoint(checkpoint)
    finally:
        await stage.restart("governance")
    assert (run.state, run.error_reason) == (RunState.RUN_STATE_EXPIRED, "CHECKPOINT_EXPIRED")
    assert (shown.state, shown.etag) == (CheckpointState.CHECKPOINT_STATE_EXPIRED, etag)
    assert await me.titles() == ["Doomed"]


def expiry(metadata: tuple[tuple[str, str], ...]) -> float:
    """When the token in a call's metadata ends."""
    payload = dict(metadata)["authorization"].split(".")[1]
    return float(json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"])
