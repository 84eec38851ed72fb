"""Effects that are judged on what was read first.

A thread may change between: `threads.execute` does nothing to one that is not as it was read.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from chenu_gate.action import Action
from chenu_gate.permit import PermittedAction
from chenu_gate.tools import ArgumentsInvalid, ToolMisused
from kernel.caller import UUID
from kernel.errors import Forbidden
from services.threads import audit_events, exporting, threads
from services.threads.changes import Author, Event, change_item
from services.threads.effects import Effect, Outcome, search, thread_in, thread_of
from services.threads.errors import TargetChanged, ThreadArchived
from services.threads.search import DEFAULT_LIMIT
from services.threads.tables import Row, stored

Read = Mapping[str, Any]


def reading(permitted: PermittedAction) -> dict[str, Any]:
    """What `threads.read_first` takes: what the effect must know."""
    action, decision = permitted.action, {"decision_id": permitted.permit.decision}
    given = action.arguments
    if action.tool.name == "thread.search":
        limit = int(str(given.get("limit", DEFAULT_LIMIT)))
        sphere = action.target_sphere
        if given.get("sphere", sphere) != sphere:
            raise ToolMisused("the target sphere is not the one to search", cause="target_sphere")
        return {**decision, "query": str(given["query"]), "sphere": sphere, "limit": limit}
    item: dict[str, Any] = {**decision, "thread_id": thread_of(action)}
    if action.tool.name == "thread.export":
        item["messages"] = exporting.MOST_MESSAGES + 1
    return item


def archive(permitted: PermittedAction, author: Author, read: Read) -> Effect:
    """Close a thread to additions."""
    action = permitted.action
    thread = _target(action, read, archived_too=False)
    _check_sphere(thread, action)
    event, happened = threads.status_event(thread, "archived")
    item, after = _change(thread, author, event, status="archived")
    audited = audit_events.thread_changed(
        happened, audit_events.UPDATE, after, permitted, thread, was=thread["status"]
    )
    return Effect(item, _outcome(after), audited)


def delete(permitted: PermittedAction, author: Author, read: Read) -> Effect:
    """Make a thread unreadable; what it held stays for its retention, its history for ever."""
    thread = _own_target(permitted.action, read)
    item, after = _change(thread, author, Event("thread.updated", {"deleted": True}))
    audited = audit_events.thread_changed("deleted", audit_events.DELETE, after, permitted)
    return Effect(item, {"thread_id": after["thread_id"], "deleted": True}, audited)


def transfer(permitted: PermittedAction, author: Author, read: Read) -> Effect:
    """Move a thread into another sphere of the same identity."""
    action = permitted.action
    sphere = str(action.arguments["sphere"])
    if action.target_sphere != sphere:
        raise ToolMisused("the target sphere is not the one to move it to", cause="target_sphere")
    before = _target(action, read)
    _check_owner(before, action)
    was = before["sphere"]
    if was != action.source_sphere:  # people were shown whence it goes, and rules judged it
        raise TargetChanged(thread_id=before["thread_id"], sphere=was)
    event = Event("thread.updated", {"sphere": {"from": was, "to": sphere}})
    item, after = _change(before, author, event, sphere=sphere)
    audited = audit_events.thread_changed(
        "transferred",
        audit_events.TRANSFER,
        after,
        permitted,
        before,
        from_sphere=was,
        to_sphere=sphere,
    )
    return Effect(item, {**_outcome(after), "from_sphere": was}, audited)


def export(permitted: PermittedAction, _author: Author, read: Read) -> Effect:
    """Give a copy away; the thread stays as it is."""
    thread = _own_target(permitted.action, read)
    messages = [stored(message) for message in read["messages"]]
    whole = exporting.document(stored(thread), messages)
    audited = audit_events.thread_exported(thread, permitted, whole)
    outcome = {**_outcome(thread), "exported": len(whole["messages"])}
    return Effect(_as_read(thread), outcome, audited, told={"document": whole})


def share(permitted: PermittedAction, author: Author, read: Read) -> Effect:
    """Let another identity read a thread. That it is the same person's, governance has asked."""
    return _sharing("shared", permitted, author, read)


def unshare(permitted: PermittedAction, author: Author, read: Read) -> Effect:
    """End that; what was read meanwhile was read."""
    return _sharing("unshared", permitted, author, read)


JUDGED: Final[Mapping[str, Callable[[PermittedAction, Author, Read], Effect]]] = {
    "thread.search": search,
    "thread.archive": archive,
    "thread.delete": delete,
    "thread.transfer": transfer,
    "thread.export": export,
    "thread.share": share,
    "thread.unshare": unshare,
}


def target_unchanged(thread: Row, action: Action) -> bool:
    """Whether the thread is as the action saw it, but for what the same run did to it since."""
    seen = thread_in(action).version
    if seen == threads.etag(thread):
        return True
    same_run = bool(action.run) and thread["changed_run"] == action.run
    return same_run and seen == f"v{thread['version_before_run']}"


def _target(action: Action, read: Read, *, archived_too: bool = True) -> Row:
    if read["thread"] is None:
        raise Forbidden(subject=f"thread/{thread_in(action).id}")
    thread: Row = read["thread"]
    if thread["status"] == "archived" and not archived_too:
        raise ThreadArchived
    # A wrong name beside the right id is what a person would have approved by.
    named = thread_in(action).name in ("", thread["title"])
    if not named or not target_unchanged(thread, action):
        raise TargetChanged(thread_id=thread["thread_id"], version=threads.etag(thread))
    return thread


def _own_target(action: Action, read: Read) -> Row:
    thread = _target(action, read)
    _check_sphere(thread, action)
    _check_owner(thread, action)
    return thread


def _check_sphere(thread: Row, action: Action) -> None:
    """The rules judged the action by the sphere it said it works in."""
    if thread["sphere"] != action.target_sphere:
        raise TargetChanged(thread_id=thread["thread_id"], sphere=thread["sphere"])


def _check_owner(thread: Row, action: Action) -> None:
    """Participants may add to a thread; what becomes of it is its owner's."""
    if thread["owner_identity"] != action.principal.identity:
        raise Forbidden(subject=f"thread/{thread['thread_id']}")


def _sharing(happened: str, permitted: PermittedAction, author: Author, read: Read) -> Effect:
    action = permitted.action
    thread = _own_target(action, read)
    reader = str(action.arguments["identity"])
    if not UUID.fullmatch(reader) or reader == action.principal.identity:
        raise ArgumentsInvalid("that is not the id of another identity", cause="identity")
    event = Event("thread.updated", {happened: {"identity": reader}})
    item, after = _change(thread, author, event)
    audited = audit_events.thread_changed(
        happened, audit_events.UPDATE, after, permitted, reader=reader
    )
    return Effect({**item, "reader": reader}, {**_outcome(after), "identity": reader}, audited)


def _as_read(thread: Row) -> dict[str, Any]:
    return {"thread_id": thread["thread_id"], "seen": thread["event_count"]}


def _change(
    thread: Row, author: Author, event: Event, **columns: str
) -> tuple[dict[str, Any], Row]:
    """What is to be written, and the thread as `threads.change` will leave it."""
    change = change_item(thread["thread_id"], author, event, columns=columns)
    counted = {"version": thread["version"] + 1, "revision": thread["revision"] + 1}
    return {**_as_read(thread), "change": change}, {**thread, **columns, **counted}


def _outcome(thread: Row) -> Outcome:
    return {
        "thread_id": thread["thread_id"],
        "etag": threads.etag(thread),
        "sphere": thread["sphere"],
        "status": thread["status"],
    }
