"""What is pressed in a chat: whose app signed it, when, by whom, and what it stands for."""

from __future__ import annotations

import hmac
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs
from uuid import UUID

import grpc

from kernel.caller import Caller
from kernel.database import Database, Record, Transaction
from kernel.errors import relayed
from kernel.statement import Statement
from services.courier import audit_events, channels
from services.courier.ballots import Ballots
from services.courier.cards import APPROVE, REJECT, note
from services.courier.channels import Address
from services.courier.dialing import Answered, Dialer
from services.courier.errors import (
    ChannelDecidesNothing,
    ChannelDisabled,
    InteractionRefused,
    InteractionReplayed,
)
from services.courier.vault import Vault, VaultKeyMissing

WINDOW_SECONDS: Final = 300
_ACTION: Final = re.compile(r"[a-z_]{1,40}")
_OWNER: Final = Statement(
    "SELECT tenant, identity, channel_id FROM courier.notifications"
    " WHERE notification_id = :notification_id"
)
_NOTIFICATION: Final = Statement(
    "SELECT * FROM courier.notifications WHERE notification_id = :notification_id"
)
# Older ones are refused by their time.
_FORGET: Final = Statement(
    "DELETE FROM courier.interactions WHERE channel_id = :channel_id"
    " AND create_time < clock_timestamp() - interval '1 hour'"
)
_TAKE: Final = Statement(
    "INSERT INTO courier.interactions (signature_digest, channel_id, tenant, identity)"
    " VALUES (:signature_digest, :channel_id, current_setting('chenu.tenant')::uuid,"
    " current_setting('chenu.identity')::uuid) ON CONFLICT DO NOTHING"
)


class Pressed(NamedTuple):
    """A button, as the payload tells: on which notification, which, by which user."""

    notification_id: str
    action: str
    user: str
    response_url: str
    """Where the user is answered; believed no more than any address."""


class Interactions:
    """Takes each once, and gives the ballot of those that decide."""

    def __init__(
        self,
        database: Database,
        worker: Database,
        vault: Vault,
        ballots: Ballots,
        dialer: Dialer,
    ) -> None:
        self._database, self._worker, self._dialer = database, worker, dialer
        self._vault, self._ballots = vault, ballots

    async def answer(self, body: bytes, timestamp: str, signature: str) -> tuple[str, str]:
        """The ballot and the option; both empty for a button that decides nothing."""
        pressed = read(body)
        async with self._opened(pressed, body, timestamp, signature) as (tx, channel, there):
            if channel["disabled"]:
                raise ChannelDisabled(channel_id=channel["channel_id"])
            if pressed.action not in (APPROVE, REJECT):
                return "", ""
            if not there.grant:
                raise ChannelDecidesNothing
            notification = await self._take(tx, channel, pressed, signature)
        checkpoint_id, view_digest = notification["checkpoint_id"], notification["view_digest"]
        try:
            ballot = await self._ballots.issue(there, checkpoint_id, view_digest)
        except grpc.aio.AioRpcError as error:
            raise relayed(error) from error
        return ballot, pressed.action

    async def explain(
        self, body: bytes, timestamp: str, signature: str, *, reason: str, text: str
    ) -> bool:
        """Tell who pressed why it did not count; whether that was taken."""
        pressed = read(body)
        async with self._opened(pressed, body, timestamp, signature) as (tx, _, _):
            (row,) = await tx.fetch(_NOTIFICATION, notification_id=pressed.notification_id)
            tx.emit(audit_events.interaction_explained(row, pressed.action, reason))
        message = {"response_type": "ephemeral", "replace_original": False, **note(text)}
        answer = await self._dialer.post(
            pressed.response_url, json.dumps(message).encode(), {"content-type": "application/json"}
        )
        return isinstance(answer, Answered) and answer.status == 200

    @asynccontextmanager
    async def _opened(
        self, pressed: Pressed, body: bytes, timestamp: str, signature: str
    ) -> AsyncIterator[tuple[Transaction, Record, Address]]:
        """A transaction of the channel's owner; InteractionRefused unless its app has signed it."""
        # Nothing of it is believed yet: it only says with whose secret it must be signed.
        async with self._worker.work() as tx:
            found = await tx.fetch_one(_OWNER, notification_id=pressed.notification_id)
        if found is None:
            raise InteractionRefused
        owner = Caller.system(service="courier", tenant=found["tenant"], identity=found["identity"])
        async with self._database.transaction(owner) as tx:
            channel = await channels.get(tx, found["channel_id"])
            there = self._address(channel)
            signed = is_signed(there.secret, body, timestamp, signature)
            if not signed or pressed.user != there.user:
                raise InteractionRefused
            yield tx, channel, there

    async def _take(
        self, tx: Transaction, channel: Record, pressed: Pressed, signature: str
    ) -> Record:
        """The notification that was shown; InteractionReplayed where it was pressed before."""
        channel_id = channel["channel_id"]
        await tx.execute(_FORGET, channel_id=channel_id)
        digest = sha256(signature.encode()).digest()
        if not await tx.execute(_TAKE, signature_digest=digest, channel_id=channel_id):
            raise InteractionReplayed
        (row,) = await tx.fetch(_NOTIFICATION, notification_id=pressed.notification_id)
        tx.emit(audit_events.interaction_taken(row, pressed.action))
        return row

    def _address(self, channel: Record) -> Address:
        try:
            there = channels.address(self._vault, channel)
        except VaultKeyMissing:
            raise InteractionRefused from None
        if channel["kind"] != "slack_app":
            raise InteractionRefused
        return there


def read(body: bytes) -> Pressed:
    """The button of a `block_actions` payload; InteractionRefused for anything else."""
    try:
        payload: Any = json.loads(parse_qs(body.decode(), strict_parsing=True)["payload"][0])
        button = payload["actions"][0]
        value, user = str(button.get("value", "")), str(payload["user"]["id"])
        where, action = str(payload.get("response_url", "")), str(button["action_id"])
        pressed = Pressed(str(UUID(value)), action, user, where)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise InteractionRefused from None
    if not _ACTION.fullmatch(action):
        raise InteractionRefused
    return pressed


def is_signed(secret: str, body: bytes, timestamp: str, signature: str) -> bool:
    """Whether it is Slack's `v0` signature over this body, made within the last five minutes."""
    if not (timestamp.isascii() and timestamp.isdigit() and signature.isascii()):
        return False
    if abs(time.time() - int(timestamp)) > WINDOW_SECONDS:
        return False
    signed = b"v0:" + timestamp.encode() + b":" + body
    wanted = "v0=" + hmac.digest(secret.encode(), signed, "sha256").hex()
    return hmac.compare_digest(wanted, signature)
