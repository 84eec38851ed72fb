from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chenu.threads.v1 import thread_service_pb2 as rpc
from chenu.threads.v1.thread_pb2 import (
    Sphere,
    Thread,
    ThreadStatus,
)
from tests.support.identity import Metadata, Person
from tests.support.refusals import refused
from tests.support.threads import ThreadsClient

INVALID = grpc.StatusCode.INVALID_ARGUMENT
ABORTED = grpc.StatusCode.ABORTED
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


async def test_an_update_changes_the_named_fields_and_no_others(
    client: ThreadsClient, person: Person, as_human: Metadata
) -> None:
    made = await client.found(person, "Before", description="kept", tags=["a"])

    answer = await client.threads.UpdateThread(
        rpc.UpdateThreadRequest(
            thread_id=made.thread_id,
            thread=Thread(title="After", description="ignored", tags=[], founding_intent="no"),
            update_mask=FieldMask(paths=["title", "tags"]),
            etag=made.etag,
        ),
        metadata=as_human,
    )

    assert (answer.thread.title, answer.thread.description) == ("After", "kept")
    assert not answer.thread.tags
    assert answer.thread.founding_intent == made.founding_intent
    assert (answer.thread.etag, answer.thread.event_count) == ("v2", 2)


async def test_an_update_of_what_has_changed_since_is_refused(
    client: ThreadsClient, person: Person, as_human: Metadata
) -> None:
    made = await client.found(person)

    def rename(title: str) -> Any:
        return client.threads.UpdateThread(
            rpc.UpdateThreadRequest(
                thread_id=made.thread_id,
                thread=Thread(title=title),
                update_mask=FieldMask(paths=["title"]),
                etag=made.etag,
            ),
            metadata=as_human,
        )

    await rename("first")
    info = await refused(rename("second"), ABORTED, "ETAG_MISMATCH")

    assert info.metadata["etag"] == "v2"
    assert (await client.get(person, made.thread_id)).title == "first"


async def test_an_update_can_be_repeated_with_its_request_id(
    client: ThreadsClient, person: Person, as_human: Metadata
) -> None:
    made = await client.found(person)
    request = rpc.UpdateThreadRequest(
        thread_id=made.thread_id,
        thread=Thread(title="renamed"),
        update_mask=FieldMask(paths=["title"]),
        etag=made.etag,
        request_id=str(uuid4()),
    )

    first = await client.threads.UpdateThread(request, metadata=as_human)
    again = await client.threads.UpdateThread(request, metadata=as_human)

    assert first == again
    assert again.thread.event_count == 2


@pytest.mark.parametrize(
    ("paths", "thread", "reason"),
    [
        (["founding_intent"], Thread(founding_intent="another"), "FOUNDING_INTENT_IMMUTABLE"),
        (["title", "founding_intent"], Thread(title="x"), "FOUNDING_INTENT_IMMUTABLE"),
        ([], Thread(title="x"), "INVALID_REQUEST"),
        (["sphere"], Thread(sphere=Sphere.SPHERE_SOCIAL), "INVALID_REQUEST"),
        (["status"], Thread(), "INVALID_REQUEST"),
        (["no_such_field"], Thread(), "INVALID_REQUEST"),
        (["title"], Thread(title=""), "INVALID_REQUEST"),
        (["title"], Thread(title="x" * 501), "INVALID_REQUEST"),
        (["description"], Thread(description="x" * 10_001), "INVALID_REQUEST"),
        (["tags"], Thread(tags=["x"] * 51), "INVALID_REQUEST"),
        (["tags"], Thread(tags=[""]), "INVALID_REQUEST"),
        (["kind"], Thread(), "INVALID_REQUEST"),
        (["visibility"], Thread(visibility=99), "INVALID_REQUEST"),  # type: ignore[arg-type]
    ],
)
async def test_an_update_of_what_cannot_be_changed_is_refused(
    client: ThreadsClient,
    person: Person,
    as_human: Metadata,
    paths: list[str],
    thread: Thread,
    reason: str,
) -> None:
    made = await client.found(person)

    await refused(
        client.threads.UpdateThread(
            rpc.UpdateThreadRequest(
                thread_id=made.thread_id,
                thread=thread,
                update_mask=FieldMask(paths=paths),
                etag=made.etag,
            ),
            metadata=as_human,
        ),
        INVALID,
        reason,
    )
    assert await client.get(person, made.thread_id) == made


async def test_a_thread_is_resolved_reopened_archived_and_reopened(
    client: ThreadsClient, person: Person, as_human: Metadata
) -> None:
    made = await client.found(person)
    stub, of = client.threads, {"thread_id": made.thread_id}
    answers: list[Any] = [
        await stub.ResolveThread(rpc.ResolveThreadRequest(**of, etag="v1"), metadata=as_human),
        await stub.ReopenThread(rpc.ReopenThreadRequest(**of, etag="v2"), metadata=as_human),
        await stub.ArchiveThread(rpc.ArchiveThreadRequest(**of, etag="v3"), metadata=as_human),
        await stub.ReopenThread(rpc.ReopenThreadRequest(**of), metadata=as_human),
    ]

    statuses = [ThreadStatus.Name(a.thread.status).removeprefix("THREAD_STATUS_") for a in answers]
    assert statuses == ["RESOLVED", "ACTIVE", "ARCHIVED", "ACTIVE"]


async def test_what_is_so_already_is_left_alone(
    client: ThreadsClient, person: Person, as_human: Metadata
) -> None:
    made = await client.found(person)
    request = rpc.ArchiveThreadRequest(thread_id=made.thread_id)
    first = await client.threads.ArchiveThread(request, metadata=as_human)

    again = await client.threads.ArchiveThread(request, metadata=as_human)

    assert again == first


async def test_a_stale_etag_stops_a_change_of_status(
    client: ThreadsClient, person: Person, as_human: Metadata
) -> None:
    made = await client.found(person)

    for call in (
        client.threads.ResolveThread(
            rpc.ResolveThreadRequest(thread_id=made.thread_id, etag="v9"), metadata=as_human
        ),
        client.threads.ArchiveThread(
            rpc.ArchiveThreadRequest(thread_id=made.thread_id, etag="v9"), metadata=as_human
        ),
        client.threads.ReopenThread(
            rpc.ReopenThreadRequest(thread_id=made.thread_id, etag="v9"), metadata=as_human
        ),
    ):
        await refused(call, ABORTED, "ETAG_MISMATCH")


async def test_an_archived_thread_is_closed_to_changes(
    client: ThreadsClient, person: Person, as_human: Metadata
) -> None:
    made = await client.found(person)
    await client.threads.ArchiveThread(
        rpc.ArchiveThreadRequest(thread_id=made.thread_id), metadata=as_human
    )

    for call in (
        client.threads.ResolveThread(
            rpc.ResolveThreadRequest(thread_id=made.thread_id), metadata=as_human
        ),
        client.threads.UpdateThread(
            rpc.UpdateThreadRequest(
                thread_id=made.thread_id,
                thread=Thread(title="x"),
                update_mask=FieldMask(paths=["title"]),
                etag="v2",
            ),
            metadata=as_human,
        ),
    ):
        await refused(call, PRECONDITION, "THREAD_ARCHIVED")
