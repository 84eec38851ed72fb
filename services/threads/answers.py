"""What was done under a decision, as it is told to whoever asks for it again."""

from typing import Final

from kernel.database import Transaction
from kernel.statement import Statement
from services.threads import exporting, messages, threads
from services.threads.effects import Outcome

# What was deleted or taken back since cannot be read any more, here neither.
GET_ANSWER: Final = Statement(
    "SELECT jsonb_agg(e.found ORDER BY e.place) AS answer FROM threads.search_answers,"
    " jsonb_array_elements(answer) WITH ORDINALITY AS e (found, place)"
    " WHERE decision_id = :decision_id AND EXISTS (SELECT FROM threads.threads t"
    " WHERE t.thread_id = (e.found ->> 'thread_id')::uuid)"
)


async def with_answer(tx: Transaction, decision_id: str, outcome: Outcome) -> Outcome:
    """The outcome with what a search had found then, or with the copy that was exported."""
    if "exported" in outcome:
        # Nothing but what was approved leaves, however late it is asked for again.
        thread = await tx.fetch_one(threads.GET, thread_id=outcome["thread_id"])
        if thread is None or threads.etag(thread) != outcome["etag"]:
            return {**outcome, "document": None}
        rows = await messages.list_messages(
            tx, thread["thread_id"], after=0, limit=exporting.MOST_MESSAGES + 1
        )
        return {**outcome, "document": exporting.document(thread, rows)}
    if "found" not in outcome:
        return outcome
    kept = await tx.fetch_one(GET_ANSWER, decision_id=decision_id)
    return {**outcome, "threads": (kept and kept["answer"]) or []}
