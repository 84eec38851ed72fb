import asyncio
from uuid import uuid4

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chenu.courier.v1 import delivery_service_pb2 as rpc
from chenu.courier.v1.delivery_pb2 import Delivery, DeliveryState
from chenu.courier.v1.endpoint_pb2 import Endpoint
from chenu.courier.v1.endpoint_service_pb2 import GetEndpointRequest, UpdateEndpointRequest
from chenu.governance.v1.decision_pb2 import ExecutionState
from tests.support.courier import CourierClient
from tests.support.identity import Metadata, Person
from tests.support.receiver import Receiver
from tests.support.refusals import refused

PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
SUCCEEDED = DeliveryState.DELIVERY_STATE_SUCCEEDED
FAILED = DeliveryState.DELIVERY_STATE_FAILED
UNKNOWN = DeliveryState.DELIVERY_STATE_UNKNOWN


async def unknown(client: CourierClient, person: Person, receiver: Receiver) -> Delivery:
    """A delivery of which nobody knows whether it arrived."""
    made = await client.register(person, receiver.url("/abort"))
    action, decision = client.action(person, made.endpoint), str(uuid4())
    permit = client.governance.permit(action, decision=decision)
    await refused(client.execute(person, action, permit), PRECONDITION, "OUTCOME_UNKNOWN")
    return await client.delivery(person, decision)


async def reconcile(
    client: CourierClient, metadata: Metadata, delivery_id: str, state: DeliveryState
) -> Delivery:
    answer = await client.deliveries.ReconcileDelivery(
        rpc.ReconcileDeliveryRequest(delivery_id=delivery_id, state=state, comment="I looked."),
        metadata=metadata,
    )
    return answer.delivery


@pytest.mark.parametrize("state", [SUCCEEDED, FAILED])
async def test_a_person_settles_what_is_unknown_and_governance_hears_of_it(
    client: CourierClient,
    person: Person,
    as_human: Metadata,
    receiver: Receiver,
    state: DeliveryState,
) -> None:
    delivery = await unknown(client, person, receiver)
    first = await client.governance.outcome(delivery.decision_id)
    assert first.state == ExecutionState.EXECUTION_STATE_UNKNOWN

    settled = await reconcile(client, as_human, delivery.delivery_id, state)

    assert (settled.state, settled.reconciled, settled.reason) == (state, True, "RECONCILED")
    word = DeliveryState.Name(state).removeprefix("DELIVERY_STATE_")
    known = await client.governance.outcome(
        delivery.decision_id, state=getattr(ExecutionState, f"EXECUTION_STATE_{word}")
    )
    assert known.reason == "RECONCILED"
    assert len(receiver.received[delivery.decision_id]) == 1


async def test_what_a_person_told_governance_settles_the_delivery_as_well(
    client: CourierClient, person: Person, receiver: Receiver
) -> None:
    made = await client.register(person, receiver.url("/abort"))
    action, decision = client.action(person, made.endpoint), str(uuid4())
    client.governance.settled[decision] = ExecutionState.EXECUTION_STATE_FAILED
    permit = client.governance.permit(action, decision=decision)
    await refused(client.execute(person, action, permit), PRECONDITION, "OUTCOME_UNKNOWN")

    known = await client.governance.outcome(decision, state=ExecutionState.EXECUTION_STATE_FAILED)

    assert known.reason == "RECONCILED"
    delivery = await client.delivery(person, decision)
    assert (delivery.state, delivery.reconciled, delivery.reason) == (FAILED, True, "RECONCILED")


async def test_what_is_known_is_not_reconciled(
    client: CourierClient, person: Person, as_human: Metadata, receiver: Receiver
) -> None:
    delivery = await unknown(client, person, receiver)
    await reconcile(client, as_human, delivery.delivery_id, SUCCEEDED)

    info = await refused(
        reconcile(client, as_human, delivery.delivery_id, FAILED),
        PRECONDITION,
        "DELIVERY_NOT_UNKNOWN",
    )

    assert info.metadata["state"] == "SUCCEEDED"


@pytest.mark.parametrize("state", [0, 1, 4, 9])
async def test_a_delivery_is_reconciled_to_an_end_only(
    client: CourierClient, as_human: Metadata, state: DeliveryState
) -> None:
    await refused(
        reconcile(client, as_human, str(uuid4()), state),
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_REQUEST",
    )


async def test_after_it_was_reconciled_the_decision_answers_with_the_known_end(
    client: CourierClient, person: Person, as_human: Metadata, receiver: Receiver
) -> None:
    made = await client.register(person, receiver.url("/abort"))
    action, decision = client.action(person, made.endpoint), str(uuid4())
    await refused(
        client.execute(person, action, client.governance.permit(action, decision=decision)),
        PRECONDITION,
        "OUTCOME_UNKNOWN",
    )
    delivery = await client.delivery(person, decision)
    await reconcile(client, as_human, delivery.delivery_id, SUCCEEDED)

    again = await client.execute(
        person, action, client.governance.permit(action, decision=decision)
    )

    assert again.repeated_answer
    assert len(receiver.received[decision]) == 1


async def test_deliveries_are_listed_by_time_and_filtered(
    client: CourierClient, person: Person, as_human: Metadata, receiver: Receiver
) -> None:
    good = (await client.register(person, receiver.url("/status/200"))).endpoint
    bad = (await client.register(person, receiver.url("/status/400"))).endpoint
    for _ in range(3):
        await client.execute(person, client.action(person, good))
    await refused(client.execute(person, client.action(person, bad)), PRECONDITION, "EFFECT_FAILED")

    async def listed(**fields: object) -> list[str]:
        seen: list[str] = []
        token = ""
        while True:
            page = await client.deliveries.ListDeliveries(
                rpc.ListDeliveriesRequest(page_size=2, page_token=token, **fields),  # type: ignore[arg-type]
                metadata=as_human,
            )
            seen += [delivery.endpoint_id for delivery in page.deliveries]
            token = page.next_page_token
            if not token:
                return seen

    of_good = [good.endpoint_id] * 3
    assert await listed() == [bad.endpoint_id, *of_good]
    assert await listed(state=FAILED) == [bad.endpoint_id]
    assert await listed(endpoint_id=good.endpoint_id) == of_good
    assert await listed(state=UNKNOWN) == []


async def test_a_forged_page_token_is_refused(client: CourierClient, as_human: Metadata) -> None:
    await refused(
        client.deliveries.ListDeliveries(
            rpc.ListDeliveriesRequest(page_token="forged"), metadata=as_human
        ),
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_PAGE_TOKEN",
    )


async def test_an_endpoint_that_moved_while_it_was_sent_to_is_not_disabled_by_its_old_address(
    client: CourierClient, person: Person, as_human: Metadata, receiver: Receiver
) -> None:
    made = await client.register(person, receiver.url("/late/410"))
    action, decision = client.action(person, made.endpoint), str(uuid4())
    permit = client.governance.permit(action, decision=decision)
    sending = asyncio.create_task(client.execute(person, action, permit))
    await receiver.wait_for(decision)
    moved = await client.endpoints.UpdateEndpoint(
        UpdateEndpointRequest(
            endpoint_id=made.endpoint.endpoint_id,
            endpoint=Endpoint(url=receiver.url("/status/200")),
            update_mask=FieldMask(paths=["url"]),
            etag=made.endpoint.etag,
        ),
        metadata=as_human,
    )
    receiver.let_go()
    await refused(sending, PRECONDITION, "EFFECT_FAILED")
    assert (await client.delivery(person, decision)).reason == "HTTP_410"
    found = await client.endpoints.GetEndpoint(
        GetEndpointRequest(endpoint_id=made.endpoint.endpoint_id), metadata=as_human
    )
    assert found.endpoint == moved.endpoint
