"""A Slack app's web API: messages to one person, edited once they are out of date."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from services.courier.channels import Address
from services.courier.dialing import Answered, Dialer
from services.courier.notifications import Tried

API_URL: Final = "https://slack.com/api"
_ANSWER_BYTES: Final = 1 << 20
_GONE: Final = frozenset(
    {
        "account_inactive",
        "channel_not_found",
        "invalid_auth",
        "not_authed",
        "token_expired",
        "token_revoked",
        "user_not_found",
    }
)
"""Nothing will ever be sent with this token to this user."""
_LATER: Final = frozenset(
    {"fatal_error", "internal_error", "ratelimited", "request_timeout", "service_unavailable"}
)
_WORD: Final = re.compile(r"[a-z0-9_]{1,50}")
_REFERENCE: Final = re.compile(r"[A-Z0-9]{1,50}/[0-9.]{1,50}")
_NOT_THERE: Final = frozenset({"cant_update_message", "edit_window_closed", "message_not_found"})
"""Nobody sees the message any more, or nobody may change it."""


class SlackApps:
    """Posts and edits messages; each attempt says how it went."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer

    async def post(self, there: Address, message: dict[str, Any]) -> Tried:
        """Write to the channel's user."""
        return await self._call(there, "chat.postMessage", {"channel": there.user, **message})

    async def edit(
        self, there: Address, references: Sequence[str], message: dict[str, Any]
    ) -> Tried:
        """Let the messages of these references say something else, each; one after the other."""
        for reference in references:
            channel, _, stamp = reference.partition("/")
            place = {"channel": channel, "ts": stamp}
            tried = await self._call(there, "chat.update", {**place, **message})
            if not tried.delivered:
                return tried
        return Tried("OK")

    async def _call(self, there: Address, method: str, body: dict[str, Any]) -> Tried:
        result = await self._dialer.post(
            f"{there.address.rstrip('/')}/{method}",
            json.dumps(body, ensure_ascii=False).encode(),
            {
                "content-type": "application/json; charset=utf-8",
                "authorization": f"Bearer {there.token}",
            },
            answer_bytes=_ANSWER_BYTES,
        )
        if not isinstance(result, Answered):
            return Tried(result.reason, final=result.reason.startswith("URL_REFUSED"))
        if result.status != 200:
            wait = timedelta(seconds=result.retry_after)
            return Tried(f"HTTP_{result.status}", result.status, retry_after=wait)
        return _judged(result.body)


def _judged(body: bytes) -> Tried:
    """What the API said: it answers 200 to whatever it refuses."""
    try:
        answer = json.loads(body)
        said = "" if answer["ok"] else str(answer["error"])
        reference = f"{answer.get('channel', '')}/{answer.get('ts', '')}"
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return Tried("ANSWER_UNREADABLE", 200)
    if said in _NOT_THERE:
        return Tried("OK", 200)
    if answer["ok"]:
        # Whoever runs the server writes it: what is kept and sent back must look like Slack's.
        return Tried("OK", 200, reference=reference if _REFERENCE.fullmatch(reference) else "")
    if not _WORD.fullmatch(said):
        return Tried("ANSWER_UNREADABLE", 200)
    return Tried(f"SLACK_{said.upper()}", 200, gone=said in _GONE, final=said not in _LATER)
