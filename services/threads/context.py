"""The context of a run: the thread it works in, and the threads that its words may mean."""

import re
from collections.abc import Sequence
from typing import Final

from kernel.database import Record, Transaction
from kernel.statement import Statement

MESSAGES: Final = 30
# Enough to tell one from several; nobody chooses among more.
_PARTS: Final = 20
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
CANDIDATES: Final = Statement(
    f"""
WITH words AS MATERIALIZED (
    SELECT DISTINCT threads.folded(word) AS word FROM unnest(CAST(:words AS text[])) AS word
), exact AS MATERIALIZED (
    SELECT w.word, t.thread_id
    FROM words w JOIN threads.threads t ON t.folded_title = w.word
    UNION
    SELECT CAST(t.thread_id AS text), t.thread_id
    FROM threads.threads t WHERE t.thread_id = ANY (CAST(:ids AS uuid[]))
), part AS (
    SELECT p.thread_id FROM words w CROSS JOIN LATERAL (
        SELECT thread_id FROM threads.threads
        WHERE strpos(folded_title, w.word) > 0
        ORDER BY update_time DESC LIMIT {_PARTS}
    ) p
    WHERE w.word <> '' AND NOT EXISTS (SELECT FROM exact e WHERE e.word = w.word)
), recent AS (
    SELECT thread_id FROM threads.threads
    ORDER BY update_time DESC, thread_id DESC LIMIT :recent
)
SELECT * FROM threads.threads
WHERE thread_id IN (
    SELECT thread_id FROM exact UNION SELECT thread_id FROM part UNION SELECT thread_id FROM recent
)
ORDER BY update_time DESC, thread_id DESC
"""  # noqa: S608 - a number of our own
)


async def candidates(tx: Transaction, references: Sequence[str], recent: int) -> list[Record]:
    """What the references match, exactly or else in part, and the recent threads; none twice."""
    words = [reference.strip() for reference in references]
    ids = [word.lower() for word in words if _UUID.fullmatch(word.lower())]
    return await tx.fetch(CANDIDATES, words=words, ids=ids, recent=recent)
