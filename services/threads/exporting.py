"""A thread as one document: what leaves when somebody exports it. No copy is kept here."""

from collections.abc import Sequence
from typing import Any, Final

from chenu_gate.canonical_json import write
from chenu_gate.tools import ToolMisused
from services.threads.tables import Row

FORMAT: Final = "chenu.thread.v1"
MAX_BYTES: Final = 64 << 10
MOST_MESSAGES: Final = 1_000
_WORDS: Final = (
    *("thread_id", "title", "founding_intent", "description", "sphere", "kind", "status", "tags"),
)


def document(thread: Row, messages: Sequence[Row]) -> dict[str, Any]:
    """The thread with its messages, the oldest first; ToolMisused where it is too large for one."""
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
            for row in messages
        ],
    }
    if len(messages) > MOST_MESSAGES or len(write(whole)) > MAX_BYTES:
        raise ToolMisused(
            f"a thread is exported up to {MOST_MESSAGES} messages and {MAX_BYTES >> 10} KiB;"
            " read it page by page instead (ListMessages)",
            cause="thread",
        )
    return whole
