"""Rows as they are seen outside: the messages of the contract. A secret is never among them."""

import json
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from chenu.courier.v1.channel_pb2 import Attempt, Channel, Notification
from chenu.courier.v1.delivery_pb2 import Delivery, DeliveryState
from chenu.courier.v1.endpoint_pb2 import Endpoint
from kernel.database import Record
from services.courier.addresses import parse_url
from services.courier.channels import Address, confirmed
from services.courier.endpoints import etag
from services.courier.signatures import public_key


def endpoint(row: Record) -> Endpoint:
    """An endpoint."""
    return Endpoint(
        endpoint_id=row["endpoint_id"],
        name=row["name"],
        url=row["url"],
        idempotent=row["idempotent"],
        disabled=row["disabled"],
        etag=etag(row),
        create_time=_time(row["create_time"]),
        update_time=_time(row["update_time"]),
    )


def delivery(row: Record) -> Delivery:
    """A delivery."""
    return Delivery(
        delivery_id=row["delivery_id"],
        endpoint_id=row["endpoint_id"],
        decision_id=row["decision_id"],
        state=f"DELIVERY_STATE_{row['state']}",
        payload_digest=row["payload_digest"],
        attempts=row["attempts"],
        http_status=row["http_status"],
        reason=row["reason"],
        create_time=_time(row["create_time"]),
        finish_time=_time(row["finish_time"]) if row["finish_time"] else None,
        reconciled=row["reconciled"],
    )


def channel(row: Record, there: Address | None) -> Channel:
    """A channel; without an address where its key is lost."""
    message = Channel(
        channel_id=row["channel_id"],
        name=row["name"],
        kind=f"CHANNEL_KIND_{row['kind'].upper()}",
        disabled=row["disabled"],
        disable_reason=row["disable_reason"],
        create_time=_time(row["create_time"]),
        confirmed=confirmed(row),
        decide_until=_time(row["decide_until"]) if row["decide_until"] else None,
    )
    if there is not None:
        secret = row["kind"] == "slack"
        address = parse_url(there.address).host if secret else there.address
        message.address = there.user or address
        message.public_key = public_key(there.signing_key) if there.signing_key else ""
    return message


def notification(row: Record) -> Notification:
    """A notification with its attempts."""
    waits = row["state"] == "pending"
    return Notification(
        notification_id=row["notification_id"],
        channel_id=row["channel_id"],
        checkpoint_id=row["checkpoint_id"] or "",
        type=row["type"],
        view_digest=row["view_digest"],
        state=f"NOTIFICATION_STATE_{row['state'].upper()}",
        attempts=[
            Attempt(
                number=one["number"],
                create_time=_time(datetime.fromisoformat(one["create_time"])),
                status=one["status"],
                reason=one["reason"],
            )
            for one in row["attempts"] or ()
        ],
        next_attempt_time=_time(row["next_time"]) if waits else None,
        create_time=_time(row["create_time"]),
        finish_time=_time(row["finish_time"]) if row["finish_time"] else None,
    )


def state_word(state: DeliveryState) -> str:
    """The stored word of a state; empty for what is unspecified."""
    return DeliveryState.Name(state).removeprefix("DELIVERY_STATE_") if state else ""


def result_text(result: object) -> str:
    """The result of an executed action as the JSON text that the contract promises."""
    return json.dumps(result, ensure_ascii=False, sort_keys=True)


def _time(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
