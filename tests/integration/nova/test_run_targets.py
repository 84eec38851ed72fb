"""An action whose target is not exactly one thing is never planned."""

import json

import pytest

from chenu.nova.v1.run_pb2 import RunState
from tests.support.fleet import Client


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
