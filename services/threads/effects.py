"""Effects in a transaction of their own, which they share with their decision's fence.

An effect answers with its outcome: ids and states only, since it is kept for ever.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from chenu_gate.action import Action, Target
from chenu_gate.permit import PermittedAction
from chenu_gate.tools import ArgumentsInvalid, ToolMisused
from kernel.caller import UUID
from kernel.database import Record, Transaction
from kernel.errors import Forbidden
from kernel.statement import Statement
from services.threads import audit_events, exporting, threads
from services.threads.changes import Author, Event, change, lock
from services.threads.errors import TargetChanged
from services.threads.search import DEFAULT_LIMIT, search_threads
from services.threads.tables import Thread

Outcome = dict[str, Any]
Effect = Callable[[Transaction, PermittedAction, Author], Awaitable[Outcome]]
KEEP_ANSWER: Final = Statement(
    "INSERT INTO threads.search_answers (decision_id, tenant, identity, answer)"
    " VALUES (:decision_id, :tenant, :identity, :answer)"
)
GET_ANSWER: Final = Statement(
    "SELECT answer FROM threads.search_answers WHERE decision_id = :decision_id"
)
DELETE: Final = Statement("SELECT threads.delete_thread(:thread_id)")
SHARE: Final = Statement("SELECT threads.share_thread(:thread_id, :reader)")
UNSHARE: Final = Statement("SELECT threads.unshare_thread(:thread_id, :reader) AS ended")


async def archive(tx: Transaction, permitted: PermittedAction, author: Author) -> Outcome:
    """Close a thread to additions."""
    thread = await _target(tx, permitted.action)
    _check_sphere(thread, permitted.action)
    return _outcome(await threads.set_status(tx, author, thread, "archived", permitted))


async def delete(tx: Transaction, permitted: PermittedAction, author: Author) -> Outcome:
    """Make a thread unreadable; what it held stays for its retention, its history for ever."""
    thread = await _target(tx, permitted.action, archived_too=True)
    _check_sphere(thread, permitted.action)
    _check_owner(thread, permitted.action)
    event = Event("thread.updated", {"deleted": True})
    thread = await change(tx, thread["thread_id"], author, event)
    await tx.fetch_one(DELETE, thread_id=thread["thread_id"])
    tx.emit(audit_events.thread_changed("deleted", audit_events.DELETE, thread, permitted))
    return {"thread_id": thread["thread_id"], "deleted": True}


async def transfer(tx: Transaction, permitted: PermittedAction, author: Author) -> Outcome:
    """Move a thread into another sphere of the same identity."""
    action = permitted.action
    sphere = _argument(action, "sphere")
    if action.target_sphere != sphere:
        raise ToolMisused("the target sphere is not the one to move it to", cause="target_sphere")
    before = await _target(tx, action, archived_too=True)
    _check_owner(before, action)
    event = Event("thread.updated", {"sphere": {"from": before["sphere"], "to": sphere}})
    thread = await change(tx, before["thread_id"], author, event, columns={"sphere": sphere})
    tx.emit(
        audit_events.thread_changed(
            "transferred",
            audit_events.TRANSFER,
            thread,
            permitted,
            before,
            from_sphere=before["sphere"],
            to_sphere=sphere,
        )
    )
    return {**_outcome(thread), "from_sphere": before["sphere"]}


async def search(tx: Transaction, permitted: PermittedAction, _author: Author) -> Outcome:
    """Find threads; what was found is kept apart, since it tells what people wrote."""
    given = permitted.action.arguments
    found = await search_threads(
        tx,
        _argument(permitted.action, "query"),
        sphere=str(given.get("sphere", "")),
        limit=int(str(given.get("limit", DEFAULT_LIMIT))),
    )
    permit = permitted.permit
    await tx.execute(
        KEEP_ANSWER,
        decision_id=permit.decision,
        tenant=permit.tenant,
        identity=permit.identity,
        answer=found,
    )
    tx.emit(audit_events.search_executed(permitted, len(found)))
    return {"found": len(found)}


async def export(tx: Transaction, permitted: PermittedAction, _author: Author) -> Outcome:
    """Give a copy away; the thread stays as it is."""
    thread = await _target(tx, permitted.action, archived_too=True)
    _check_sphere(thread, permitted.action)
    _check_owner(thread, permitted.action)
    whole = await exporting.document(tx, thread)
    tx.emit(audit_events.thread_exported(thread, permitted, whole))
    return {**_outcome(thread), "exported": len(whole["messages"])}


async def share(tx: Transaction, permitted: PermittedAction, author: Author) -> Outcome:
    """Let another identity read a thread. That it is the same person's, governance has asked."""
    thread, reader = await _shared(tx, permitted.action)
    await tx.fetch_one(SHARE, thread_id=thread["thread_id"], reader=reader)
    return await _sharing_changed(tx, permitted, author, thread, "shared", reader)


async def unshare(tx: Transaction, permitted: PermittedAction, author: Author) -> Outcome:
    """End that; what was read meanwhile was read."""
    thread, reader = await _shared(tx, permitted.action)
    ended = await tx.fetch_one(UNSHARE, thread_id=thread["thread_id"], reader=reader)
    if ended is None or not ended["ended"]:
        raise ToolMisused("the thread is not shared with that identity", cause="identity")
    return await _sharing_changed(tx, permitted, author, thread, "unshared", reader)


async def with_answer(tx: Transaction, decision_id: str, outcome: Outcome) -> Outcome:
    """The outcome as the asker gets it: with what a search had found then, or a copy."""
    if "exported" in outcome:
        # Nothing but what was approved leaves, however late it is asked for again.
        thread = await tx.fetch_one(threads.GET, thread_id=outcome["thread_id"])
        if thread is None or threads.etag(thread) != outcome["etag"]:
            return {**outcome, "document": None}
        return {**outcome, "document": await exporting.document(tx, thread)}
    if "found" not in outcome:
        return outcome
    kept = await tx.fetch_one(GET_ANSWER, decision_id=decision_id)
    return {**outcome, "threads": kept["answer"] if kept else []}


EFFECTS: Final[Mapping[str, Effect]] = {
    "thread.search": search,
    "thread.archive": archive,
    "thread.delete": delete,
    "thread.transfer": transfer,
    "thread.export": export,
    "thread.share": share,
    "thread.unshare": unshare,
}


def target_unchanged(thread: Thread, action: Action) -> bool:
    """Whether the thread is as the action saw it, but for what the same run did to it since."""
    seen = _thread_in(action).version
    if seen == threads.etag(thread):
        return True
    same_run = bool(action.run) and thread["changed_run"] == action.run
    return same_run and seen == f"v{thread['version_before_run']}"


def thread_of(action: Action) -> str:
    """The id of the thread that the action is about; a title is not enough to act on."""
    thread_id = _thread_in(action).id
    if not UUID.fullmatch(thread_id):
        raise ArgumentsInvalid("the thread is not named by its id", cause="thread")
    return thread_id


def _thread_in(action: Action) -> Target:
    return next(target for target in action.targets if target.type == "thread")


async def _target(tx: Transaction, action: Action, *, archived_too: bool = False) -> Record:
    thread_id = thread_of(action)
    thread = await lock(tx, thread_id, archived_too=archived_too)
    # A wrong name beside the right id is what a person would have approved by.
    named = _thread_in(action).name in ("", thread["title"])
    if not named or not target_unchanged(thread, action):
        raise TargetChanged(thread_id=thread_id, version=threads.etag(thread))
    return thread


def _check_sphere(thread: Record, action: Action) -> None:
    """The rules judged the action by the sphere it said it works in."""
    if thread["sphere"] != action.target_sphere:
        raise TargetChanged(thread_id=thread["thread_id"], sphere=thread["sphere"])


def _check_owner(thread: Record, action: Action) -> None:
    """Participants may add to a thread; what becomes of it is its owner's."""
    if thread["owner_identity"] != action.principal.identity:
        raise Forbidden(subject=f"thread/{thread['thread_id']}")


async def _shared(tx: Transaction, action: Action) -> tuple[Record, str]:
    thread = await _target(tx, action, archived_too=True)
    _check_sphere(thread, action)
    _check_owner(thread, action)
    reader = _argument(action, "identity")
    if not UUID.fullmatch(reader) or reader == action.principal.identity:
        raise ArgumentsInvalid("that is not the id of another identity", cause="identity")
    return thread, reader


async def _sharing_changed(
    tx: Transaction,
    permitted: PermittedAction,
    author: Author,
    thread: Record,
    happened: str,
    reader: str,
) -> Outcome:
    event = Event("thread.updated", {happened: {"identity": reader}})
    thread = await change(tx, thread["thread_id"], author, event)
    tx.emit(
        audit_events.thread_changed(happened, audit_events.UPDATE, thread, permitted, reader=reader)
    )
    return {**_outcome(thread), "identity": reader}


def _argument(action: Action, name: str) -> str:
    return str(action.arguments[name])


def _outcome(thread: Record) -> Outcome:
    return {
        "thread_id": thread["thread_id"],
        "etag": threads.etag(thread),
        "sphere": thread["sphere"],
        "status": thread["status"],
    }
