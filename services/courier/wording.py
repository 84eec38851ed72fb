"""What a notification says, to a program, in a mail and in a chat: the same view. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from chenu.governance.v1.approval_pb2 import RiskClass
from chenu.governance.v1.checkpoint_pb2 import Checkpoint, CheckpointState
from chenu.governance.v1.decision_pb2 import ActionKind
from chenu.governance.v1.notice_service_pb2 import GetNoticeResponse, NoticeEvent
from chenu_gate.view import as_text, short_digest

Content: TypeAlias = Mapping[str, Any]
MAX_WEBHOOK_BYTES: Final = 20_000
CONFIRMATION: Final = "channel.confirmation"
RESOLVED: Final = "checkpoint.resolved"
CONTRADICTED: Final = "checkpoint.contradicted"
_BEGINNINGS: Final = {
    "checkpoint.created": "A decision waits for you",
    "checkpoint.reminded": "A decision still waits for you",
    "checkpoint.escalated": "A decision waits, and you are asked as well",
    CONTRADICTED: "A person and the executor say different things of what became of it: look",
}


def content(told: GetNoticeResponse) -> dict[str, Any]:
    """All that any channel shows of a notice, as it is kept and as programs get it."""
    checkpoint, notice = told.checkpoint, told.notice
    return {
        "type": f"checkpoint.{_word(NoticeEvent, notice.event, 'NOTICE_EVENT_')}",
        "timestamp": notice.create_time.ToJsonString(),
        "data": {
            **_standing(checkpoint),
            "question": checkpoint.question,
            "view": checkpoint.view,
            "view_digest": checkpoint.etag,
            "short_digest": short_digest(checkpoint.etag),
            "action_digest": checkpoint.action_digest,
            "expire_time": checkpoint.expire_time.ToJsonString(),
            "remote": _remote(checkpoint),
            "review_uri": told.review_uri,
        },
    }


def _standing(checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "checkpoint_id": checkpoint.checkpoint_id,
        "revision": checkpoint.revision,
        "state": _word(CheckpointState, checkpoint.state, "CHECKPOINT_STATE_"),
        "tool": checkpoint.tool,
        "kind": _word(ActionKind, checkpoint.action_kind, "ACTION_KIND_"),
        "risk": _word(RiskClass, checkpoint.risk, "RISK_CLASS_"),
        "required_approvals": checkpoint.required_approvals,
    }


def _remote(checkpoint: Checkpoint) -> bool:
    """Whether it waits for what may come from a mail or a chat, as governance will count it."""
    pending = checkpoint.state == CheckpointState.CHECKPOINT_STATE_PENDING
    most = checkpoint.approval.remote_risk_class
    return pending and RiskClass.RISK_CLASS_LOW <= checkpoint.risk <= most


def confirmation() -> dict[str, Any]:
    """What is kept of a message with a code; the code itself is with the address."""
    return {"type": CONFIRMATION, "data": {}}


def webhook_body(message: Content) -> str:
    """The body of a webhook; a view that would make it too long is left to the link."""
    body = json.dumps(message, ensure_ascii=False)
    if len(body.encode()) <= MAX_WEBHOOK_BYTES:
        return body
    data = {**message["data"], "view": "", "view_omitted": True}
    data["question"] = clipped(data["question"], 1_000)
    return json.dumps({**message, "data": data}, ensure_ascii=False)


def subject(message: Content) -> str:
    """The subject of a mail: one line, with the digest to compare."""
    data = message["data"]
    return clipped(f"[{data['short_digest']}] {headline(message)}: {data['question']}", 200)


def mail_text(message: Content, decide_uri: str = "") -> str:
    """A mail: plain text only, the view whole. A link decides nothing: the page behind it does."""
    data = message["data"]
    lines = [
        headline(message),
        "",
        data["question"],
        "",
        as_text(json.loads(data["view"])),
        "",
        f"Risk: {data['risk']}. It waits until {data['expire_time']}.",
        f"What a vote is for: {data['short_digest']} ({data['view_digest']})",
        f"Look at it and decide, after log-in: {data['review_uri']}",
    ]
    if decide_uri:
        lines += [
            "",
            "Or decide once without log-in. The link is yours: do not pass this mail on.",
            decide_uri,
        ]
    return "\n".join((*lines, ""))


def confirmation_text(code: str) -> str:
    """A mail or chat message with the code that confirms its channel."""
    return "\n".join(
        (
            "Somebody wants to be told here of decisions that wait in CHE·NU.",
            f"If it was you, give this code back: {code}",
            "For example: chenu channels confirm NAME CODE",
            "If it was not you, do nothing: nothing else will be sent.",
            "",
        )
    )


def headline(message: Content) -> str:
    """What it is about, in a line."""
    state = message["data"]["state"]
    return _BEGINNINGS.get(message["type"], f"It is {state}, and waits no more")


def clipped(text: str, limit: int) -> str:
    """On one line, and marked where it was cut."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _word(enum: Any, number: int, prefix: str) -> str:
    return str(enum.Name(number)).removeprefix(prefix).lower()
