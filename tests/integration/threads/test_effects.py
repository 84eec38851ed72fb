import asyncio
from dataclasses import replace
from uuid import uuid4

import asyncpg
import grpc
import pytest

from chenu.governance.v1.executor_service_pb2 import ListToolsRequest
from chenu.threads.v1 import message_service_pb2, thread_service_pb2
from chenu.threads.v1.message_pb2 import MessageRole
from chenu.threads.v1.thread_event_service_pb2 import ListThreadEventsRequest
from chenu.threads.v1.thread_pb2 import Sphere, Thread, ThreadStatus
from chenu_gate.action import Action
from chenu_gate.tools import Tool
from services.threads.tools import TOOLS
from tests.support.identity import Metadata, Person
from tests.support.refusals import refused
from tests.support.threads import TOOL_CALLS, ThreadsClient, planned, result

INVALID = grpc.StatusCode.INVALID_ARGUMENT
DENIED = grpc.StatusCode.PERMISSION_DENIED
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


async def exported(client: ThreadsClient, person: Person, thread: Thread) -> Action:
    return client.action(person, "thread.export", await client.get(person, thread.thread_id))


async def test_an_export_is_the_thread_with_its_messages_as_long_as_it_is_the_same(
    client: ThreadsClient, person: Person, as_human: Metadata
) -> None:
    thread = await rename(client, as_human, await client.found(person, "Taxes"))
    action = await exported(client, person, thread)
    permit = client.governance.permit(action)

    first, again = [await client.execute(person, action, permit) for _ in range(2)]

    document = result(first)["document"]
    assert (document["title"], document["thread_id"]) == ("Taxes", thread.thread_id)
    assert document["founding_intent"] == thread.founding_intent
    assert [(one["role"], one["content"]) for one in document["messages"]] == [("user", "wait")]
    assert (again.repeated_answer, again.result) == (True, first.result)
    await rename(client, as_human, thread)
    late = result(await client.execute(person, action, permit))
    assert (late["exported"], late["document"]) == (1, None)


async def test_what_is_too_large_for_one_document_is_not_exported_and_the_decision_is_kept(
    client: ThreadsClient, person: Person, as_human: Metadata
) -> None:
    thread = await client.found(person)
    for _ in range(4):
        await client.messages.CreateMessage(
            message_service_pb2.CreateMessageRequest(
                thread_id=thread.thread_id, content="x" * 20_000
            ),
            metadata=as_human,
        )
    action = await exported(client, person, thread)

    for _ in range(2):
        info = await refused(client.execute(person, action), INVALID, "ACTION_INVALID")
        assert info.metadata["cause"] == "thread"


async def rename(client: ThreadsClient, as_human: Metadata, thread: Thread) -> Thread:
    """The person changes the thread while an approval is pending."""
    await client.messages.CreateMessage(
        message_service_pb2.CreateMessageRequest(thread_id=thread.thread_id, content="wait"),
        metadata=as_human,
    )
    return thread


async def test_a_created_thread_is_the_persons_in_the_sphere_that_was_permitted(
    client: ThreadsClient, person: Person
) -> None:
    action = client.action(
        person,
        "thread.create",
        title="Q3",
        founding_intent="Plan the quarter",
        sphere="business",
        tags=["plan"],
    )

    made = result(await client.execute(person, action))

    thread = await client.get(person, made["thread_id"])
    assert (thread.title, thread.founding_intent) == ("Q3", "Plan the quarter")
    assert thread.sphere == Sphere.SPHERE_BUSINESS
    assert thread.owner_identity_id == person.identity
    assert list(thread.tags) == ["plan"]
    assert made == {
        "thread_id": thread.thread_id,
        "etag": thread.etag,
        "sphere": "business",
        "status": "active",
    }


async def test_an_appended_message_is_novas_or_the_agents(
    client: ThreadsClient, person: Person, as_human: Metadata
) -> None:
    thread, agent = await client.found(person), str(uuid4())
    await client.execute(person, client.action(person, "thread.append", thread, content="Nova's"))
    await client.execute(
        person, client.action(person, "thread.append", thread, content="an agent's", agent=agent)
    )

    page = await client.messages.ListMessages(
        message_service_pb2.ListMessagesRequest(thread_id=thread.thread_id), metadata=as_human
    )

    assert [(m.role, m.content) for m in page.messages] == [
        (MessageRole.MESSAGE_ROLE_ASSISTANT, "Nova's"),
        (MessageRole.MESSAGE_ROLE_AGENT, "an agent's"),
    ]


async def test_an_archived_thread_is_archived(client: ThreadsClient, person: Person) -> None:
    thread = await client.found(person)

    await client.execute(person, client.action(person, "thread.archive", thread))

    after = await client.get(person, thread.thread_id)
    assert after.status == ThreadStatus.THREAD_STATUS_ARCHIVED


async def test_a_deleted_thread_can_no_longer_be_read_and_its_history_stays(
    client: ThreadsClient, person: Person, as_human: Metadata, superuser: asyncpg.Connection
) -> None:
    thread = await client.found(person)
    await rename(client, as_human, thread)
    thread = await client.get(person, thread.thread_id)

    answer = await client.execute(person, client.action(person, "thread.delete", thread))

    assert result(answer) == {"thread_id": thread.thread_id, "deleted": True}
    await refused(client.get(person, thread.thread_id), DENIED, "FORBIDDEN")
    await refused(
        client.events.ListThreadEvents(
            ListThreadEventsRequest(thread_id=thread.thread_id), metadata=as_human
        ),
        DENIED,
        "FORBIDDEN",
    )
    kept = await superuser.fetch(
        "SELECT sequence_number FROM threads.thread_events WHERE thread_id = $1"
        " ORDER BY sequence_number",
        thread.thread_id,
    )
    assert [row["sequence_number"] for row in kept] == [1, 2, 3]


async def test_a_transferred_thread_is_in_the_other_sphere_and_told_as_such(
    client: ThreadsClient, person: Person, superuser: asyncpg.Connection
) -> None:
    thread = await client.found(person)
    action = client.action(person, "thread.transfer", thread, sphere="scholar")

    moved = result(await client.execute(person, action))

    after = await client.get(person, thread.thread_id)
    assert after.sphere == Sphere.SPHERE_SCHOLAR
    assert (moved["from_sphere"], moved["sphere"]) == ("personal", "scholar")
    event = await superuser.fetchval(
        "SELECT convert_from(event, 'UTF8')::jsonb -> 'data' FROM threads.outbox"
        " WHERE stream = $1 AND version = 2",
        f"thread/{thread.thread_id}",
    )
    assert event["action"] == "AUDIT_ACTION_CROSS_SPHERE_TRANSFER"
    assert event["details"]["from_sphere"] == "personal"
    assert event["details"]["to_sphere"] == "scholar"


async def test_a_search_tells_what_it_finds_by_time_with_a_snippet(
    client: ThreadsClient, person: Person
) -> None:
    for title in ("Trip to Québec", "Nothing", "quebec again and again quebec quebec"):
        await client.found(person, title)
    said = await client.found(person, "Letters", sphere=Sphere.SPHERE_SOCIAL)
    long = "x" * 200 + " from QUÉBEC with love " + "y" * 200
    await client.execute(person, client.action(person, "thread.append", said, content=long))
    await client.found(Person(tenant=person.tenant), "Somebody else's Québec")

    everywhere = replace(client.action(person, "thread.search", query="québec"), target_sphere="")
    answer = result(await client.execute(person, everywhere))

    assert answer["found"] == 3
    assert [found["title"] for found in answer["threads"]] == [
        "Letters",
        "quebec again and again quebec quebec",
        "Trip to Québec",
    ]
    assert "from QUÉBEC with love" in answer["threads"][0]["snippet"]
    assert answer["threads"][0]["snippet"].startswith("…")
    only = client.action(person, "thread.search", query="québec", limit=1)
    assert result(await client.execute(person, only))["found"] == 1
    # In the sphere that governance was told of, and in no other.
    for sphere, found in (("personal", 2), ("social", 1), ("business", 0)):
        here = client.action(person, "thread.search", query="québec")
        answer = result(await client.execute(person, replace(here, target_sphere=sphere)))
        assert answer["found"] == found, sphere


@pytest.mark.parametrize("tool", ["thread.append", "thread.archive"])
async def test_nothing_is_done_to_an_archived_thread(
    client: ThreadsClient, person: Person, as_human: Metadata, tool: str
) -> None:
    thread, _ = await planned(client, person, tool)
    await client.threads.ArchiveThread(
        thread_service_pb2.ArchiveThreadRequest(thread_id=thread.thread_id), metadata=as_human
    )
    archived = await client.get(person, thread.thread_id)
    action = client.action(person, tool, archived, **TOOL_CALLS[tool])

    await refused(client.execute(person, action), PRECONDITION, "THREAD_ARCHIVED")


@pytest.mark.parametrize("tool", sorted(set(TOOL_CALLS) - {"thread.create", "thread.search"}))
async def test_foreign_and_missing_threads_are_the_same_answer(
    client: ThreadsClient, person: Person, tool: str
) -> None:
    foreign = await client.found(Person(tenant=person.tenant))
    missing = Thread(thread_id=str(uuid4()), sphere=Sphere.SPHERE_PERSONAL, etag="v1")

    for thread in (foreign, missing):
        action = client.action(person, tool, thread, **TOOL_CALLS[tool])
        await refused(client.execute(person, action), DENIED, "FORBIDDEN")


@pytest.mark.parametrize("tool", ["thread.append", "thread.delete"])
async def test_a_thread_that_is_named_by_its_title_is_not_acted_on(
    client: ThreadsClient, person: Person, tool: str
) -> None:
    _, action = await planned(client, person, tool)
    named = replace(
        action,
        arguments={**action.arguments, "thread": "T"},
        targets=(replace(action.targets[0], id="T"),),
    )

    await refused(client.execute(person, named), INVALID, "ARGUMENTS_INVALID")


async def test_many_actions_of_many_people_at_once_each_end_with_their_own(
    client: ThreadsClient,
) -> None:
    people = [Person() for _ in range(12)]

    async def act(person: Person) -> None:
        founded = [
            result(
                await client.execute(
                    person,
                    client.action(
                        person, "thread.create", title=person.identity, founding_intent="I"
                    ),
                )
            )["thread_id"]
            for _ in range(3)
        ]
        for thread_id in founded:
            thread = await client.get(person, thread_id)
            action = client.action(person, "thread.append", thread, content=person.identity)
            await client.execute(person, action)

    strangers = [Person() for _ in range(6)]
    theirs = await client.found(people[0])

    async def trespass(person: Person) -> None:
        action = client.action(person, "thread.append", theirs, content="trespass")
        await refused(client.execute(person, action), DENIED, "FORBIDDEN")

    await asyncio.gather(*map(act, people), *map(trespass, strangers))

    for person in people:
        listed = await client.threads.ListThreads(
            thread_service_pb2.ListThreadsRequest(), metadata=client.identity.as_human(person)
        )
        mine = [thread for thread in listed.threads if thread.thread_id != theirs.thread_id]
        assert [(t.title, t.event_count) for t in mine] == [(person.identity, 2)] * 3
    assert (await client.get(people[0], theirs.thread_id)).event_count == 1


async def test_the_tools_are_published_as_they_are_checked(client: ThreadsClient) -> None:
    answer = await client.executor.ListTools(
        ListToolsRequest(), metadata=client.identity.as_service("nova")
    )

    assert tuple(Tool.from_definition(tool) for tool in answer.tools) == TOOLS
    assert {tool.name for tool in answer.tools} == TOOL_CALLS.keys() | {"thread.unshare"}
