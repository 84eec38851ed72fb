"""Effects: each action as what is to be written, and what it will come to.

An effect becomes the payload of `threads.execute`, which fences the decision and does it at once;
concurrent ones share a commit. An outcome is ids and states only, since it is kept for ever.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from chenu_gate.action import Action, Target
from chenu_gate.permit import PermittedAction
from chenu_gate.tools import ArgumentsInvalid, ToolMisused
from kernel.audit_event import AuditRecord
from kernel.caller import UUID
from services.threads import audit_events, messages, threads
from services.threads.changes import Author, change_item
from services.threads.search import found_threads
from services.threads.words import SPHERES

Outcome = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Effect:
    """What is to be written, and what it will come to; `told` is for the asker and not kept."""

    item: Mapping[str, Any]
    outcome: Outcome
    event: AuditRecord
    told: Mapping[str, Any] = field(default_factory=dict)

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


def create(permitted: PermittedAction, author: Author) -> Effect:
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
    return Effect({"found": item}, outcome, event)


def append(permitted: PermittedAction, author: Author) -> Effect:
    """Add a message; it is an agent's, or Nova's own where no agent acts."""
    action = permitted.action
    thread_id = thread_of(action)
    role = "agent" if action.principal.agent else "assistant"
    message, told = messages.new_message(role, str(action.arguments["content"]))
    item = {
        "thread_id": thread_id,
        "name": thread_in(action).name,
        "change": change_item(thread_id, author, told, message=message),
    }
    event = audit_events.message_created(thread_id, action.target_sphere, message, permitted)
    return Effect(item, {"thread_id": thread_id, "message_id": message["id"]}, event)


def search(permitted: PermittedAction, _author: Author, read: Mapping[str, Any]) -> Effect:
    """Find threads; what was found is kept apart, since it tells what people wrote."""
    found = found_threads(read["found"], str(permitted.action.arguments["query"]))
    event = audit_events.search_executed(permitted, len(found))
    return Effect({"answer": found}, {"found": len(found)}, event, told={"threads": found})


def thread_of(action: Action) -> str:
    """The id of the thread that the action is about; a title is not enough to act on."""
    thread_id = thread_in(action).id
    if not UUID.fullmatch(thread_id):
        raise ArgumentsInvalid("the thread is not named by its id", cause="thread")
    return thread_id


def thread_in(action: Action) -> Target:
    """The thread among the action's targets."""
    return next(target for target in action.targets if target.type == "thread")


# What needs no look at what is there: `threads.execute` sees all that it is refused for.
BLIND: Final[Mapping[str, Callable[[PermittedAction, Author], Effect]]] = {
    "thread.create": create,
    "thread.append": append,
}
