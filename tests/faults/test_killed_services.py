"""kill -9 of each service in the middle of a run: it goes on, and nothing is done twice."""

import pytest

from chenu.nova.v1.run_pb2 import RunState
from chenu.threads.v1.thread_event_pb2 import ThreadEventType
from tests.faults.forked import SERVICES
from tests.faults.proof import no_lane_ran_twice, recorded, scripted, succeeded, the_log_verifies
from tests.faults.stage import Stage
from tests.support.fleet import Client
from tests.support.waiting import soon

CREATED = ThreadEventType.THREAD_EVENT_TYPE_THREAD_CREATED
COMPLETED = ThreadEventType.THREAD_EVENT_TYPE_ACTION_COMPLETED
WITHIN_A_ROUND = 1000


def create(title: str) -> tuple[str, dict[str, str]]:
    return "thread_create", {"title": title, "founding_intent": "to outlive a crash"}


async def two_rounds(stage: Stage) -> tuple[Client, str]:
    """Somebody's run that has done its first round and waits for the model in its second."""
    for milliseconds in (WITHIN_A_ROUND, 5 * WITHIN_A_ROUND, 15 * WITHIN_A_ROUND):
        me = await stage.register()
        text = scripted([create("First")], [create("Second")], slow=milliseconds)
        run = await me.begin(text, thread_id=await me.new_thread("Home"))

        async def first(me: Client = me) -> bool:
            return "First" in await me.titles()

        await soon(first, "the first round is done")
        if (await me.run(run.run_id)).state == RunState.RUN_STATE_RUNNING:
            return me, run.run_id
    raise AssertionError("each run had ended when its first round was seen")


async def nothing_was_lost_or_done_twice(stage: Stage, me: Client, run_id: str) -> None:
    run = await succeeded(me, run_id)
    assert sorted(await me.titles()) == ["First", "Home", "Second"]
    told = await me.history(run.thread_id)
    assert [event.type for event in told] == [CREATED, COMPLETED, COMPLETED]
    assert [(action.round, action.index) for action in run.actions] == [(1, 0), (2, 0)]
    await no_lane_ran_twice(me, run_id)
    types = await recorded(me, f"run/{run_id}", "run.ended")
    assert types[0] == "nova.run.accepted"
    assert types[-1] == "nova.run.ended"
    assert set(types[1:-1]) <= {"nova.run.resumed"}
    await the_log_verifies(stage, me)


@pytest.mark.parametrize("service", SERVICES)
async def test_row_26_a_run_goes_on_after_a_sudden_death_and_repeats_nothing(
    stage: Stage, service: str
) -> None:
    me, run_id = await two_rounds(stage)
    await stage.kill(service)
    await stage.start(service)
    await nothing_was_lost_or_done_twice(stage, me, run_id)


async def test_a_run_outlives_nova_before_it_has_done_anything(stage: Stage, me: Client) -> None:
    text = scripted([create("First")], [create("Second")], slow=WITHIN_A_ROUND)
    run = await me.begin(text, thread_id=await me.new_thread("Home"))
    await stage.restart("nova")
    await nothing_was_lost_or_done_twice(stage, me, run.run_id)
    assert "nova.run.resumed" in await recorded(me, f"run/{run.run_id}", "run.ended")
