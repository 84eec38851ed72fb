import json
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import protovalidate
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.json_format import Parse

from chenu.courier.v1 import delivery_service_pb2, endpoint_service_pb2
from chenu.courier.v1.delivery_pb2 import DeliveryState
from chenu.courier.v1.endpoint_pb2 import Endpoint
from chenu.events.v1.audit_event_pb2 import AuditEvent
from chenu.governance.v1.decision_pb2 import ExecutionState
from tests.support.courier import CourierClient
from tests.support.identity import Metadata, Person
from tests.support.receiver import Receiver
from tests.support.refusals import refused

PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


async def recorded(superuser: asyncpg.Connection, person: Person) -> list[dict[str, Any]]:
    """What is on its way to the audit log of this identity, in order."""
    rows = await superuser.fetch(
        "SELECT event FROM courier.outbox"
        " WHERE convert_from(event, 'UTF8')::jsonb ->> 'identity' = $1 ORDER BY seq",
        person.identity,
    )
    for row in rows:
        protovalidate.validate(Parse(row["event"], AuditEvent()))
    return [json.loads(row["event"]) for row in rows]


async def test_every_change_of_an_endpoint_is_recorded_without_its_address_or_name(
    client: CourierClient,
    person: Person,
    as_human: Metadata,
    receiver: Receiver,
    superuser: asyncpg.Connection,
) -> None:
    made = await client.register(person, receiver.url("/status/200?token=geheim"), name="geheim")
    of = {"endpoint_id": made.endpoint.endpoint_id}
    await client.endpoints.UpdateEndpoint(
        endpoint_service_pb2.UpdateEndpointRequest(
            **of,
            endpoint=Endpoint(name="geheimer"),
            update_mask=FieldMask(paths=["name"]),
            etag="v1",
        ),
        metadata=as_human,
    )
    await client.endpoints.DeleteEndpoint(
        endpoint_service_pb2.DeleteEndpointRequest(**of), metadata=as_human
    )

    events = await recorded(superuser, person)

    assert [event["type"].removeprefix("chenu.courier.endpoint.") for event in events] == [
        "created",
        "updated",
        "deleted",
    ]
    assert [event["data"]["version"] for event in events] == ["1", "2", "3"]
    assert "geheim" not in json.dumps(events)
    assert made.secret not in json.dumps(events)


async def test_a_send_leaves_its_intent_before_and_its_outcome_after(
    client: CourierClient, person: Person, receiver: Receiver, superuser: asyncpg.Connection
) -> None:
    made = await client.register(person, receiver.url("/status/200"))
    action = client.action(person, made.endpoint, {"text": "geheim"})

    answer = await client.execute(person, action)

    _, started, ended = await recorded(superuser, person)
    assert started["type"] == "chenu.courier.delivery.started"
    assert started["data"]["phase"] == "PHASE_INTENT"
    assert started["data"]["details"]["action_digest"] == action.digest
    assert started["data"]["details"]["run"] == action.run
    assert ended["type"] == "chenu.courier.delivery.succeeded"
    assert ended["data"]["phase"] == "PHASE_OUTCOME"
    assert ended["data"]["details"]["decision"] == answer.decision_id
    assert ended["data"]["actor"]["service"] == "nova"
    assert [event["data"]["version"] for event in (started, ended)] == ["1", "2"]
    assert "geheim" not in json.dumps([started, ended])


async def test_an_endpoint_that_is_gone_and_a_delivery_that_is_settled_are_recorded(
    client: CourierClient,
    person: Person,
    as_human: Metadata,
    receiver: Receiver,
    superuser: asyncpg.Connection,
) -> None:
    gone = await client.register(person, receiver.url("/status/410"))
    lost = await client.register(person, receiver.url("/abort"))
    await refused(
        client.execute(person, client.action(person, gone.endpoint)), PRECONDITION, "EFFECT_FAILED"
    )
    await refused(
        client.execute(person, client.action(person, lost.endpoint)),
        PRECONDITION,
        "OUTCOME_UNKNOWN",
    )
    listed = await client.deliveries.ListDeliveries(
        delivery_service_pb2.ListDeliveriesRequest(state=DeliveryState.DELIVERY_STATE_UNKNOWN),
        metadata=as_human,
    )
    await client.deliveries.ReconcileDelivery(
        delivery_service_pb2.ReconcileDeliveryRequest(
            delivery_id=listed.deliveries[0].delivery_id,
            state=DeliveryState.DELIVERY_STATE_FAILED,
            comment="geheim",
        ),
        metadata=as_human,
    )

    events = await recorded(superuser, person)

    assert [event["type"].removeprefix("chenu.courier.") for event in events[2:]] == [
        "delivery.started",
        "delivery.failed",
        "endpoint.disabled",
        "delivery.started",
        "delivery.unknown",
        "delivery.reconciled",
    ]
    assert events[-1]["data"]["details"]["state"] == "FAILED"
    assert "geheim" not in json.dumps(events)


async def test_what_is_settled_at_governance_is_an_event_of_whose_delivery_it_was(
    client: CourierClient, person: Person, receiver: Receiver, superuser: asyncpg.Connection
) -> None:
    made = await client.register(person, receiver.url("/abort"))
    action, decision = client.action(person, made.endpoint), str(uuid4())
    client.governance.settled[decision] = ExecutionState.EXECUTION_STATE_FAILED
    permit = client.governance.permit(action, decision=decision)
    await refused(client.execute(person, action, permit), PRECONDITION, "OUTCOME_UNKNOWN")

    await client.governance.outcome(decision, state=ExecutionState.EXECUTION_STATE_FAILED)

    *_, settled = await recorded(superuser, person)
    assert settled["type"] == "chenu.courier.delivery.reconciled"
    assert (settled["tenant"], settled["identity"]) == (person.tenant, person.identity)
    assert settled["data"]["details"] == {"state": "FAILED", "decision": decision}
