"""Threads: founded once, changed by whoever may, listed by time."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from kernel.caller import Caller
from kernel.context import new_id
from kernel.database import Record, Transaction
from kernel.errors import EtagMismatch, Forbidden
from kernel.statement import Statement
from services.threads import audit_events
from services.threads.changes import FOUND, Author, Event, change, lock
from services.threads.tables import Row

_READERS: Final = """ARRAY(
    SELECT p.identity FROM threads.participants p
    WHERE p.thread_id = threads.thread_id AND p.leave_time IS NULL ORDER BY p.join_time
) AS readers"""
GET: Final = Statement(
    f"SELECT *, {_READERS} FROM threads.threads WHERE thread_id = :thread_id"  # noqa: S608
)
_FILTER: Final = """
FROM threads.threads
WHERE (:sphere = '' OR sphere = :sphere)
  AND (CASE WHEN :status = '' THEN status <> 'archived' ELSE status = :status END)
  AND (:title = '' OR strpos(folded_title, threads.folded(:title)) > 0)
"""
LIST: Final = Statement(
    f"""SELECT *, {_READERS} {_FILTER}
  AND (update_time, thread_id)
      < (:before_time, :before_id)
ORDER BY update_time DESC, thread_id DESC LIMIT :limit"""
)
COUNT: Final = Statement(f"SELECT count(*) AS total {_FILTER}")
# What a thread is where whoever founds it says nothing of it.
DEFAULTS: Final[Mapping[str, Any]] = {
    "description": "",
    "sphere": "personal",
    "kind": "conversation",
    "ownership": "personal",
    "visibility": "private",
    "tags": (),
}

# What a status change is called in the thread's own history, and in the audit log.
_STATUS_EVENTS: Final = {
    "resolved": ("thread.updated", "resolved"),
    "archived": ("thread.archived", "archived"),
    "active": ("thread.updated", "reopened"),
}


def etag(thread: Row) -> str:
    """The version of a thread's content; checkpoint events do not move it."""
    return f"v{thread['version']}"


def founding_item(
    columns: Mapping[str, Any], author: Author, thread_id: str | None = None
) -> dict[str, Any]:
    """What `threads.found` takes; the founding intent is the thread's first event."""
    words = ("founding_intent", "title", "sphere", "kind")
    event = Event("thread.created", {name: columns[name] for name in words})
    return {
        **columns,
        "thread_id": thread_id or new_id(),
        "author": {"type": author.actor_type, "id": author.actor_id},
        "run": author.run or None,
        "decision": author.decision or None,
        "event": event.item(),
    }


async def found(tx: Transaction, item: Mapping[str, Any]) -> Record:
    """Found a thread in the caller's identity."""
    thread = await tx.fetch_one(FOUND, item=item)
    if thread is None:
        raise LookupError("a thread was founded and is not there")
    tx.emit(
        audit_events.thread_changed(
            "created",
            audit_events.CREATE,
            thread,
            founding_digest=item["event"]["digest"],
        )
    )
    return thread


async def get(tx: Transaction, thread_id: str) -> Record:
    """The thread; Forbidden where the caller may not see it, whether or not it exists."""
    thread = await tx.fetch_one(GET, thread_id=thread_id)
    if thread is None:
        raise Forbidden(subject=f"thread/{thread_id}")
    return thread


async def list_threads(
    tx: Transaction,
    filters: Mapping[str, str],
    *,
    limit: int,
    before_time: datetime,
    before_id: str,
) -> list[Record]:
    """Threads, the latest change first; `filters` has sphere, status and title, "" for any."""
    place = {"before_time": before_time, "before_id": before_id}
    return await tx.fetch(LIST, **filters, **place, limit=limit)


async def count_threads(tx: Transaction, filters: Mapping[str, str]) -> int:
    """How many threads these filters let through."""
    row = await tx.fetch_one(COUNT, **filters)
    return int(row["total"]) if row else 0


async def update(
    tx: Transaction, caller: Caller, thread_id: str, expected_etag: str, columns: Mapping[str, Any]
) -> Record:
    """Change what is descriptive of a thread, if it is as the caller saw it."""
    before = await lock(tx, thread_id)
    check_etag(before, expected_etag)
    event = Event("thread.updated", {"changed": dict(columns)})
    thread = await change(tx, thread_id, Author.of(caller), event, columns=columns)
    tx.emit(
        audit_events.thread_changed(
            "updated",
            audit_events.UPDATE,
            thread,
            before=before,
            changed=",".join(sorted(columns)),
        )
    )
    return thread


def status_event(before: Row, status: str) -> tuple[Event, str]:
    """How a change of status is told in the thread's own history, and its word in the audit log."""
    event_type, happened = _STATUS_EVENTS[status]
    return Event(event_type, {"status": {"from": before["status"], "to": status}}), happened


async def set_status(tx: Transaction, author: Author, before: Record, status: str) -> Record:
    """Resolve, archive or reopen a locked thread; what is so already is left alone."""
    if before["status"] == status:
        return before
    event, happened = status_event(before, status)
    thread = await change(tx, before["thread_id"], author, event, columns={"status": status})
    tx.emit(
        audit_events.thread_changed(
            happened, audit_events.UPDATE, thread, before=before, was=before["status"]
        )
    )
    return thread


def check_etag(thread: Record, expected: str) -> None:
    """Raise EtagMismatch unless the thread is as it was seen."""
    if expected and expected != etag(thread):
        raise EtagMismatch(etag=etag(thread))
