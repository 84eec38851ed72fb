"""The context of a run: the thread it works in, and the threads that its words may mean."""

import re
from collections.abc import Sequence
from typing import Any, Final

from kernel.caller import Caller
from kernel.database import Database
from kernel.errors import Forbidden
from kernel.grouped_write import GroupedWriter
from services.threads.tables import stored

MESSAGES: Final = 30
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Contexts:
    """Reads a context by one statement, `threads.context`."""

    def __init__(self, database: Database) -> None:
        self._context = GroupedWriter(database, "threads.context")

    async def read(
        self, caller: Caller, thread_id: str, references: Sequence[str], recent: int
    ) -> dict[str, Any]:
        """The `thread` with its latest `messages`, oldest first, where one is named; `candidates`.

        Candidates are what the references match, exactly or else in part, and the recent threads;
        none twice. Forbidden where the caller may not see the thread, whether or not it exists.
        """
        words = [reference.strip() for reference in references]
        found = await self._context.write(
            caller,
            {
                "thread_id": thread_id or None,
                "messages": MESSAGES,
                "words": words,
                "ids": [word.lower() for word in words if _UUID.fullmatch(word.lower())],
                "recent": recent,
            },
        )
        if thread_id and found["thread"] is None:
            raise Forbidden(subject=f"thread/{thread_id}")
        candidates = [stored(row) for row in found["candidates"]]
        if not thread_id:
            return {"candidates": candidates}
        return {**found, "thread": stored(found["thread"]), "candidates": candidates}
