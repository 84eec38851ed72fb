"""Messages: what people and agents say in a thread, oldest first."""

from typing import Final

from kernel.context import new_id
from kernel.database import Record, Transaction
from kernel.errors import Forbidden
from kernel.statement import Statement
from services.threads import audit_events
from services.threads.changes import Author, Event, change

GET: Final = Statement("SELECT * FROM threads.messages WHERE message_id = :message_id")
LIST: Final = Statement(
    "SELECT * FROM threads.messages"
    " WHERE thread_id = :thread_id AND sequence_number > :after"
    " ORDER BY sequence_number LIMIT :limit"
)


def new_message(
    role: str, content: str, message_id: str | None = None
) -> tuple[dict[str, str], Event]:
    """A message, and the event that tells who spoke, not what was said."""
    message = {"id": message_id or new_id(), "role": role, "content": content}
    payload = {"note": "message", "message_id": message["id"], "role": role}
    return message, Event("note.added", payload)


async def add(tx: Transaction, author: Author, thread_id: str, role: str, content: str) -> str:
    """Add a message to a locked thread; answers with its id."""
    message, told = new_message(role, content)
    thread = await change(tx, thread_id, author, told, message=message)
    tx.emit(audit_events.message_created(thread_id, thread["sphere"], message))
    return message["id"]


async def get(tx: Transaction, message_id: str) -> Record:
    """The message; Forbidden where the caller may not see it."""
    message = await tx.fetch_one(GET, message_id=message_id)
    if message is None:
        raise Forbidden(subject=f"message/{message_id}")
    return message


async def list_messages(tx: Transaction, thread_id: str, *, after: int, limit: int) -> list[Record]:
    """Messages after a sequence number, oldest first."""
    return await tx.fetch(LIST, thread_id=thread_id, after=after, limit=limit)
