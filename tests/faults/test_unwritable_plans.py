"""What a model may say and no database holds: the run ends, and is not planned again for ever."""

import json

from chenu.nova.v1.run_pb2 import Lane, RunState
from tests.faults.proof import ended, scripted, succeeded
from tests.support.fleet import Client


async def test_a_nul_in_the_models_words_ends_the_run(me: Client) -> None:
    plan = json.dumps({"text": "It is a thr\0ead."})
    begun = await me.begin(f"What is a thread?\n#simulate: {plan}")
    run = await ended(me, begun.run_id)
    assert (run.state, run.error_reason) == (RunState.RUN_STATE_FAILED, "INTERNAL")
    assert run.error_lane == Lane.LANE_PLAN


async def test_a_nul_in_an_argument_is_never_carried_out(me: Client) -> None:
    title = {"title": "Gar\0den", "founding_intent": "to be unwritable"}
    begun = await me.begin(scripted([("thread_create", title)], slow=1))
    run = await succeeded(me, begun.run_id)
    assert not run.actions
    assert await me.titles() == []
