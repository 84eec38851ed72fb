"""How each kind of channel is spoken to: one attempt, and what it came to."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, Final

from kernel.database import Record
from services.courier import channels
from services.courier.channels import Address
from services.courier.dialing import Answered, Dialer, Result
from services.courier.mailing import Mailer
from services.courier.notifications import Tried
from services.courier.sending import GONE
from services.courier.signatures import headers
from services.courier.vault import Vault, VaultKeyMissing
from services.courier.wording import slack_message, webhook_body

_SLACK_HEADERS: Final = {"content-type": "application/json; charset=utf-8"}


class Outlets:
    """Webhooks, mails and chats."""

    def __init__(self, vault: Vault, dialer: Dialer, mailer: Mailer) -> None:
        self._vault, self._dialer, self._mailer = vault, dialer, mailer

    async def send(self, channel: Record, notification: Record) -> Tried:
        """Try once; whatever went wrong is in the answer."""
        try:
            there = channels.address(self._vault, channel)
        except VaultKeyMissing:
            return Tried("SECRET_UNREADABLE")
        message = json.loads(notification["body"])
        match channel["kind"]:
            case "webhook":
                return await self._post(there, notification["notification_id"], message)
            case "slack":
                body = json.dumps(slack_message(message), ensure_ascii=False).encode()
                return tried(await self._dialer.post(there.address, body, _SLACK_HEADERS))
            case _:
                return await self._mailer.send(there.address, notification, message)

    async def _post(self, there: Address, webhook_id: str, message: dict[str, Any]) -> Tried:
        body = webhook_body(message)
        signed = headers(webhook_id, body, there.secret, there.signing_key)
        return tried(await self._dialer.post(there.address, body.encode(), signed))


def tried(result: Result) -> Tried:
    """An answer over HTTP, as Standard Webhooks reads it: 2xx is success, 410 the end."""
    if not isinstance(result, Answered):
        return Tried(result.reason, final=result.reason.startswith("URL_REFUSED"))
    if 200 <= result.status < 300:
        return Tried("OK", result.status)
    return Tried(
        f"HTTP_{result.status}",
        result.status,
        gone=result.status == GONE,
        retry_after=timedelta(seconds=result.retry_after),
    )
