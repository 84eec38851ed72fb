"""What changes a thread: by whom, and with which event.

Each change is one call of a function of the schema, which counts the thread's version and its
events on and writes them down.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, Self

import rfc8785

from kernel.caller import Caller
from kernel.context import new_id
from kernel.database import Record, Transaction
from kernel.errors import Forbidden
from kernel.statement import Statement
from services.threads.errors import ThreadArchived

LOCK: Final = Statement("SELECT * FROM threads.threads WHERE thread_id = :thread_id FOR UPDATE")
FOUND: Final = Statement("SELECT * FROM threads.found(:item)")
CHANGE: Final = Statement("SELECT * FROM threads.change(:item)")


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes a thread; with `run` and `decision` where an executed action does it."""

    actor_type: str
    actor_id: str
    run: str = ""
    decision: str = ""

    @classmethod
    def of(cls, caller: Caller, *, run: str = "", decision: str = "") -> Self:
        """The caller; an agent is named by its own account."""
        return cls(caller.actor, caller.agent or caller.person, run, decision)


@dataclass(frozen=True, slots=True)
class Event:
    """An event to be recorded; its payload may be erased one day, its digest stays."""

    type: str
    payload: Mapping[str, Any]
    id: str = field(default_factory=new_id)

    def item(self) -> dict[str, Any]:
        """The event as the functions of the schema take it."""
        return {
            "id": self.id,
            "type": self.type,
            "payload": dict(self.payload),
            "digest": payload_digest(self.payload),
        }


def payload_digest(payload: Mapping[str, Any]) -> str:
    """The name of a payload: SHA-256 of its RFC 8785 bytes."""
    return "sha256:" + sha256(rfc8785.dumps(dict(payload))).hexdigest()


def change_item(
    thread_id: str,
    author: Author,
    event: Event,
    *,
    columns: Mapping[str, Any] | None = None,
    message: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What `threads.change` takes: columns to set and a message to add go with the event."""
    return {
        "thread_id": thread_id,
        "author": {"type": author.actor_type, "id": author.actor_id},
        "run": author.run or None,
        "decision": author.decision or None,
        "event": event.item(),
        "set": dict(columns or {}),
        "message": message,
    }


async def lock(tx: Transaction, thread_id: str, *, archived_too: bool = False) -> Record:
    """The thread, locked for a change; Forbidden where the caller may not change it."""
    thread = await tx.fetch_one(LOCK, thread_id=thread_id)
    if thread is None:
        raise Forbidden(subject=f"thread/{thread_id}")
    if thread["status"] == "archived" and not archived_too:
        raise ThreadArchived
    return thread


async def change(
    tx: Transaction,
    thread_id: str,
    author: Author,
    event: Event,
    *,
    columns: Mapping[str, Any] | None = None,
    message: Mapping[str, str] | None = None,
) -> Record:
    """Change a thread that `lock` returned; answers with the thread as it is then."""
    item = change_item(thread_id, author, event, columns=columns, message=message)
    changed = await tx.fetch_one(CHANGE, item=item)
    if changed is None:
        raise LookupError(f"thread {thread_id} was locked and is not there")
    return changed
