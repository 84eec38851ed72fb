"""An action whose target is not exactly one thing is never planned."""

import json
from typing import Any

import pytest

from chenu.courier.v1.endpoint_service_pb2 import CreateEndpointRequest
from chenu.nova.v1.run_pb2 import RunState
from tests.support.fleet import Client
from tests.support.waiting import soon


async def test_an_ambiguous_target_is_never_planned_the_answer_asks(me: Client) -> None:
    await me.new_thread("Budget")
    await me.new_thread("Budget")
    run = await me.execute("Delete the thread “Budget”")
    assert run.state == RunState.RUN_STATE_SUCCEEDED
    assert not run.actions
    assert "Which one do you mean" in run.answer
    assert (await me.titles()).count("Budget") == 2


def archiving(named: str) -> str:
    """A plan that archives a thread, so written that lane A does not read the name in it."""
    plan = {"tools": [{"name": "thread_archive", "input": {"thread": named}}], "finish": True}
    return "#simulate: " + json.dumps(plan).replace("udget", r"\u0075dget")


@pytest.mark.parametrize("named", ["Budget", " “budget” "])
async def test_what_fits_a_thread_in_hand_is_not_it_where_another_is_called_so(
    me: Client, named: str
) -> None:
    in_hand, meant = await me.new_thread("Budget 2024"), await me.new_thread("Budget")
    run = await me.execute(f"Look at the thread “Budget 2024”\n{archiving(named)}")
    (action,) = run.actions
    assert meant in action.arguments
    assert in_hand not in action.arguments


def sending(named: str) -> str:
    """A plan that sends to an endpoint."""
    given = {"endpoint": named, "payload": {"text": "x"}}
    plan = {"tools": [{"name": "webhook_send", "input": given}], "finish": True}
    return f"Send it\n#simulate: {json.dumps(plan)}"


async def planned(me: Client, run_id: str) -> str:
    """The arguments of the one action that a run waits to do."""

    async def look() -> str:
        run = await me.run(run_id)
        return run.actions[0].arguments if run.block.checkpoints else ""

    return await soon(look, "the run is blocked")


async def test_two_threads_called_so_are_asked_about_where_one_is_in_hand(me: Client) -> None:
    in_hand = await me.new_thread("Budget")
    await me.new_thread("Budget")
    run = await me.execute(f"x\n{archiving('Budget')}", thread_id=in_hand)
    assert not run.actions
    assert "Which one do you mean" in run.answer


async def test_an_unknown_target_is_never_planned_the_answer_asks(me: Client) -> None:
    run = await me.execute("Archive the thread “Nowhere at all”")
    assert not run.actions
    assert "Nowhere at all" in run.answer


async def test_an_endpoint_behind_the_first_page_of_many_is_found_and_no_name_is_taken_for_its_only(
    me: Client, superuser: Any
) -> None:
    first = await me.endpoints.CreateEndpoint(
        CreateEndpointRequest(name="HOOK", url="http://127.0.0.1:9/"), metadata=me.me
    )
    await superuser.execute(
        """INSERT INTO courier.endpoints SELECT gen_random_uuid(), tenant, identity, 'Number ' || n,
        url, idempotent, disabled, sealed_secret, version
        FROM courier.endpoints CROSS JOIN generate_series(1, 250) n WHERE identity = $1""",
        me.identity_id,
    )
    last = await me.endpoints.CreateEndpoint(
        CreateEndpointRequest(name="Zoo", url="http://127.0.0.1:9/"), metadata=me.me
    )
    run = await me.begin(sending("zoo"))
    assert last.endpoint.endpoint_id in await planned(me, run.run_id)
    await me.endpoints.CreateEndpoint(
        CreateEndpointRequest(name="hook", url="http://127.0.0.1:9/"), metadata=me.me
    )
    ambiguous = await me.execute(sending("Hook"))
    assert not ambiguous.actions
    assert first.endpoint.endpoint_id in ambiguous.answer
    assert "could be 2 endpoints" in ambiguous.answer
    unclear = await me.execute(sending("Number"))
    assert not unclear.actions
