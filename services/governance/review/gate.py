"""What a person is asked: the view, the question, the answers, how soon."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from chenu.governance.v1.approval_pb2 import ApprovalRequirement
from chenu_gate.action import Action
from chenu_gate.canonical_json import digest, write
from chenu_gate.view import as_text, render
from services.governance.policy.rule import CheckpointType, Facts, Judgement
from services.governance.policy.rules import RuleSet
from services.governance.policy.stopping import cumulative_use, matched_facts
from services.governance.policy.today import Used, used_today
from services.governance.review import requirements
from services.governance.review.lifecycle import Option
from services.governance.review.working_time import later

OPTIONS: Final = {Option.APPROVE: "Approve", Option.REJECT: "Reject"}
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
    action: Action,
    judgement: Judgement,
    rules: RuleSet,
    requirement: ApprovalRequirement,
    *,
    checkpoint_id: str,
    agent_words: str,
    facts: Facts,
    used: Used,
    edited: dict[str, Any] | None = None,
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
        "facts": matched_facts(rule, rules.known(action, facts)),
    }
    view["cumulative"] = [*used_today(action, used), *cumulative_use(rules, action, facts)]
    if edited is not None:
        view["edited"] = edited
    rendered = write(view)
    checkpoint_type = judgement.checkpoint_type or CheckpointType.EXECUTION_APPROVAL
    return {
        "checkpoint_id": checkpoint_id,
        "type": checkpoint_type.value,
        "priority": PRIORITIES[checkpoint_type],
        "etag": digest(rendered),
        "required_approvals": requirements.required(requirement),
        "approval": requirements.stored(requirement),
        **voters(requirement, owner=action.principal.person),
        **clocks(requirement, facts.time),
        "question": view["question"],
        "view": rendered.decode(),
    }


def owner_word(person: str) -> str:
    """What stands among roles for being the owner; no role has a colon."""
    return f"owner:{person}"


def voters(
    requirement: ApprovalRequirement, *, owner: str, escalated: bool = False
) -> dict[str, list[str]]:
    """Who may look at the checkpoint besides its identity: whoever the requirement names.

    The owner looks as the identity; the word is for those who stand in for the owner.
    """
    groups = [*(stage.approvers for stage in requirement.stages), requirement.veto]
    if escalated:
        groups.append(requirement.fallback)
    persons = {person.lower() for group in groups for person in group.person_ids}
    roles = {role for group in groups for role in group.roles}
    if any(group.owner for group in groups):
        roles.add(owner_word(owner))
    return {"voter_persons": sorted(persons), "voter_roles": sorted(roles)}


def clocks(requirement: ApprovalRequirement, now: datetime) -> dict[str, str | None]:
    """In how long each of its clocks strikes; `execute_in` bounds the others."""
    hours = requirement.working_hours if requirement.HasField("working_hours") else None
    deadline = None
    if requirement.HasField("execute_within"):
        deadline = requirement.execute_within.ToTimedelta()

    def wait(name: str) -> timedelta | None:
        if not requirement.HasField(name):
            return None
        waiting = later(now, getattr(requirement, name).ToTimedelta(), hours) - now
        return waiting if deadline is None else min(waiting, deadline)

    waits = {
        "expires_in": wait("expire_after"),
        "remind_in": wait("remind_after"),
        "escalate_in": wait("escalate_after"),
        "execute_in": deadline,
    }
    return {
        name: None if wait is None else f"{wait.total_seconds()} seconds"
        for name, wait in waits.items()
    }


def preview(view: dict[str, Any]) -> str:
    """The beginning of a view in plain words; nothing in it comes from the agent."""
    text = as_text(view | {"untrusted": {"agent_words": ""}})
    return text if len(text) <= _PREVIEW_CHARACTERS else f"{text[:_PREVIEW_CHARACTERS]}…"
