import json
from typing import Any

import asyncpg
import protovalidate
import pytest
import rfc8785
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.json_format import Parse

from chenu.events.v1.audit_event_pb2 import AuditEvent
from chenu.threads.v1 import message_service_pb2, thread_event_service_pb2, thread_service_pb2
from chenu.threads.v1.thread_event_pb2 import ThreadEventType
from chenu.threads.v1.thread_pb2 import Thread
from services.threads.changes import payload_digest
from tests.support.identity import Metadata, Person
from tests.support.threads import TOOL_CALLS, ThreadsClient, planned

SECRET = "wörds that nobody but its people may read"


async def recorded(superuser: asyncpg.Connection, person: Person) -> list[dict[str, Any]]:
    """What is on its way to the audit log of this identity, in order."""
    rows = await superuser.fetch(
        "SELECT event FROM threads.outbox"
        " WHERE convert_from(event, 'UTF8')::jsonb ->> 'identity' = $1 ORDER BY seq",
        person.identity,
    )
    for row in rows:
        assert rfc8785.dumps(json.loads(row["event"])) == row["event"]
        protovalidate.validate(Parse(row["event"], AuditEvent()))
    return [json.loads(row["event"]) for row in rows]


async def test_every_change_by_a_person_is_recorded_without_a_word_of_theirs(
    client: ThreadsClient, person: Person, as_human: Metadata, superuser: asyncpg.Connection
) -> None:
    thread = await client.found(
        person, SECRET, founding_intent=SECRET, description=SECRET, tags=[SECRET]
    )
    of: dict[str, Any] = {"thread_id": thread.thread_id}
    await client.threads.UpdateThread(
        thread_service_pb2.UpdateThreadRequest(
            **of,
            thread=Thread(title=f"{SECRET}!"),
            update_mask=FieldMask(paths=["title"]),
            etag=thread.etag,
        ),
        metadata=as_human,
    )
    await client.messages.CreateMessage(
        message_service_pb2.CreateMessageRequest(**of, content=SECRET), metadata=as_human
    )
    request = thread_event_service_pb2.AppendThreadEventRequest(
        **of, type=ThreadEventType.THREAD_EVENT_TYPE_NOTE_ADDED
    )
    request.payload["text"] = SECRET
    await client.events.AppendThreadEvent(request, metadata=as_human)
    for change in ("Resolve", "Archive", "Reopen"):
        request_class = getattr(thread_service_pb2, f"{change}ThreadRequest")
        await getattr(client.threads, f"{change}Thread")(request_class(**of), metadata=as_human)

    events = await recorded(superuser, person)

    assert [(event["type"], event["data"]["action"]) for event in events] == [
        ("chenu.threads.thread.created", "AUDIT_ACTION_CREATE"),
        ("chenu.threads.thread.updated", "AUDIT_ACTION_UPDATE"),
        ("chenu.threads.message.created", "AUDIT_ACTION_CREATE"),
        ("chenu.threads.thread_event.appended", "AUDIT_ACTION_CREATE"),
        ("chenu.threads.thread.resolved", "AUDIT_ACTION_UPDATE"),
        ("chenu.threads.thread.archived", "AUDIT_ACTION_UPDATE"),
        ("chenu.threads.thread.reopened", "AUDIT_ACTION_UPDATE"),
    ]
    assert SECRET[:5] not in json.dumps(events, ensure_ascii=False)
    # Nor a digest that whoever guesses the words could compare.
    guessed = payload_digest({"text": SECRET}).removeprefix("sha256:")
    assert guessed not in json.dumps(events)
    assert events[3]["data"]["after"].startswith("hmac-sha256:")
    assert all(event["data"]["actor"]["person"] == person.person for event in events)
    assert all(event["data"]["sphere"] == "personal" for event in events)
    of_thread = [event for event in events if event["type"].startswith("chenu.threads.thread.")]
    assert [event["data"]["version"] for event in of_thread] == ["1", "2", "3", "4", "5"]
    assert {event["data"]["stream"] for event in of_thread} == {f"thread/{thread.thread_id}"}


@pytest.mark.parametrize(
    ("tool", "happened", "action"),
    [
        ("thread.create", "thread.created", "CREATE"),
        ("thread.append", "message.created", "CREATE"),
        ("thread.search", "search.executed", "EXECUTE"),
        ("thread.archive", "thread.archived", "UPDATE"),
        ("thread.delete", "thread.deleted", "DELETE"),
        ("thread.transfer", "thread.transferred", "CROSS_SPHERE_TRANSFER"),
        ("thread.export", "thread.exported", "EXECUTE"),
        ("thread.share", "thread.shared", "UPDATE"),
    ],
)
async def test_an_executed_action_leaves_one_event_that_names_its_decision(
    client: ThreadsClient,
    person: Person,
    superuser: asyncpg.Connection,
    tool: str,
    happened: str,
    action: str,
) -> None:
    _, planned_action = await planned(client, person, tool)
    answer = await client.execute(person, planned_action)

    *_, event = await recorded(superuser, person)

    assert event["type"] == f"chenu.threads.{happened}"
    assert event["data"]["action"] == f"AUDIT_ACTION_{action}"
    assert event["data"]["phase"] == "PHASE_OUTCOME"
    assert event["data"]["actor"]["service"] == "nova"
    details = event["data"]["details"]
    assert details["decision"] == answer.decision_id
    assert details["action_digest"] == planned_action.digest
    assert (details["run"], details["tool"]) == (planned_action.run, tool)
    texts = [value for key, value in TOOL_CALLS[tool].items() if key in ("title", "content")]
    assert not any(f'"{text}"' in json.dumps(event) for text in texts)
