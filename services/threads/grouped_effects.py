"""Effects that need not read first: concurrent ones are written in one commit.

Each becomes the payload of `threads.execute`, which fences the decision and does it at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from chenu_gate.permit import PermittedAction
from chenu_gate.tools import ToolMisused
from kernel.audit_event import AuditRecord
from services.threads import audit_events, messages, threads
from services.threads.changes import Author, change_item
from services.threads.effects import Outcome, thread_of
from services.threads.words import SPHERES


@dataclass(frozen=True, slots=True)
class GroupedEffect:
    """What is to be written, and what it will come to."""

    item: Mapping[str, Any]
    outcome: Outcome
    event: AuditRecord

    def payload(self, permitted: PermittedAction) -> dict[str, Any]:
        """What `threads.execute` takes."""
        permit = permitted.permit
        return {
            "decision_id": permit.decision,
            "permit_id": permit.id,
            "permit": permitted.token,
            "action_digest": permit.action,
            "last_moment": permit.last_moment.isoformat(),
            "tool": permitted.action.tool.name,
            "sphere": permitted.action.target_sphere,
            "outcome": self.outcome,
            **self.item,
        }


def create(permitted: PermittedAction, author: Author) -> GroupedEffect:
    """Found a thread in the sphere that governance was told of."""
    action = permitted.action
    given: dict[str, Any] = action.document()["arguments"]
    sphere = action.target_sphere
    if sphere not in SPHERES or given.get("sphere", sphere) != sphere:
        raise ToolMisused("the target sphere is not the one to found it in", cause="target_sphere")
    item = threads.founding_item({**threads.DEFAULTS, **given, "sphere": sphere}, author)
    founded = {"thread_id": item["thread_id"], "sphere": sphere, "revision": 1}
    outcome = {
        "thread_id": item["thread_id"],
        "etag": "v1",
        "sphere": sphere,
        "status": "active",
    }
    event = audit_events.thread_changed(
        "created",
        audit_events.CREATE,
        founded,
        permitted,
        founding_digest=item["event"]["digest"],
    )
    return GroupedEffect({"found": item}, outcome, event)


def append(permitted: PermittedAction, author: Author) -> GroupedEffect:
    """Add a message; it is an agent's, or Nova's own where no agent acts."""
    action = permitted.action
    thread_id = thread_of(action)
    role = "agent" if action.principal.agent else "assistant"
    message, told = messages.new_message(role, str(action.arguments["content"]))
    item = change_item(thread_id, author, told, message=message)
    event = audit_events.message_created(thread_id, action.target_sphere, message, permitted)
    outcome = {"thread_id": thread_id, "message_id": message["id"]}
    return GroupedEffect({"change": item, "name": action.targets[0].name}, outcome, event)


GROUPED: Final[Mapping[str, Callable[[PermittedAction, Author], GroupedEffect]]] = {
    "thread.create": create,
    "thread.append": append,
}
