"""Rows as they are seen outside: the messages of the contract."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from google.protobuf.json_format import ParseDict
from google.protobuf.timestamp_pb2 import Timestamp

from chenu.threads.v1.message_pb2 import Message
from chenu.threads.v1.thread_event_pb2 import ThreadEvent
from chenu.threads.v1.thread_pb2 import Thread
from kernel.database import Record
from services.threads.tables import Row
from services.threads.threads import etag
from services.threads.words import (
    EVENT_TYPES,
    KINDS,
    OWNERSHIPS,
    ROLES,
    SPHERES,
    STATUSES,
    VISIBILITIES,
)

# gRPC takes no answer of more than 4 MiB, whose clients may not have been told another limit.
MOST_BYTES: Final = 3 << 20


def fitting(items: Sequence[Thread] | Sequence[Message] | Sequence[ThreadEvent], size: int) -> int:
    """How many of them a page holds: no more than `size`, and than one answer can; at least one."""
    left = MOST_BYTES
    for count, item in enumerate(items[:size]):
        left -= item.ByteSize()
        if count and left < 0:
            return count
    return size


def thread(row: Row) -> Thread:
    """A thread."""
    return Thread(
        thread_id=row["thread_id"],
        title=row["title"],
        founding_intent=row["founding_intent"],
        description=row["description"],
        sphere=SPHERES.number(row["sphere"]),
        kind=KINDS.number(row["kind"]),
        ownership=OWNERSHIPS.number(row["ownership"]),
        visibility=VISIBILITIES.number(row["visibility"]),
        status=STATUSES.number(row["status"]),
        tags=row["tags"],
        owner_identity_id=row["owner_identity"],
        reader_identity_ids=row.get("readers", ()),
        event_count=row["event_count"],
        etag=etag(row),
        create_time=_time(row["create_time"]),
        update_time=_time(row["update_time"]),
    )


def message(row: Record) -> Message:
    """A message of a thread."""
    return Message(
        message_id=row["message_id"],
        thread_id=row["thread_id"],
        role=ROLES.number(row["role"]),
        content=row["content"],
        identity_id=row["identity"],
        create_time=_time(row["create_time"]),
    )


def thread_event(row: Record) -> ThreadEvent:
    """An event of a thread; without its payload where that was erased."""
    event = ThreadEvent(
        event_id=row["event_id"],
        thread_id=row["thread_id"],
        sequence_number=row["sequence_number"],
        type=EVENT_TYPES.number(row["type"]),
        payload_digest=row["payload_digest"],
        actor_type=row["actor_type"],
        identity_id=row["identity"],
        create_time=_time(row["create_time"]),
    )
    if row["payload"] is not None:
        ParseDict(row["payload"], event.payload)
    return event


def result_text(result: object) -> str:
    """The result of an executed action as the JSON text that the contract promises."""
    return json.dumps(result, ensure_ascii=False, sort_keys=True)


def _time(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
