"""Each lane is told of once a round, however often its run had to wait or to ask again."""

from collections import Counter

import grpc
import pytest

from chenu.nova.v1.run_pb2 import Lane, LaneState, RunState
from chenu.nova.v1.run_service_pb2 import RunEvent, WatchRunRequest
from tests.support.fleet import Client


async def told(me: Client, run_id: str) -> list[RunEvent]:
    """All events of a run that has ended."""
    answers = me.runs.WatchRun(WatchRunRequest(run_id=run_id), metadata=await me.nova())
    return [answer.event async for answer in answers if answer.HasField("event")]


async def two_deletions(me: Client) -> tuple[str, list[str]]:
    """A blocked run, and the two checkpoints that it waits for."""
    await me.new_thread("One")
    await me.new_thread("Two")
    with pytest.raises(grpc.aio.AioRpcError):
        await me.execute("Delete the thread “One” and delete the thread “Two”")
    (first, second) = await me.inbox()
    return first.run_id, [first.checkpoint_id, second.checkpoint_id]


async def test_no_lane_completes_twice_in_a_run_that_was_blocked_twice(me: Client) -> None:
    run_id, (first, second) = await two_deletions(me)
    await me.approve(first)
    with pytest.raises(grpc.aio.AioRpcError):  # it took note, and waits for the other
        await me.go_on(run_id)
    await me.approve(second)
    run = await me.go_on(run_id)
    assert run.state == RunState.RUN_STATE_SUCCEEDED
    assert {result.state for result in run.lanes} == {LaneState.LANE_STATE_COMPLETED}
    lanes = Counter(e.lane for e in await told(me, run_id) if e.type == "lane.complete")
    assert lanes == Counter({result.lane: 1 for result in run.lanes})
    assert lanes[Lane.LANE_GOVERNANCE] == lanes[Lane.LANE_CHECKPOINT] == 1


async def test_a_rejection_is_the_checkpoints_end_and_not_governances(me: Client) -> None:
    run_id, (first, _) = await two_deletions(me)
    await me.reject(first)
    with pytest.raises(grpc.aio.AioRpcError):
        await me.go_on(run_id)
    run, events = await me.run(run_id), await told(me, run_id)
    assert run.error_lane == Lane.LANE_CHECKPOINT
    states = {result.lane: result.state for result in run.lanes if result.round == 1}
    assert states[Lane.LANE_GOVERNANCE] == LaneState.LANE_STATE_COMPLETED
    assert states[Lane.LANE_CHECKPOINT] == LaneState.LANE_STATE_FAILED
    assert [(e.lane, e.summary) for e in events if e.type == "lane.error"] == [
        (Lane.LANE_CHECKPOINT, "refused: CHECKPOINT_REJECTED")
    ]
