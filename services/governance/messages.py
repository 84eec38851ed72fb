"""Rows as the messages of the contract."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.timestamp_pb2 import Timestamp

from chenu.governance.v1 import (
    approval_pb2,
    authorization_service_pb2,
    checkpoint_pb2,
    decision_pb2,
)
from chenu.governance.v1.approval_pb2 import ApprovalRequirement
from chenu.governance.v1.checkpoint_pb2 import (
    BlockedCheckpoint,
    Change,
    Checkpoint,
    Edit,
    Option,
    Remark,
    StageProgress,
    Vote,
)
from chenu.governance.v1.decision_pb2 import Decision
from chenu.threads.v1.thread_pb2 import Sphere
from kernel.database import Record
from kernel.errors import InvalidArgument
from services.governance.review import requirements
from services.governance.review.gate import OPTIONS, preview

Row: TypeAlias = Mapping[str, Any] | Record


def words(enum: Any, prefix: str) -> dict[str, Any]:
    """The values of an enum by their words in rows: lower case, without the prefix."""
    wrapper: EnumTypeWrapper = enum
    return {name.removeprefix(prefix).lower(): number for name, number in wrapper.items()}


STATES: Final = words(checkpoint_pb2.CheckpointState, "CHECKPOINT_STATE_")
TYPES: Final = words(checkpoint_pb2.CheckpointType, "CHECKPOINT_TYPE_")
PRIORITIES: Final = words(checkpoint_pb2.Priority, "PRIORITY_")
RISKS: Final = words(approval_pb2.RiskClass, "RISK_CLASS_")
KINDS: Final = words(decision_pb2.ActionKind, "ACTION_KIND_")
SPHERES: Final = {
    word: number for word, number in words(Sphere, "SPHERE_").items() if word != "unspecified"
}
"""By the words that actions and rules name them with."""
EFFECTS: Final = words(decision_pb2.Effect, "EFFECT_")
EXECUTIONS: Final = words(decision_pb2.ExecutionState, "EXECUTION_STATE_")
VERDICTS: Final = words(authorization_service_pb2.VerdictState, "VERDICT_STATE_")


def word_of(words_of: dict[str, Any], number: int) -> str:
    """The word of an enum's value."""
    return next(word for word, value in words_of.items() if value == number)


def stamp(moment: datetime | str | None) -> Timestamp | None:
    """A moment as it travels; text is ISO 8601, as jsonb holds it."""
    if moment is None:
        return None
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp


def moment(timestamp: Timestamp) -> datetime:
    """A moment as it came in, in UTC; InvalidArgument for what is none."""
    try:
        return timestamp.ToDatetime(UTC)
    except ValueError:
        told = f"no time: {timestamp.seconds} seconds and {timestamp.nanos} nanos"
        raise InvalidArgument(f"{told}; the years 1 to 9999 are") from None


def options() -> list[Option]:
    """The answers that a person may give."""
    return [Option(id=option.value, label=label) for option, label in OPTIONS.items()]


def decision(row: Row, checkpoint_id: str) -> Decision:
    """A decision; `row` is one of `decisions` with its `execution`."""
    return Decision(
        decision_id=row["decision_id"],
        request_id=row["request_id"],
        action_digest=row["action_digest"],
        effect=EFFECTS[row["effect"]],
        rule=row["rule"],
        rule_revision=row["rule_revision"],
        warnings=row["warnings"],
        checkpoint_id=checkpoint_id,
        execution_state=EXECUTIONS[row["execution"] or "not_started"],
        create_time=stamp(row["create_time"]),
    )


def blocked(row: Row, gate: Row, review_uri: str) -> BlockedCheckpoint:
    """What a blocked asker is told; `gate` is the pending checkpoint of the decision `row`."""
    return BlockedCheckpoint(
        checkpoint_id=gate["checkpoint_id"],
        action=f"{row['tool']} ({row['kind']})",
        action_digest=gate.get("edited_digest") or row["action_digest"],
        question=gate["question"],
        options=options(),
        expire_time=stamp(gate["expire_time"]),
        view_digest=gate["etag"],
        review_uri=review_uri.replace("{checkpoint_id}", gate["checkpoint_id"]),
        preview=preview(json.loads(gate["view"])) if gate["view"] else "",
        request_id=row["request_id"],
    )


def checkpoint(row: Row) -> Checkpoint:
    """A checkpoint from a row of `checkpoints_told`; lists leave action and view out."""
    requirement = requirements.read(row["approval"])
    stages = _progress(requirement, row)
    return Checkpoint(
        checkpoint_id=row["checkpoint_id"],
        type=TYPES[row["type"]],
        state=STATES[row["state"]],
        revision=row["revision"],
        priority=PRIORITIES[row["priority"]],
        action_kind=KINDS[row["kind"]],
        tool=row["tool"],
        question=row["question"] or "",
        options=options(),
        action=(row["action"] or "").encode(),
        action_digest=row["action_digest"],
        view=row["view"] or "",
        etag=row["etag"],
        rule=row["rule"],
        rule_revision=row["rule_revision"],
        required_approvals=row["required_approvals"],
        votes=[_vote(vote) for vote in row["votes"] or ()],
        run_id=row["run"],
        thread_id=row["thread"],
        request_id=row["request_id"],
        identity_id=row["identity"],
        expire_time=stamp(row["expire_time"]),
        valid_until=stamp(row["valid_until"]),
        create_time=stamp(row["create_time"]),
        resolve_time=stamp(row["resolve_time"]),
        resolution_reason=row["resolution_reason"] or "",
        execution_state=EXECUTIONS[row["execution"] or "not_started"],
        contradicted_by=EXECUTIONS[row["contradicted_by"] or "unspecified"],
        sphere=row["sphere"],
        approval=requirement,
        risk=RISKS[row["risk"]],
        stages=stages,
        current_stage=_current(stages) if row["state"] == "pending" else 0,
        claimed_by=row["claimed_by"] or "",
        claim_until=stamp(row["claim_until"]),
        remarks=[_remark(remark) for remark in row["remarks"] or ()],
        remind_time=stamp(row["remind_time"]),
        reminders=row["reminders"],
        escalate_time=stamp(row["escalate_time"]),
        escalated=row["escalated"],
        execute_by=stamp(row["execute_by"]),
        edits=[_edit(edit) for edit in row["edits"] or ()],
    )


def _progress(requirement: ApprovalRequirement, row: Row) -> list[StageProgress]:
    """How far each stage has come, by the votes for what waits now."""
    approved: dict[int, list[str]] = {}
    for vote in row["votes"] or ():
        if vote["option"] == "approve" and vote["revision"] == row["revision"]:
            approved.setdefault(vote["stage"], []).append(vote["person"])
    return [
        StageProgress(
            name=stage.name,
            required=stage.required,
            person_ids=approved.get(number, ()),
            missing=max(0, stage.required - len(approved.get(number, ()))),
        )
        for number, stage in enumerate(requirement.stages, 1)
    ]


def _current(stages: Sequence[StageProgress]) -> int:
    return next((number for number, stage in enumerate(stages, 1) if stage.missing), 0)


def _edit(row: Row) -> Edit:
    return Edit(
        revision=row["revision"],
        person_id=row["person"],
        action_digest=row["action_digest"],
        changes=[Change(**change) for change in row["changes"] or ()],
        create_time=stamp(row["create_time"]),
    )


def _remark(row: Row) -> Remark:
    return Remark(
        remark_id=row["remark_id"],
        person_id=row["person"],
        is_question=row["is_question"],
        text=row["remark"],
        create_time=stamp(row["create_time"]),
    )


def _vote(row: Row) -> Vote:
    return Vote(
        person_id=row["person"],
        identity_id=row["voter_identity"],
        option_id=row["option"],
        comment=row["comment"] or "",
        view_digest=row["view_digest"],
        authentication=row["authentication"],
        on_behalf_of=row["seat"] or "",
        stage=row["stage"],
        create_time=stamp(row["create_time"]),
    )
