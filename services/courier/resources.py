"""Rows as they are seen outside: the messages of the contract. A secret is never among them."""

import json
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from chenu.courier.v1.delivery_pb2 import Delivery, DeliveryState
from chenu.courier.v1.endpoint_pb2 import Endpoint
from kernel.database import Record
from services.courier.endpoints import etag


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
