"""Channels: where a person hears of checkpoints. Addresses and secrets rest encrypted together."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Final

import asyncpg

from kernel.caller import Caller
from kernel.database import Record, Transaction
from kernel.errors import Forbidden
from kernel.statement import Statement
from services.courier import audit_events
from services.courier.errors import (
    ChannelGrantInvalid,
    ChannelNameTaken,
    ChannelNotConfirmed,
)
from services.courier.vault import Vault

_CREATE: Final = Statement(
    "INSERT INTO courier.channels (channel_id, tenant, identity, person, name, kind, sealed,"
    " version) VALUES (:channel_id, current_setting('chenu.tenant')::uuid,"
    " current_setting('chenu.identity')::uuid, :person, :name, :kind, :sealed, 1) RETURNING *"
)
_GET: Final = Statement("SELECT * FROM courier.channels WHERE channel_id = :channel_id")
_LIST: Final = Statement(
    "SELECT * FROM courier.channels"
    " WHERE (name, channel_id) > (CAST(:name AS text), CAST(:after_id AS uuid))"
    " ORDER BY name, channel_id LIMIT :limit"
)
_SWITCH: Final = Statement(
    "UPDATE courier.channels SET disabled = :disabled, disable_reason = :reason,"
    " version = version + 1 WHERE channel_id = :channel_id AND disabled <> :disabled RETURNING *"
)
_SEAL: Final = Statement(
    "UPDATE courier.channels SET sealed = :sealed, decide_until = :until, version = version + 1"
    " WHERE channel_id = :channel_id RETURNING *"
)
_DELETE: Final = Statement(
    "DELETE FROM courier.channels WHERE channel_id = :channel_id RETURNING *"
)
FIRST_ID: Final = "00000000-0000-0000-0000-000000000000"
CONFIRMED: Final = ("email", "slack_app")
"""Kinds to which only a code is sent until it came back, and that may decide then."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a channel leads, and all that is secret about it."""

    address: str
    secret: str = ""
    """What a webhook, or a Slack app's interaction, is signed with."""
    signing_key: str = ""
    token: str = ""
    """Of a Slack app's bot."""
    user: str = ""
    """Who a Slack app writes to."""
    code: str = ""
    """What is sent there to confirm it."""
    grant: str = ""
    """What ballots are had for, where one may decide from there."""

    def sealed(self, vault: Vault, channel_id: str) -> bytes:
        """As it rests."""
        return vault.seal(json.dumps(asdict(self)), channel_id)


def address(vault: Vault, channel: Record) -> Address:
    """Where a channel leads; VaultKeyMissing where nobody can tell any more."""
    return Address(**json.loads(vault.unseal(channel["sealed"], channel["channel_id"])))


async def create(
    tx: Transaction, caller: Caller, channel_id: str, *, name: str, kind: str, sealed: bytes
) -> Record:
    """Register a channel of the caller's."""
    try:
        row = await tx.fetch_one(
            _CREATE,
            channel_id=channel_id,
            person=caller.person,
            name=name,
            kind=kind,
            sealed=sealed,
        )
    except asyncpg.UniqueViolationError:
        raise ChannelNameTaken from None
    if row is None:
        raise LookupError("a channel was written and is not there")
    tx.emit(audit_events.channel_changed("created", audit_events.CREATE, row))
    return row


async def get(tx: Transaction, channel_id: str) -> Record:
    """The channel; Forbidden where it is not the caller's, whether or not it exists."""
    row = await tx.fetch_one(_GET, channel_id=channel_id)
    if row is None:
        raise Forbidden(subject=f"channel/{channel_id}")
    return row


def confirmed(channel: Record) -> bool:
    """Whether more than a code may be sent there."""
    return channel["kind"] not in CONFIRMED or channel["confirm_time"] is not None


async def set_grant(
    tx: Transaction, vault: Vault, channel_id: str, grant: str, until: datetime | None
) -> Record:
    """Let decisions come from there until that time, or no more."""
    channel = await get(tx, channel_id)
    if grant and channel["kind"] not in CONFIRMED:
        raise ChannelGrantInvalid
    if grant and not confirmed(channel):
        raise ChannelNotConfirmed
    sealed = replace(address(vault, channel), grant=grant).sealed(vault, channel_id)
    (row,) = await tx.fetch(_SEAL, channel_id=channel_id, sealed=sealed, until=until)
    happened = "allowed_to_decide" if grant else "forbidden_to_decide"
    tx.emit(audit_events.channel_changed(happened, audit_events.UPDATE, row))
    return row


async def list_channels(
    tx: Transaction, *, limit: int, after: tuple[str, str] = ("", FIRST_ID)
) -> list[Record]:
    """Channels by name."""
    return await tx.fetch(_LIST, name=after[0], after_id=after[1], limit=limit)


async def switch(tx: Transaction, channel_id: str, *, disabled: bool) -> Record:
    """Switch it on or off, as a person wants it; repeating that is harmless."""
    row = await tx.fetch_one(_SWITCH, channel_id=channel_id, disabled=disabled, reason="")
    if row is None:
        return await get(tx, channel_id)
    happened = "disabled" if disabled else "enabled"
    tx.emit(audit_events.channel_changed(happened, audit_events.UPDATE, row))
    return row


async def disable(tx: Transaction, channel_id: str, reason: str) -> None:
    """Switch off a channel that said it is gone."""
    row = await tx.fetch_one(_SWITCH, channel_id=channel_id, disabled=True, reason=reason)
    if row is not None:
        changed = audit_events.channel_changed("disabled", audit_events.UPDATE, row, cause=reason)
        tx.keep(changed)


async def delete(tx: Transaction, channel_id: str) -> None:
    """Remove it with its secrets and all that was sent to it."""
    row = await tx.fetch_one(_DELETE, channel_id=channel_id)
    if row is None:
        raise Forbidden(subject=f"channel/{channel_id}")
    tx.emit(audit_events.channel_changed("deleted", audit_events.DELETE, row, version_ahead=1))
