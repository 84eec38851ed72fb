"""A thread as one document: what leaves when somebody exports it. No copy is kept here."""

from typing import Any, Final

from chenu_gate.canonical_json import write
from chenu_gate.tools import ToolMisused
from kernel.database import Record, Transaction
from services.threads.messages import list_messages

FORMAT: Final = "chenu.thread.v1"
MAX_BYTES: Final = 64 << 10
_MOST_MESSAGES: Final = 1_000
_WORDS: Final = (
    *("thread_id", "title", "founding_intent", "description", "sphere", "kind", "status", "tags"),
)


async def document(tx: Transaction, thread: Record) -> dict[str, Any]:
    """The thread with its messages, the oldest first; ToolMisused where it is too large for one."""
    rows = await list_messages(tx, thread["thread_id"], after=0, limit=_MOST_MESSAGES + 1)
    whole = {
        "format": FORMAT,
        **{word: thread[word] for word in _WORDS},
        "create_time": thread["create_time"].isoformat(),
        "messages": [
            {
                "role": row["role"],
                "content": row["content"],
                "create_time": row["create_time"].isoformat(),
            }
            for row in rows
        ],
    }
    if len(rows) > _MOST_MESSAGES or len(write(whole)) > MAX_BYTES:
        raise ToolMisused(
            f"a thread is exported up to {_MOST_MESSAGES} messages and {MAX_BYTES >> 10} KiB;"
            " read it page by page instead (ListMessages)",
            cause="thread",
        )
    return whole
