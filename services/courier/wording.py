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
_SLACK_TEXT: Final = 2_900
_SLACK_SECTIONS: Final = 40
_CUT: Final = "… The rest is too long for a chat: see it whole before you decide."
_BEGINNINGS: Final = {
    "checkpoint.created": "A decision waits for you",
    "checkpoint.reminded": "A decision still waits for you",
    "checkpoint.escalated": "A decision waits, and you are asked as well",
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


def webhook_body(message: Content) -> str:
    """The body of a webhook; a view that would make it too long is left to the link."""
    body = json.dumps(message, ensure_ascii=False)
    if len(body.encode()) <= MAX_WEBHOOK_BYTES:
        return body
    data = {**message["data"], "view": "", "view_omitted": True}
    data["question"] = _clipped(data["question"], 1_000)
    return json.dumps({**message, "data": data}, ensure_ascii=False)


def subject(message: Content) -> str:
    """The subject of a mail: one line, with the digest to compare."""
    data = message["data"]
    return _clipped(f"[{data['short_digest']}] {_headline(message)}: {data['question']}", 200)


def mail_text(message: Content) -> str:
    """A mail: plain text only, the view whole. The link gives no right by itself."""
    data = message["data"]
    return "\n".join(
        (
            _headline(message),
            "",
            data["question"],
            "",
            as_text(json.loads(data["view"])),
            "",
            f"Risk: {data['risk']}. It waits until {data['expire_time']}.",
            f"What a vote is for: {data['short_digest']} ({data['view_digest']})",
            f"Look at it and decide, after log-in: {data['review_uri']}",
            "",
        )
    )


def slack_message(message: Content) -> dict[str, Any]:
    """A chat message: plain text throughout, so that nothing in it is a link or a mention."""
    data = message["data"]
    shown = as_text(json.loads(data["view"]))
    parts = [shown[at : at + _SLACK_TEXT] for at in range(0, len(shown), _SLACK_TEXT)]
    if len(parts) > _SLACK_SECTIONS:
        parts = [*parts[: _SLACK_SECTIONS - 1], _CUT]
    digest = f"What a vote is for: {data['short_digest']} ({data['view_digest']})"
    review = {
        "type": "button",
        "action_id": "review",
        "text": _plain("Look at it and decide"),
        "url": data["review_uri"],
    }
    sections = [_clipped(data["question"], _SLACK_TEXT), *parts, digest]
    return {
        # Notifications show it; escaped, since here Slack would read its own marks.
        "text": _escaped(subject(message)),
        "unfurl_links": False,
        "blocks": [
            {"type": "header", "text": _plain(_headline(message))},
            *({"type": "section", "text": _plain(part)} for part in sections),
            {"type": "actions", "elements": [review]},
        ],
    }


def _headline(message: Content) -> str:
    state = message["data"]["state"]
    return _BEGINNINGS.get(message["type"], f"It is {state}, and waits no more")


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clipped(text: str, limit: int) -> str:
    """On one line, and marked where it was cut."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _word(enum: Any, number: int, prefix: str) -> str:
    return str(enum.Name(number)).removeprefix(prefix).lower()
