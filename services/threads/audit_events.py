"""The audit events of the threads service: ids, words and digests, never a title or a text."""

from collections.abc import Mapping
from typing import Any, Final

from chenu.events.v1.audit_event_pb2 import PHASE_DONE, PHASE_OUTCOME, AuditAction
from chenu_gate.permit import PermittedAction
from kernel.audit_event import AuditRecord, Decision, record
from services.threads.tables import Row

SOURCE: Final = "threads"
CREATE: Final = AuditAction.AUDIT_ACTION_CREATE
UPDATE: Final = AuditAction.AUDIT_ACTION_UPDATE
DELETE: Final = AuditAction.AUDIT_ACTION_DELETE
TRANSFER: Final = AuditAction.AUDIT_ACTION_CROSS_SPHERE_TRANSFER
EXECUTE: Final = AuditAction.AUDIT_ACTION_EXECUTE
ACCESS: Final = AuditAction.AUDIT_ACTION_CROSS_SPHERE_ACCESS
_CONTENT: Final = ("title", "description", "sphere", "status", "tags")


def thread_changed(
    happened: str,
    action: AuditAction,
    thread: Row,
    permitted: PermittedAction | None = None,
    before: Row | None = None,
    **details: str,
) -> AuditRecord:
    """A thread was created, updated, archived, …: a version of the thread's own stream.

    With `before`, the thread as it was, both states are told by their digests.
    """
    subject = f"thread/{thread['thread_id']}"
    return record(
        source=SOURCE,
        type=f"thread.{happened}",
        action=action,
        subject=subject,
        sphere=thread["sphere"],
        phase=PHASE_OUTCOME if permitted else PHASE_DONE,
        stream=subject,
        version=thread["revision"],
        details={**details, **_execution(permitted)},
        targets=_under(permitted),
        decision=_decision(permitted),
        before={name: before[name] for name in _CONTENT} if before else None,
        after={name: thread[name] for name in _CONTENT} if before else None,
    )


def message_created(
    thread_id: str,
    sphere: str,
    message: Mapping[str, str],
    permitted: PermittedAction | None = None,
) -> AuditRecord:
    """A message was added to a thread."""
    return record(
        source=SOURCE,
        type="message.created",
        action=CREATE,
        subject=f"message/{message['id']}",
        sphere=sphere,
        phase=PHASE_OUTCOME if permitted else PHASE_DONE,
        details={"thread": thread_id, "role": message["role"], **_execution(permitted)},
        targets=(f"thread/{thread_id}", *_under(permitted)),
        decision=_decision(permitted),
    )


def thread_event_appended(thread: Row, event_id: str, payload: Mapping[str, Any]) -> AuditRecord:
    """A person recorded an event in a thread's history, or Nova what became of a run."""
    return record(
        source=SOURCE,
        type="thread_event.appended",
        action=CREATE,
        subject=f"thread_event/{event_id}",
        sphere=thread["sphere"],
        details={"thread": thread["thread_id"], "sequence": str(thread["event_count"])},
        targets=(f"thread/{thread['thread_id']}",),
        # The history's own digest of it has no key; here it would outlive the payload for ever.
        after={"payload": dict(payload)},
    )


def search_executed(permitted: PermittedAction, found: int) -> AuditRecord:
    """A search was done for a run; what was looked for stands in the action alone."""
    action = permitted.action
    abroad = action.source_sphere not in ("", action.target_sphere)
    return record(
        source=SOURCE,
        type="search.executed",
        action=ACCESS if abroad else EXECUTE,
        subject=f"decision/{permitted.permit.decision}",
        sphere=permitted.action.target_sphere,
        phase=PHASE_OUTCOME,
        details={"found": str(found), **_execution(permitted)},
        decision=_decision(permitted),
    )


def thread_exported(
    thread: Row, permitted: PermittedAction, document: Mapping[str, Any]
) -> AuditRecord:
    """A copy of the thread was given away."""
    return record(
        source=SOURCE,
        type="thread.exported",
        action=EXECUTE,
        subject=f"thread/{thread['thread_id']}",
        sphere=thread["sphere"],
        phase=PHASE_OUTCOME,
        details={"messages": str(len(document["messages"])), **_execution(permitted)},
        targets=_under(permitted),
        decision=_decision(permitted),
        after={"document": dict(document)},
    )


def _decision(permitted: PermittedAction | None) -> Decision | None:
    """A permit is for one decision; why it was made stands in governance's own record."""
    return Decision(permitted.permit.decision, effect="ALLOW") if permitted else None


def _under(permitted: PermittedAction | None) -> tuple[str, ...]:
    """Who looks for a decision finds what was done under it."""
    return (f"decision/{permitted.permit.decision}",) if permitted else ()


def _execution(permitted: PermittedAction | None) -> dict[str, str]:
    if permitted is None:
        return {}
    action = permitted.action
    return {
        "tool": action.tool.name,
        "decision": permitted.permit.decision,
        "action_digest": action.digest,
        "run": action.run,
    }
