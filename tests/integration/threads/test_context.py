import asyncio
from typing import Any
from uuid import uuid4

import grpc
import pytest

from chenu.threads.v1.message_service_pb2 import CreateMessageRequest
from chenu.threads.v1.thread_service_pb2 import GetContextRequest, GetContextResponse
from kernel.database import Database
from kernel.errors import Forbidden
from services.threads.context import Contexts
from tests.integration.threads.test_database_guards import caller_of
from tests.support.identity import Metadata, Person
from tests.support.refusals import refused
from tests.support.threads import ThreadsClient


async def context(client: ThreadsClient, person: Person, **fields: Any) -> GetContextResponse:
    answer: GetContextResponse = await client.threads.GetContext(
        GetContextRequest(**fields), metadata=client.identity.as_nova(person)
    )
    return answer


async def found_titles(client: ThreadsClient, person: Person, *references: str) -> list[str]:
    answer = await context(client, person, references=references)
    return [thread.title for thread in answer.candidates]


async def test_the_context_of_a_thread_holds_its_latest_messages_oldest_first(
    client: ThreadsClient, person: Person, as_human: Metadata
) -> None:
    thread = await client.found(person)
    for n in range(32):
        await client.messages.CreateMessage(
            CreateMessageRequest(thread_id=thread.thread_id, content=f"message {n}"),
            metadata=as_human,
        )
    current = await client.get(person, thread.thread_id)
    await client.execute(person, client.action(person, "thread.append", current, content="answer"))

    answer = await context(client, person, thread_id=thread.thread_id)

    assert answer.thread.thread_id == thread.thread_id
    assert len(answer.messages) == 30
    assert [(m.role, m.content) for m in answer.messages[-2:]] == [
        ("user", "message 31"),
        ("assistant", "answer"),
    ]
    assert not answer.candidates


async def test_a_reference_matches_an_id_or_a_whole_title_whatever_its_case_and_accents(
    client: ThreadsClient, person: Person
) -> None:
    thread = await client.found(person, "Réunion  du Budget")
    await client.found(person, "Réunion du Budget, suite")

    for reference in (
        "Réunion du Budget",
        "reunion du budget",
        "  RÉUNION DU BUDGET ",
        thread.thread_id,
        thread.thread_id.upper(),
    ):
        assert await found_titles(client, person, reference) == ["Réunion  du Budget"], reference


async def test_a_reference_that_is_no_title_matches_every_title_that_holds_it(
    client: ThreadsClient, person: Person
) -> None:
    for title in ("Budget 2026", "budget 2027", "Holidays"):
        await client.found(person, title)

    assert await found_titles(client, person, "BUDGET") == ["budget 2027", "Budget 2026"]
    assert await found_titles(client, person, "nothing like it") == []
    assert await found_titles(client, person, "%", "_") == []


async def test_each_reference_is_matched_by_itself_and_no_thread_comes_twice(
    client: ThreadsClient, person: Person
) -> None:
    first = await client.found(person, "Alpha")
    for title in ("Beta one", "Beta two"):
        await client.found(person, title)

    titles = await found_titles(client, person, "alpha", first.thread_id, "beta", "Beta one")

    assert sorted(titles) == ["Alpha", "Beta one", "Beta two"]


async def test_recent_threads_are_added_by_time(client: ThreadsClient, person: Person) -> None:
    for title in ("one", "two", "three"):
        await client.found(person, title)

    answer = await context(client, person, recent=2)

    assert [thread.title for thread in answer.candidates] == ["three", "two"]


async def test_nobody_elses_thread_is_a_candidate(client: ThreadsClient, person: Person) -> None:
    theirs = await client.found(Person(tenant=person.tenant), "Same words")

    assert await found_titles(client, person, "same words", theirs.thread_id) == []
    assert not (await context(client, person, recent=50)).candidates


async def test_contexts_that_are_read_together_are_each_of_their_own_identity(
    client: ThreadsClient, database: Database
) -> None:
    people = [Person() for _ in range(8)]
    threads = [await client.found(person, "Same words") for person in people]
    contexts = Contexts(database)

    answers = await asyncio.gather(
        *(
            contexts.read(caller_of(person), thread.thread_id, ["same words"], 1)
            for person, thread in zip(people, threads, strict=True)
        ),
        contexts.read(caller_of(Person()), threads[0].thread_id, [], 0),
        return_exceptions=True,
    )

    assert isinstance(answers.pop(), Forbidden)
    for thread, answer in zip(threads, answers, strict=True):
        assert not isinstance(answer, BaseException)
        ids = [answer["thread"]["thread_id"], *(c["thread_id"] for c in answer["candidates"])]
        assert ids == [thread.thread_id] * 2


async def test_a_context_of_a_foreign_thread_is_refused(
    client: ThreadsClient, person: Person
) -> None:
    thread = await client.found(Person())

    await refused(
        context(client, person, thread_id=thread.thread_id),
        grpc.StatusCode.PERMISSION_DENIED,
        "FORBIDDEN",
    )


async def test_only_nova_asks_for_a_context(client: ThreadsClient, person: Person) -> None:
    for metadata in (
        client.identity.as_human(person),
        client.identity.as_agent(person, str(uuid4())),
        client.identity.as_service("nova"),
    ):
        await refused(
            client.threads.GetContext(GetContextRequest(), metadata=metadata),
            grpc.StatusCode.PERMISSION_DENIED,
            "CALLER_NOT_ALLOWED",
        )


@pytest.mark.parametrize(
    "fields", [{"recent": 51}, {"references": ["x"] * 21}, {"references": [""]}, {"recent": -1}]
)
async def test_a_context_has_limits(
    client: ThreadsClient, person: Person, fields: dict[str, Any]
) -> None:
    await refused(
        context(client, person, **fields), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"
    )
