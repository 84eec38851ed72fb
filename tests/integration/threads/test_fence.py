import asyncio
import json
from dataclasses import replace
from uuid import uuid4

import asyncpg
import grpc
import pytest

from chenu.governance.v1.decision_pb2 import ExecutionState
from chenu.threads.v1 import message_service_pb2
from chenu.threads.v1.thread_pb2 import Sphere, Thread, ThreadStatus
from tests.support.identity import Metadata, Person
from tests.support.refusals import refused
from tests.support.threads import TOOL_CALLS, ThreadsClient, counts, planned, result

INVALID = grpc.StatusCode.INVALID_ARGUMENT
DENIED = grpc.StatusCode.PERMISSION_DENIED
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


async def rename(client: ThreadsClient, as_human: Metadata, thread: Thread) -> Thread:
    """The person changes the thread while an approval is pending."""
    await client.messages.CreateMessage(
        message_service_pb2.CreateMessageRequest(thread_id=thread.thread_id, content="wait"),
        metadata=as_human,
    )
    return thread


@pytest.mark.parametrize("tool", TOOL_CALLS)
async def test_a_permit_that_is_replayed_gets_the_first_answer_and_does_nothing(
    client: ThreadsClient, person: Person, superuser: asyncpg.Connection, tool: str
) -> None:
    _, action = await planned(client, person, tool)
    permit = client.governance.permit(action)
    first = await client.execute(person, action, permit)
    before = await counts(superuser, person)

    again = await client.execute(person, action, permit)

    assert (first.repeated_answer, again.repeated_answer) == (False, True)
    assert json.loads(again.result) == json.loads(first.result)
    assert again.decision_id == first.decision_id
    assert await counts(superuser, person) == before


@pytest.mark.parametrize("tool", TOOL_CALLS)
async def test_two_permits_for_one_decision_at_once_do_it_once(
    client: ThreadsClient, person: Person, superuser: asyncpg.Connection, tool: str
) -> None:
    _, action = await planned(client, person, tool)
    decision = str(uuid4())
    before = await counts(superuser, person)

    answers = await asyncio.gather(
        *(
            client.execute(person, action, client.governance.permit(action, decision=decision))
            for _ in range(6)
        )
    )

    assert sorted(answer.repeated_answer for answer in answers) == [False] + [True] * 5
    assert len({answer.result for answer in answers}) == 1
    after = await counts(superuser, person)
    assert after["executions"] == before["executions"] + 1
    assert after["audited"] == before["audited"] + 1


async def test_another_decision_for_the_same_bytes_is_another_decision(
    client: ThreadsClient, person: Person
) -> None:
    action = client.action(person, "thread.create", title="Twice", founding_intent="I")

    first = result(await client.execute(person, action))
    second = result(await client.execute(person, action))

    assert first["thread_id"] != second["thread_id"]


async def test_a_decision_that_was_executed_serves_no_other_action(
    client: ThreadsClient, person: Person
) -> None:
    decision = str(uuid4())
    action = client.action(person, "thread.create", title="One", founding_intent="I")
    await client.execute(person, action, client.governance.permit(action, decision=decision))
    for other in (
        client.action(person, "thread.create", title="Another", founding_intent="I"),
        client.action(person, "thread.search", query="One"),
    ):
        await refused(
            client.execute(person, other, client.governance.permit(other, decision=decision)),
            DENIED,
            "PERMIT_ACTION",
        )


async def test_a_search_that_is_answered_again_tells_nothing_of_what_was_deleted_since(
    client: ThreadsClient, person: Person
) -> None:
    kept, gone, after = [await client.found(person, f"Alike {n}") for n in range(3)]
    search = client.action(person, "thread.search", query="alike")
    permit = client.governance.permit(search)
    first = result(await client.execute(person, search, permit))
    assert [found["thread_id"] for found in first["threads"]] == [
        thread.thread_id for thread in (after, gone, kept)
    ]
    await client.execute(person, client.action(person, "thread.delete", gone))

    again = result(await client.execute(person, search, permit))

    assert again == first | {"threads": [first["threads"][0], first["threads"][2]]}


@pytest.mark.parametrize(
    "tool", ["thread.archive", "thread.delete", "thread.transfer", "thread.export", "thread.share"]
)
async def test_a_thread_that_has_changed_is_left_alone_and_the_decision_is_kept(
    client: ThreadsClient,
    person: Person,
    as_human: Metadata,
    superuser: asyncpg.Connection,
    tool: str,
) -> None:
    thread, action = await planned(client, person, tool)
    permit = client.governance.permit(action)
    await rename(client, as_human, thread)
    before = await counts(superuser, person)

    info = await refused(client.execute(person, action, permit), PRECONDITION, "TARGET_CHANGED")

    assert info.metadata["version"] == "v2"
    assert await counts(superuser, person) == before


async def test_what_the_same_run_did_to_a_thread_is_no_change(
    client: ThreadsClient, person: Person
) -> None:
    thread = await client.found(person)
    first = client.action(person, "thread.append", thread, content="Moving this.")
    second = replace(
        client.action(person, "thread.transfer", thread, sphere="social"), run=first.run
    )
    third = replace(
        client.action(person, "thread.archive", thread), run=first.run, target_sphere="social"
    )

    for action in (first, second, third):
        await client.execute(person, action)

    after = await client.get(person, thread.thread_id)
    assert (after.sphere, after.status) == (
        Sphere.SPHERE_SOCIAL,
        ThreadStatus.THREAD_STATUS_ARCHIVED,
    )


async def test_what_another_run_or_a_person_did_in_between_is_a_change(
    client: ThreadsClient, person: Person, as_human: Metadata
) -> None:
    thread = await client.found(person)
    mine = client.action(person, "thread.append", thread, content="first")
    await client.execute(person, mine)
    await rename(client, as_human, thread)
    await client.execute(person, replace(mine, arguments={**mine.arguments, "content": "again"}))

    delete = replace(client.action(person, "thread.delete", thread), run=mine.run)

    await refused(client.execute(person, delete), PRECONDITION, "TARGET_CHANGED")
    other_run = await client.get(person, thread.thread_id)
    await client.execute(person, client.action(person, "thread.append", thread, content="other"))
    stale = replace(client.action(person, "thread.delete", other_run), run=mine.run)
    await refused(client.execute(person, stale), PRECONDITION, "TARGET_CHANGED")


@pytest.mark.parametrize(
    "tool", ["thread.append", "thread.archive", "thread.delete", "thread.export", "thread.share"]
)
async def test_a_sphere_that_the_thread_is_not_in_is_a_changed_target(
    client: ThreadsClient, person: Person, tool: str
) -> None:
    _, action = await planned(client, person, tool)

    await refused(
        client.execute(person, replace(action, target_sphere="business")),
        PRECONDITION,
        "TARGET_CHANGED",
    )


@pytest.mark.parametrize("tool", sorted(TOOL_CALLS.keys() - {"thread.create", "thread.search"}))
async def test_a_thread_of_another_name_than_the_one_approved_is_left_alone(
    client: ThreadsClient, person: Person, tool: str
) -> None:
    thread, action = await planned(client, person, tool)
    misleading = replace(action.targets[0], name="Something harmless")

    await refused(
        client.execute(person, replace(action, targets=(misleading, *action.targets[1:]))),
        PRECONDITION,
        "TARGET_CHANGED",
    )
    assert await client.get(person, thread.thread_id) == thread
    nameless = replace(action.targets[0], name="")
    assert await client.execute(person, replace(action, targets=(nameless, *action.targets[1:])))


async def test_governance_is_told_what_became_of_its_decisions(
    client: ThreadsClient, person: Person
) -> None:
    for tool in TOOL_CALLS:
        _, action = await planned(client, person, tool)
        answer = await client.execute(person, action)

        outcome = await client.governance.outcome(answer.decision_id)

        assert outcome.state == ExecutionState.EXECUTION_STATE_SUCCEEDED
        assert outcome.action_digest == action.digest
        assert outcome.reason == "OK"


async def test_outcomes_wait_while_governance_is_away(
    client: ThreadsClient, person: Person
) -> None:
    client.governance.away = True
    try:
        _, action = await planned(client, person, "thread.create")
        answer = await client.execute(person, action)
        await asyncio.sleep(0.3)
        assert answer.decision_id not in client.governance.outcomes
    finally:
        client.governance.away = False

    assert await client.governance.outcome(answer.decision_id)
