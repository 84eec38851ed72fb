"""What a model may say and no database holds: the run goes on without it, once."""

import json

from tests.faults.proof import scripted, succeeded
from tests.support.fleet import Client


async def test_a_nul_in_the_models_words_is_told_as_the_character_that_stands_for_it(
    me: Client,
) -> None:
    plan = json.dumps({"text": "It is a thr\0ead."})
    begun = await me.begin(f"What is a thread?\n#simulate: {plan}")
    run = await succeeded(me, begun.run_id)
    assert run.answer == "It is a thr\ufffdead."


async def test_a_nul_in_an_argument_is_never_carried_out(me: Client) -> None:
    title = {"title": "Gar\0den", "founding_intent": "to be unwritable"}
    begun = await me.begin(scripted([("thread_create", title)], slow=1))
    run = await succeeded(me, begun.run_id)
    assert not run.actions
    assert await me.titles() == []
