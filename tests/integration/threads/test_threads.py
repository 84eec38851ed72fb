from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chenu.threads.v1 import thread_service_pb2 as rpc
from chenu.threads.v1.thread_pb2 import (
    Sphere,
    Thread,
    ThreadKind,
    ThreadOwnership,
    ThreadStatus,
    ThreadVisibility,
)
from tests.support.identity import Metadata, Person
from tests.support.refusals import refused
from tests.support.threads import ThreadsClient

INVALID = grpc.StatusCode.INVALID_ARGUMENT
ABORTED = grpc.StatusCode.ABORTED
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


async def test_a_thread_is_founded_with_what_was_said_of_it(
    client: ThreadsClient, person: Person
) -> None:
    before = datetime.now(UTC)
    made = await client.found(
        person,
        "Réunion",
        founding_intent="Décider du budget",
        description="pour 2027",
        sphere=Sphere.SPHERE_BUSINESS,
        kind=ThreadKind.THREAD_KIND_DECISION,
        ownership=ThreadOwnership.THREAD_OWNERSHIP_COLLECTIVE,
        visibility=ThreadVisibility.THREAD_VISIBILITY_SEMI_PRIVATE,
        tags=["budget", "2027"],
    )

    assert before <= made.create_time.ToDatetime(UTC) <= datetime.now(UTC)
    assert made == await client.get(person, made.thread_id)
    made.ClearField("create_time")
    made.ClearField("update_time")
    assert made == Thread(
        thread_id=made.thread_id,
        title="Réunion",
        founding_intent="Décider du budget",
        description="pour 2027",
        sphere=Sphere.SPHERE_BUSINESS,
        kind=ThreadKind.THREAD_KIND_DECISION,
        ownership=ThreadOwnership.THREAD_OWNERSHIP_COLLECTIVE,
        visibility=ThreadVisibility.THREAD_VISIBILITY_SEMI_PRIVATE,
        status=ThreadStatus.THREAD_STATUS_ACTIVE,
        tags=["budget", "2027"],
        owner_identity_id=person.identity,
        event_count=1,
        etag="v1",
    )


async def test_a_thread_of_which_nothing_is_said_is_a_private_personal_conversation(
    client: ThreadsClient, person: Person
) -> None:
    made = await client.found(person)

    assert (made.sphere, made.kind, made.ownership, made.visibility) == (
        Sphere.SPHERE_PERSONAL,
        ThreadKind.THREAD_KIND_CONVERSATION,
        ThreadOwnership.THREAD_OWNERSHIP_PERSONAL,
        ThreadVisibility.THREAD_VISIBILITY_PRIVATE,
    )


async def test_the_same_request_id_returns_the_present_state_of_what_it_made(
    client: ThreadsClient, person: Person, as_human: Metadata
) -> None:
    request_id = str(uuid4())
    first = await client.found(person, "Once", request_id=request_id)
    await client.threads.ResolveThread(
        rpc.ResolveThreadRequest(thread_id=first.thread_id), metadata=as_human
    )

    again = await client.found(person, "Once", request_id=request_id)

    assert again.thread_id == first.thread_id
    assert again.status == ThreadStatus.THREAD_STATUS_RESOLVED


async def test_the_same_request_id_with_another_body_is_refused(
    client: ThreadsClient, person: Person
) -> None:
    request_id = str(uuid4())
    await client.found(person, "Once", request_id=request_id)

    await refused(
        client.found(person, "Twice", request_id=request_id), INVALID, "REQUEST_ID_REUSED"
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"title": ""},
        {"title": "x" * 501},
        {"founding_intent": ""},
        {"founding_intent": "x" * 10_001},
        {"tags": [""]},
        {"tags": ["x"] * 51},
        {"sphere": 77},
        {"request_id": "no uuid"},
    ],
)
async def test_a_request_that_breaks_the_contract_is_refused(
    client: ThreadsClient, person: Person, fields: dict[str, Any]
) -> None:
    await refused(client.found(person, **{"title": "T", **fields}), INVALID, "INVALID_REQUEST")


async def test_a_text_that_no_database_holds_is_refused(
    client: ThreadsClient, person: Person
) -> None:
    await refused(client.found(person, "a\0b"), INVALID, "INVALID_REQUEST")


async def titles(client: ThreadsClient, metadata: Metadata, **fields: Any) -> list[str]:
    answer = await client.threads.ListThreads(rpc.ListThreadsRequest(**fields), metadata=metadata)
    return [thread.title for thread in answer.threads]


async def test_threads_are_listed_by_time_the_latest_change_first(
    client: ThreadsClient, person: Person, as_human: Metadata
) -> None:
    first = await client.found(person, "first")
    await client.found(person, "second")
    await client.found(person, "third")
    await client.threads.UpdateThread(
        rpc.UpdateThreadRequest(
            thread_id=first.thread_id,
            thread=Thread(title="first, changed"),
            update_mask=FieldMask(paths=["title"]),
            etag=first.etag,
        ),
        metadata=as_human,
    )

    assert await titles(client, as_human) == ["first, changed", "third", "second"]


async def test_threads_are_filtered_by_sphere_status_and_title(
    client: ThreadsClient, person: Person, as_human: Metadata
) -> None:
    await client.found(person, "Été à Québec", sphere=Sphere.SPHERE_SOCIAL)
    archived = await client.found(person, "Old quebec plans")
    await client.threads.ArchiveThread(
        rpc.ArchiveThreadRequest(thread_id=archived.thread_id), metadata=as_human
    )

    assert await titles(client, as_human) == ["Été à Québec"]
    assert await titles(client, as_human, sphere=Sphere.SPHERE_SOCIAL) == ["Été à Québec"]
    assert await titles(client, as_human, sphere=Sphere.SPHERE_SCHOLAR) == []
    assert await titles(client, as_human, status=ThreadStatus.THREAD_STATUS_ARCHIVED) == [
        "Old quebec plans"
    ]
    assert await titles(client, as_human, title_contains="QUEBEC") == ["Été à Québec"]
    assert await titles(client, as_human, title_contains="ete a") == ["Été à Québec"]
    assert await titles(client, as_human, title_contains="%") == []


async def test_pages_hold_every_thread_once(
    client: ThreadsClient, person: Person, as_human: Metadata
) -> None:
    wanted = [f"thread {n}" for n in range(7)]
    for title in wanted:
        await client.found(person, title)

    seen, token = [], ""
    while True:
        page = await client.threads.ListThreads(
            rpc.ListThreadsRequest(page_size=3, page_token=token, include_total=True),
            metadata=as_human,
        )
        seen += [thread.title for thread in page.threads]
        token = page.next_page_token
        assert page.total_size == 7
        if not token:
            break

    assert seen == wanted[::-1]


async def test_a_page_token_is_good_only_for_the_list_it_came_from(
    client: ThreadsClient, person: Person, as_human: Metadata
) -> None:
    for n in range(3):
        await client.found(person, f"thread {n}")
    page = await client.threads.ListThreads(rpc.ListThreadsRequest(page_size=1), metadata=as_human)
    token = page.next_page_token
    forged = ("A" if token[0] != "A" else "B") + token[1:]

    for fields in (
        {"page_token": forged},
        {"page_token": "nonsense"},
        {"page_token": token, "sphere": Sphere.SPHERE_SOCIAL},
    ):
        await refused(
            client.threads.ListThreads(rpc.ListThreadsRequest(**fields), metadata=as_human),
            INVALID,
            "INVALID_PAGE_TOKEN",
        )


async def test_a_page_token_of_another_person_shows_nothing_of_theirs(
    client: ThreadsClient, person: Person, as_human: Metadata
) -> None:
    other = Person()
    for n in range(2):
        await client.found(other, f"theirs {n}")
    theirs = await client.threads.ListThreads(
        rpc.ListThreadsRequest(page_size=1), metadata=client.identity.as_human(other)
    )

    assert await titles(client, as_human, page_token=theirs.next_page_token) == []


async def test_a_page_size_is_bounded(client: ThreadsClient, as_human: Metadata) -> None:
    assert await titles(client, as_human, page_size=2_000_000_000) == []
    await refused(
        client.threads.ListThreads(rpc.ListThreadsRequest(page_size=-1), metadata=as_human),
        INVALID,
        "INVALID_REQUEST",
    )
