"""What a person is asked: the view, the question, the answers, how soon."""

from __future__ import annotations

from typing import Any, Final

from chenu_gate.action import Action
from chenu_gate.canonical_json import digest, write
from chenu_gate.view import as_text, render
from services.governance.lifecycle import Option
from services.governance.rules import CheckpointType, Judgement, RuleSet

OPTIONS: Final = {Option.APPROVE: "Approve", Option.REJECT: "Reject"}
REQUIRED_APPROVALS: Final = 1
PRIORITIES: Final = {
    CheckpointType.EXECUTION_APPROVAL: "medium",
    CheckpointType.DATA_ACCESS: "high",
    CheckpointType.SCOPE_ELEVATION: "high",
    CheckpointType.BUDGET_APPROVAL: "critical",
    CheckpointType.CROSS_SPHERE: "high",
    CheckpointType.DESTRUCTIVE_ACTION: "high",
    CheckpointType.IDENTITY_BOUNDARY: "critical",
}
_UNMATCHED_NAME: Final = "No rule"
_UNMATCHED_DESCRIPTION: Final = "No rule knows this kind of action, so a person must decide."
_PREVIEW_CHARACTERS: Final = 600


def gate(
    action: Action, judgement: Judgement, rules: RuleSet, checkpoint_id: str, agent_words: str
) -> dict[str, Any]:
    """The checkpoint for an action as it is stored; raises ActionRefused for an endless view."""
    rule = rules.named(judgement.rule)
    view = render(action, agent_words=agent_words)
    view["question"] = f"{view['headline']} Shall it be done?"
    view["options"] = [option.value for option in OPTIONS]
    view["stopped_by"] = {
        "rule": judgement.rule,
        "name": rule.name if rule else _UNMATCHED_NAME,
        "description": rule.description if rule else _UNMATCHED_DESCRIPTION,
        "revision": rules.revision,
    }
    rendered = write(view)
    checkpoint_type = judgement.checkpoint_type or CheckpointType.EXECUTION_APPROVAL
    return {
        "checkpoint_id": checkpoint_id,
        "type": checkpoint_type.value,
        "priority": PRIORITIES[checkpoint_type],
        "etag": digest(rendered),
        "required_approvals": REQUIRED_APPROVALS,
        "question": view["question"],
        "view": rendered.decode(),
    }


def preview(view: dict[str, Any]) -> str:
    """The beginning of a view in plain words; nothing in it comes from the agent."""
    text = as_text(view | {"untrusted": {"agent_words": ""}})
    return text if len(text) <= _PREVIEW_CHARACTERS else f"{text[:_PREVIEW_CHARACTERS]}…"
