"""The history of a thread: events are added, never changed or removed."""

from typing import Final

import rfc8785
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct

from kernel.caller import Caller
from kernel.database import Record, Transaction
from kernel.errors import Forbidden, InvalidArgument
from kernel.statement import Statement
from services.threads import audit_events
from services.threads.changes import Author, Event, change, lock
from services.threads.errors import EventTypeReserved, VersionConflict

MAX_PAYLOAD_BYTES: Final = 32 * 1024
_EVENTS: Final = (
    "SELECT e.*, p.payload FROM threads.thread_events e"
    " LEFT JOIN threads.event_payloads p USING (event_id)"
)
GET: Final = Statement(f"{_EVENTS} WHERE e.event_id = :event_id")
LIST: Final = Statement(
    f"{_EVENTS} WHERE e.thread_id = :thread_id AND e.sequence_number > :after"
    " ORDER BY e.sequence_number LIMIT :limit"
)
_RESERVED: Final = ("thread.", "checkpoint.")


def new_event(event_type: str, struct: Struct) -> Event:
    """An event that a person records; raises where such a one may not be recorded."""
    if event_type.startswith(_RESERVED):
        raise EventTypeReserved(type=event_type)
    try:
        payload = MessageToDict(struct)
    except ValueError:
        raise InvalidArgument("payload: holds a number that is none", field="payload") from None
    if len(rfc8785.dumps(payload)) > MAX_PAYLOAD_BYTES:
        raise InvalidArgument("payload: larger than 32 KiB as JSON", field="payload")
    return Event(event_type, payload)


async def get(tx: Transaction, event_id: str) -> Record:
    """The event; Forbidden where the caller may not see it."""
    event = await tx.fetch_one(GET, event_id=event_id)
    if event is None:
        raise Forbidden(subject=f"thread_event/{event_id}")
    return event


async def append(
    tx: Transaction, caller: Caller, thread_id: str, event: Event, expected_version: int
) -> str:
    """Add an event, and answer with its id; with an expected version only right after that one."""
    before = await lock(tx, thread_id)
    if expected_version and before["event_count"] != expected_version:
        raise VersionConflict(current_version=str(before["event_count"]))
    thread = await change(tx, thread_id, Author.of(caller), event)
    tx.emit(audit_events.thread_event_appended(thread, event.id, event.payload))
    return event.id


async def list_events(tx: Transaction, thread_id: str, *, after: int, limit: int) -> list[Record]:
    """Events after a sequence number, in their order."""
    return await tx.fetch(LIST, thread_id=thread_id, after=after, limit=limit)
