"""Search: threads that hold a text, by time; never ranked."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

DEFAULT_LIMIT: Final = 10
_AROUND: Final = 80


def found_threads(rows: Sequence[Mapping[str, Any]], query: str) -> list[dict[str, Any]]:
    """Id, title and a snippet of each thread that was found to hold the text."""
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


def _text(row: Mapping[str, Any]) -> str:
    return str(row["content"] or row["description"] or row["title"])
