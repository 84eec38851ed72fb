"""Law 5: nothing passes from one sphere into another by itself, not even what is found there."""

import json
from dataclasses import replace
from typing import Any

import pytest

from chenu.governance.v1.checkpoint_pb2 import CheckpointType
from chenu.nova.v1.run_pb2 import Run
from chenu.threads.v1.thread_pb2 import Sphere
from chenu.threads.v1.thread_service_pb2 import ListThreadsRequest
from tests.laws.hands import Hands, use
from tests.laws.stories import blocked, reason
from tests.support.fleet import Client

PERSONAL = Sphere.SPHERE_PERSONAL


def look(**arguments: Any) -> str:
    tools = [{"name": "thread_search", "input": {"query": "Ledger", **arguments}}]
    return f"Look\n#simulate: {json.dumps([{'tools': tools}, {'text': 'I have looked.'}])}"


def found(run: Run) -> int:
    return int(json.loads(run.actions[0].result)["found"])


@pytest.fixture
async def owner(me: Client) -> Client:
    """Whose ledger is of the business."""
    await me.new_thread("Ledger", sphere=Sphere.SPHERE_BUSINESS)
    return me


async def test_a_request_in_one_sphere_looks_into_no_other_before_a_person_has_agreed(
    owner: Client,
) -> None:
    assert found(await owner.execute(look(), sphere=Sphere.SPHERE_BUSINESS)) == 1
    assert found(await owner.execute(look())) == 1  # it works in no sphere in particular
    assert found(await owner.execute(look(), sphere=PERSONAL)) == 0
    block = await blocked(owner, look(sphere="business"), sphere=PERSONAL)
    (at,) = block.checkpoints
    checkpoint = await owner.checkpoint(at.checkpoint_id)
    assert checkpoint.type == CheckpointType.CHECKPOINT_TYPE_CROSS_SPHERE
    await owner.approve(at.checkpoint_id)
    assert found(await owner.go_on(block.run_id)) == 1


async def test_what_is_asked_in_a_thread_looks_into_no_other_sphere_than_the_threads(
    owner: Client,
) -> None:
    """Its answer is written there, where others may read it."""
    at_home = await owner.new_thread("Kitchen", sphere=PERSONAL)
    at_work = await owner.new_thread("Office", sphere=Sphere.SPHERE_BUSINESS)
    assert found(await owner.execute(look(), thread_id=at_home)) == 0
    assert found(await owner.execute(look(), thread_id=at_work)) == 1
    await blocked(owner, look(sphere="business"), thread_id=at_home)


async def test_what_is_founded_in_a_thread_belongs_where_the_thread_does(owner: Client) -> None:
    at_work = await owner.new_thread("Office", sphere=Sphere.SPHERE_BUSINESS)
    await owner.execute("Create a thread called “Branch”", thread_id=at_work)
    listed = await owner.threads.ListThreads(ListThreadsRequest(), metadata=owner.me)
    spheres = {thread.title: thread.sphere for thread in listed.threads}
    assert spheres["Branch"] == Sphere.SPHERE_BUSINESS


async def test_a_search_reads_the_sphere_that_governance_was_told_of(
    owner: Client, hands: Hands
) -> None:
    action = use(owner, "thread.search", query="Ledger")
    permit = (await hands.ask(owner, action)).permit
    answer = await hands.execute(owner, action, permit)
    assert json.loads(answer.result)["found"] == 0
    there = use(owner, "thread.search", query="Ledger", sphere="business")
    lie = replace(there, target_sphere="personal")
    permit = (await hands.ask(owner, lie)).permit
    refused = await reason(hands.execute(owner, lie, permit))
    assert refused == ("INVALID_ARGUMENT", "ACTION_INVALID")
