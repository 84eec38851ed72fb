"""Messages in Slack's blocks: plain text throughout, so that nothing is a link or a mention.

Pure. What a button says to us is the notification that it hangs on, and approve or reject.
"""

from __future__ import annotations

import json
from typing import Any, Final

from chenu_gate.view import as_text
from services.courier.wording import Content, clipped, headline, subject

APPROVE: Final = "approve"
REJECT: Final = "reject"
_TEXT: Final = 2_900
_SECTIONS: Final = 40
_CUT: Final = "… The rest is too long for a chat: see it whole before you decide."
_NEWER: Final = "There is a newer message about this: see below"


def card(message: Content, button_value: str = "", *, decides: bool = False) -> dict[str, Any]:
    """A checkpoint that waits, or has ended, and where it may be, two buttons to decide it."""
    data = message["data"]
    shown = as_text(json.loads(data["view"]))
    parts = [shown[at : at + _TEXT] for at in range(0, len(shown), _TEXT)]
    whole = len(parts) <= _SECTIONS
    if not whole:
        parts = [*parts[: _SECTIONS - 1], _CUT]
    sections = [clipped(data["question"], _TEXT), *parts, _digest(message)]
    # Nobody decides here what is not shown here.
    buttons = _deciding(button_value) if decides and whole else []
    buttons.append(_review(message, button_value))
    return _message(message, headline(message), sections, buttons)


def ended_card(message: Content, button_value: str) -> dict[str, Any]:
    """What an earlier card becomes once it is decided: how it ended, and nothing to press."""
    review = _review(message, button_value)
    return _message(message, headline(message), [_digest(message)], [review])


def replaced_card(message: Content) -> dict[str, Any]:
    """What an earlier card becomes when another one about the same checkpoint follows."""
    return _message(message, _NEWER, [_digest(message)], [])


def note(text: str) -> dict[str, Any]:
    """A message that asks nothing."""
    return {"text": _escaped(text), "blocks": [{"type": "section", "text": _plain(text)}]}


def _message(
    message: Content, head: str, sections: list[str], buttons: list[dict[str, Any]]
) -> dict[str, Any]:
    actions = [{"type": "actions", "elements": buttons}] if buttons else []
    return {
        # Notifications show it; escaped, since here Slack would read its own marks.
        "text": _escaped(subject(message)),
        "unfurl_links": False,
        "blocks": [
            {"type": "header", "text": _plain(head)},
            *({"type": "section", "text": _plain(part)} for part in sections if part),
            *actions,
        ],
    }


def _deciding(value: str) -> list[dict[str, Any]]:
    return [
        {
            "type": "button",
            "action_id": option,
            "value": value,
            "text": _plain(f"{option.capitalize()}"),
            "style": style,
            "confirm": {
                "title": _plain(f"{option.capitalize()} this?"),
                "text": _plain("It counts as your vote on exactly what is shown here."),
                "confirm": _plain(option.capitalize()),
                "deny": _plain("Not yet"),
            },
        }
        for option, style in ((APPROVE, "primary"), (REJECT, "danger"))
    ]


def _review(message: Content, value: str) -> dict[str, Any]:
    # It leads elsewhere, and we are told all the same: by what, the value says.
    told = {"value": value} if value else {}
    return {
        **told,
        "type": "button",
        "action_id": "review",
        "text": _plain("Look at it and decide"),
        "url": message["data"]["review_uri"],
    }


def _digest(message: Content) -> str:
    data = message["data"]
    return f"What a vote is for: {data['short_digest']} ({data['view_digest']})"


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
