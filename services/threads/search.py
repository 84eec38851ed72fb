"""Search: threads that hold a text, by time; never ranked."""

from typing import Any, Final

from kernel.database import Record, Transaction
from kernel.statement import Statement

DEFAULT_LIMIT: Final = 10
_AROUND: Final = 80
SEARCH: Final = Statement(
    """
SELECT t.thread_id, t.title, t.sphere, t.status, t.description, t.update_time, m.content
FROM threads.threads t
LEFT JOIN LATERAL (
    SELECT content FROM threads.messages
    WHERE thread_id = t.thread_id AND strpos(threads.folded(content), threads.folded(:query)) > 0
    ORDER BY sequence_number DESC LIMIT 1
) m ON true
WHERE (:sphere = '' OR t.sphere = :sphere)
  AND (
    strpos(t.folded_title, threads.folded(:query)) > 0
    OR strpos(threads.folded(t.description), threads.folded(:query)) > 0
    OR m.content IS NOT NULL
  )
ORDER BY t.update_time DESC, t.thread_id DESC
LIMIT :limit
"""
)


async def search_threads(
    tx: Transaction, query: str, *, sphere: str = "", limit: int = DEFAULT_LIMIT
) -> list[dict[str, Any]]:
    """Id, title and a snippet of each thread that holds the text, the latest change first."""
    rows = await tx.fetch(SEARCH, query=query, sphere=sphere, limit=limit)
    return [
        {
            "thread_id": row["thread_id"],
            "title": row["title"],
            "sphere": row["sphere"],
            "status": row["status"],
            "snippet": snippet(_text(row), query),
        }
        for row in rows
    ]


def snippet(text: str, query: str) -> str:
    """What stands around the first place of the query, or the beginning; marked where it is cut."""
    at = max(text.casefold().find(query.casefold()), 0)
    begin, end = max(at - _AROUND, 0), at + len(query) + _AROUND
    cut = " ".join(text[begin:end].split())
    return f"{'…' if begin else ''}{cut}{'…' if end < len(text) else ''}"


def _text(row: Record) -> str:
    return str(row["content"] or row["description"] or row["title"])
