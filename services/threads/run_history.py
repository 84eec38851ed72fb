"""What became of a run, in the thread that it belongs to: each fact once, however often told."""

from collections.abc import Iterator
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from chenu.threads.v1.thread_event_service_pb2 import RecordRunRequest, RunFact
from kernel.caller import Caller
from kernel.database import Record, Transaction
from kernel.statement import Statement
from services.threads import audit_events, messages
from services.threads.changes import CHANGE, Author, Event, change_item, lock
from services.threads.words import EVENT_TYPES

KNOWN: Final = Statement(
    "SELECT event_id FROM threads.thread_events WHERE event_id = ANY (CAST(:ids AS uuid[]))"
)


async def record_run(tx: Transaction, caller: Caller, request: RecordRunRequest) -> Record:
    """Add what the thread does not know yet; answers with the thread as it is then."""
    thread = await lock(tx, request.thread_id, archived_too=True)
    author = Author("system", "nova", request.run_id)
    facts = {fact.id: fact for fact in _facts(request)}
    message, answer = _answer(caller, request)
    known = {row["event_id"] for row in await tx.fetch(KNOWN, ids=[*facts, answer.id])}
    for fact in [fact for fact in facts.values() if fact.id not in known]:
        item = change_item(request.thread_id, author, fact)
        (thread,) = await tx.fetch(CHANGE, item=item | {"told": True})
        tx.emit(audit_events.thread_event_appended(thread, fact.id, fact.payload))
    if request.answer and answer.id not in known and thread["status"] != "archived":
        item = change_item(request.thread_id, author, answer, message=message)
        (thread,) = await tx.fetch(CHANGE, item=item)
        tx.emit(audit_events.message_created(thread["thread_id"], thread["sphere"], message))
    return thread


def _facts(request: RecordRunRequest) -> Iterator[Event]:
    for fact in request.facts:
        event_type = EVENT_TYPES.word(fact.type)
        yield Event(event_type, _payload(request.run_id, fact), _id(request, event_type, fact))


def _payload(run_id: str, fact: RunFact) -> dict[str, str]:
    told = {
        "run": run_id,
        "request": fact.request_id,
        "checkpoint": fact.checkpoint_id,
        "tool": fact.tool,
        "action_digest": fact.action_digest,
        "state": fact.state,
    }
    return {name: value for name, value in told.items() if value}


def _id(request: RecordRunRequest, what: str, fact: RunFact | None = None) -> str:
    """The same each time that it is told, and another in each thread."""
    path = [request.thread_id, request.run_id, *([fact.request_id] if fact else []), what]
    return str(uuid5(NAMESPACE_URL, f"chenu:thread:{'/'.join(path)}"))


def _answer(caller: Caller, request: RecordRunRequest) -> tuple[dict[str, str], Event]:
    role = "system" if request.failed else "agent" if caller.agent else "assistant"
    message, event = messages.new_message(role, request.answer, _id(request, "message"))
    payload = {**event.payload, "run": request.run_id}
    return message, Event(event.type, payload, _id(request, "answer"))
