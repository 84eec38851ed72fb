"""Notifications: one message to one channel about one notice, and every attempt to send it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from kernel.context import new_id
from kernel.database import Record, Transaction
from kernel.errors import Forbidden
from kernel.statement import Statement
from services.courier import audit_events
from services.courier.errors import ChannelDisabled
from services.courier.schedule import delay
from services.courier.wording import CONFIRMATION, confirmation

_ADD: Final = Statement(
    "INSERT INTO courier.notifications (notification_id, tenant, identity, channel_id, notice_id,"
    " checkpoint_id, about, type, view_digest, body, state)"
    " VALUES (:notification_id, current_setting('chenu.tenant')::uuid,"
    " current_setting('chenu.identity')::uuid, :channel_id, :notice_id, :checkpoint_id, :about,"
    " :type, :view_digest, :body, 'pending')"
    " ON CONFLICT (channel_id, notice_id) DO NOTHING RETURNING *"
)
# What is being sent of the same checkpoint must have arrived before it is edited.
_NONE_UNDER_WAY: Final = """NOT EXISTS (SELECT FROM courier.notifications AS one
 WHERE one.channel_id = n.channel_id AND one.checkpoint_id = n.checkpoint_id
 AND one.notification_id <> n.notification_id AND one.leased
 AND one.next_time > clock_timestamp() + CAST(:offset AS interval))"""
_DUE: Final = Statement(
    "SELECT n.notification_id, n.tenant, n.identity FROM courier.notifications AS n"  # noqa: S608
    " JOIN courier.channels AS c USING (channel_id) WHERE n.state = 'pending' AND NOT c.disabled"
    " AND n.next_time <= clock_timestamp() + CAST(:offset AS interval)"
    f" AND n.tenant <> ALL (CAST(:busy AS uuid[])) AND {_NONE_UNDER_WAY}"
    " ORDER BY n.next_time LIMIT :limit"
)
# Claims about one checkpoint in one channel follow each other: none overlooks another's.
_ALONE: Final = Statement(
    "SELECT pg_advisory_xact_lock(hashtextextended(concat(channel_id, checkpoint_id), 0))"
    " FROM courier.notifications WHERE notification_id = :notification_id"
)
# Programs get every event; people are not asked what was decided, or is asked anew.
_WITHDRAW: Final = Statement(
    "UPDATE courier.notifications AS n SET state = 'withdrawn', version = n.version + 1,"
    " finish_time = clock_timestamp() FROM courier.channels AS c"
    " WHERE n.notification_id = :notification_id AND n.state = 'pending'"
    " AND n.next_time <= clock_timestamp() + CAST(:offset AS interval)"
    " AND c.channel_id = n.channel_id AND c.kind <> 'webhook'"
    " AND n.type NOT IN ('checkpoint.resolved', 'checkpoint.contradicted')"
    " AND EXISTS (SELECT FROM courier.notifications AS newer"
    " WHERE newer.channel_id = n.channel_id AND newer.checkpoint_id = n.checkpoint_id"
    " AND (newer.type = 'checkpoint.resolved'"
    " OR newer.view_digest <> n.view_digest AND newer.create_time > n.create_time))"
    " RETURNING n.*"
)
# Until the lease is over nobody else tries it; whoever dies meanwhile leaves it to the others.
_CLAIM: Final = Statement(
    "UPDATE courier.notifications AS n SET tries = tries + 1, leased = true,"  # noqa: S608
    " next_time = clock_timestamp() + CAST(:offset AS interval) + CAST(:lease AS interval)"
    " WHERE notification_id = :notification_id AND state = 'pending'"
    " AND next_time <= clock_timestamp() + CAST(:offset AS interval)"
    f" AND {_NONE_UNDER_WAY} RETURNING *"
)
_SENT: Final = Statement(
    "SELECT reference FROM courier.notifications WHERE channel_id = :channel_id"
    " AND checkpoint_id = :checkpoint_id AND reference <> '' ORDER BY create_time"
)
_NOTE: Final = Statement(
    "INSERT INTO courier.attempts (notification_id, number, tenant, identity, status, reason)"
    " VALUES (:notification_id, :number, current_setting('chenu.tenant')::uuid,"
    " current_setting('chenu.identity')::uuid, :status, :reason)"
)
_SETTLE: Final = Statement(
    "UPDATE courier.notifications SET state = :state, leased = false,"
    " reference = CASE WHEN :reference <> '' THEN :reference ELSE reference END,"
    # A version for each event, as the log expects: an attempt alone is none.
    " version = version + CASE WHEN :state <> 'pending' THEN 1 ELSE 0 END,"
    " next_time = clock_timestamp() + CAST(:offset AS interval) + CAST(:wait AS interval),"
    " finish_time = CASE WHEN :state <> 'pending' THEN clock_timestamp() END"
    " WHERE notification_id = :notification_id AND state = 'pending' AND tries = :tries"
    " RETURNING *"
)
_REPLAY: Final = Statement(
    "UPDATE courier.notifications SET state = 'pending', tries_before = tries,"
    " version = version + 1, next_time = clock_timestamp(), finish_time = NULL"
    " WHERE notification_id = :notification_id"
)
_READ: Final = (
    "SELECT n.*, c.disabled, (SELECT jsonb_agg(to_jsonb(a) ORDER BY a.number)"
    " FROM courier.attempts AS a WHERE a.notification_id = n.notification_id) AS attempts"
    " FROM courier.notifications AS n JOIN courier.channels AS c USING (channel_id)"
)
_GET: Final = Statement(f"{_READ} WHERE n.notification_id = :notification_id")
_LIST: Final = Statement(
    f"{_READ} WHERE (n.create_time, n.notification_id)"
    " < (:before_time, :before_id)"
    " AND (CAST(:channel_id AS uuid) IS NULL OR n.channel_id = :channel_id)"
    " AND (CAST(:checkpoint_id AS uuid) IS NULL OR n.checkpoint_id = :checkpoint_id)"
    " ORDER BY n.create_time DESC, n.notification_id DESC LIMIT :limit"
)
_BATCH: Final = 50


@dataclass(frozen=True, slots=True)
class Tried:
    """How one attempt went. `final`: it would go no better another time; `gone`: nor would any."""

    reason: str
    status: int = 0
    final: bool = False
    gone: bool = False
    retry_after: timedelta = timedelta(0)
    reference: str = ""

    @property
    def delivered(self) -> bool:
        """Whether the other side took it."""
        return self.reason == "OK"


async def add(tx: Transaction, **columns: str | None) -> bool:
    """Queue a message, once for each channel and notice; whether it was new."""
    row = await tx.fetch_one(_ADD, notification_id=new_id(), **columns)
    if row is not None:
        tx.keep(audit_events.notification_changed("queued", row))
    return row is not None


async def confirm(tx: Transaction, channel_id: str) -> None:
    """Queue the code that confirms a new channel; replaying it sends it again."""
    await add(
        tx,
        channel_id=channel_id,
        notice_id=channel_id,
        checkpoint_id=None,
        about=None,
        type=CONFIRMATION,
        view_digest="",
        body=json.dumps(confirmation()),
    )


async def due(tx: Transaction, offset: timedelta, busy: Sequence[str]) -> list[Record]:
    """What should be tried now, but for busy tenants, the longest overdue first; ids only."""
    return await tx.fetch(_DUE, offset=offset, busy=busy, limit=_BATCH)


async def claim(
    tx: Transaction, notification_id: str, *, offset: timedelta, lease: timedelta
) -> Record | None:
    """Take it for one attempt; None where somebody else has, or there is no more use in it."""
    await tx.fetch(_ALONE, notification_id=notification_id)
    withdrawn = await tx.fetch_one(_WITHDRAW, notification_id=notification_id, offset=offset)
    if withdrawn is not None:
        tx.keep(audit_events.notification_changed("withdrawn", withdrawn))
        return None
    return await tx.fetch_one(_CLAIM, notification_id=notification_id, offset=offset, lease=lease)


async def sent(tx: Transaction, claimed: Record) -> list[str]:
    """What the other side calls the messages about the same checkpoint, the oldest first."""
    place = {name: claimed[name] for name in ("channel_id", "checkpoint_id")}
    return [row["reference"] for row in await tx.fetch(_SENT, **place)]


async def settle(tx: Transaction, claimed: Record, tried: Tried, offset: timedelta) -> None:
    """Note an attempt, and what is to come of it."""
    notification_id, number = claimed["notification_id"], claimed["tries"]
    found = {"status": tried.status, "reason": tried.reason}
    await tx.execute(_NOTE, notification_id=notification_id, number=number, **found)
    wait = None
    if not (tried.delivered or tried.final or tried.gone):
        wait = delay(number - claimed["tries_before"], notification_id, tried.retry_after)
    state = "delivered" if tried.delivered else "failed" if wait is None else "pending"
    row = await tx.fetch_one(
        _SETTLE,
        notification_id=notification_id,
        tries=number,
        state=state,
        reference=tried.reference,
        wait=wait or timedelta(0),
        offset=offset,
    )
    if row is not None and state != "pending":
        # It has happened, whatever the backlog.
        tx.keep(audit_events.notification_changed(state, row, reason=tried.reason))


async def replay(tx: Transaction, notification_id: str) -> Record:
    """Begin again with the same id and body."""
    before = await _get(tx, notification_id)
    if before["disabled"]:
        raise ChannelDisabled(channel_id=before["channel_id"])
    await tx.execute(_REPLAY, notification_id=notification_id)
    after = await _get(tx, notification_id)
    tx.emit(audit_events.notification_changed("replayed", after))
    return after


async def list_notifications(
    tx: Transaction,
    *,
    channel_id: str | None,
    checkpoint_id: str | None,
    limit: int,
    before_time: datetime,
    before_id: str,
) -> list[Record]:
    """The delivery log, the latest first."""
    found: list[Any] = await tx.fetch(
        _LIST,
        channel_id=channel_id,
        checkpoint_id=checkpoint_id,
        limit=limit,
        before_time=before_time,
        before_id=before_id,
    )
    return found


async def _get(tx: Transaction, notification_id: str) -> Record:
    row = await tx.fetch_one(_GET, notification_id=notification_id)
    if row is None:
        raise Forbidden(subject=f"notification/{notification_id}")
    return row
