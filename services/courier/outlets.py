"""How each kind of channel is spoken to: one attempt, and what it came to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from kernel.database import Record
from services.courier import cards, channels
from services.courier.ballots import Ballots
from services.courier.channels import Address
from services.courier.dialing import Answered, Dialer, Result
from services.courier.mailing import Mailer
from services.courier.notifications import Tried
from services.courier.sending import GONE
from services.courier.signatures import headers
from services.courier.slack_apps import SlackApps
from services.courier.vault import Vault, VaultKeyMissing
from services.courier.wording import (
    CONFIRMATION,
    RESOLVED,
    Content,
    confirmation_text,
    mail_text,
    subject,
    webhook_body,
)

_SLACK_HEADERS: Final = {"content-type": "application/json; charset=utf-8"}
_CONFIRM: Final = "Confirm that you want to be told here"


class Outlets:
    """Webhooks, mails and chats."""

    def __init__(
        self, vault: Vault, dialer: Dialer, mailer: Mailer, ballots: Ballots, decide_uri: str
    ) -> None:
        self._vault, self._dialer, self._mailer = vault, dialer, mailer
        self._ballots, self._decide_uri = ballots, decide_uri
        self._slack_apps = SlackApps(dialer)

    async def send(self, channel: Record, notification: Record, sent: Sequence[str]) -> Tried:
        """Try once; whatever went wrong is in the answer.

        `sent` are the references of earlier messages about the same checkpoint.
        """
        try:
            there = channels.address(self._vault, channel)
        except VaultKeyMissing:
            return Tried("SECRET_UNREADABLE")
        message = json.loads(notification["body"])
        match channel["kind"]:
            case "webhook":
                return await self._webhook(there, notification["notification_id"], message)
            case "slack":
                body = json.dumps(cards.card(message), ensure_ascii=False).encode()
                return tried(await self._dialer.post(there.address, body, _SLACK_HEADERS))
            case "slack_app":
                return await self._slack_app(there, notification, message, sent)
            case _:
                return await self._mail(there, notification, message)

    async def _webhook(self, there: Address, webhook_id: str, message: Content) -> Tried:
        body = webhook_body(message)
        signed = headers(webhook_id, body, there.secret, there.signing_key)
        return tried(await self._dialer.post(there.address, body.encode(), signed))

    async def _mail(self, there: Address, notification: Record, message: Content) -> Tried:
        if message["type"] == CONFIRMATION:
            about, text = _CONFIRM, confirmation_text(there.code)
        else:
            ballot = await self._ballot(there, message)
            link = self._decide_uri.replace("{ballot}", ballot) if ballot else ""
            about, text = subject(message), mail_text(message, link)
        return await self._mailer.send(there.address, notification, about, text)

    async def _slack_app(
        self, there: Address, notification: Record, message: Content, sent: Sequence[str]
    ) -> Tried:
        if message["type"] == CONFIRMATION:
            return await self._slack_apps.post(there, cards.note(confirmation_text(there.code)))
        value = notification["notification_id"]
        if message["type"] == RESOLVED:
            return await self._slack_apps.edit(there, sent, cards.ended_card(message, value))
        edited = await self._slack_apps.edit(there, sent, cards.replaced_card(message))
        if not edited.delivered:
            return edited
        decides = bool(there.grant and message["data"].get("remote"))
        return await self._slack_apps.post(there, cards.card(message, value, decides=decides))

    async def _ballot(self, there: Address, message: Content) -> str:
        """One for this mail, where one may decide from there; else it only leads to the review."""
        data: dict[str, Any] = message["data"]
        if not (there.grant and data.get("remote")):
            return ""
        return await self._ballots.on_offer(there, data["checkpoint_id"], data["view_digest"])


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
