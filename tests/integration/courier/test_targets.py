from dataclasses import replace
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chenu.courier.v1 import endpoint_service_pb2
from chenu.courier.v1.endpoint_pb2 import Endpoint
from chenu.governance.v1.executor_service_pb2 import ListToolsRequest
from chenu_gate.tools import Tool
from services.courier.tools import TOOLS
from tests.support.courier import CourierClient
from tests.support.identity import Metadata, Person
from tests.support.receiver import Receiver
from tests.support.refusals import refused

PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
DENIED = grpc.StatusCode.PERMISSION_DENIED
INVALID = grpc.StatusCode.INVALID_ARGUMENT


async def change(
    client: CourierClient, person: Person, endpoint: Endpoint, path: str, **fields: Any
) -> None:
    await client.endpoints.UpdateEndpoint(
        endpoint_service_pb2.UpdateEndpointRequest(
            endpoint_id=endpoint.endpoint_id,
            endpoint=Endpoint(**fields),
            update_mask=FieldMask(paths=[path]),
            etag=endpoint.etag,
        ),
        metadata=client.identity.as_human(person),
    )


@pytest.mark.parametrize("path", ["url", "name", "idempotent", "disabled"])
async def test_an_endpoint_that_was_edited_after_the_approval_gets_nothing(
    client: CourierClient, person: Person, receiver: Receiver, path: str
) -> None:
    made = await client.register(person, receiver.url("/status/200"))
    action, decision = client.action(person, made.endpoint), str(uuid4())
    permit = client.governance.permit(action, decision=decision)
    values: dict[str, Any] = {"url": receiver.url("/status/201"), "name": str(uuid4())}
    await change(client, person, made.endpoint, path, **{path: values.get(path, True)})

    await refused(client.execute(person, action, permit), PRECONDITION, "TARGET_CHANGED")

    assert decision not in receiver.received
    assert decision not in client.governance.outcomes


async def test_an_endpoint_of_another_name_than_the_one_approved_gets_nothing(
    client: CourierClient, person: Person, receiver: Receiver
) -> None:
    made = await client.register(person, receiver.url("/status/200"))
    action = client.action(person, made.endpoint)
    misleading = replace(action.targets[0], name="my own notebook")
    before = receiver.requests

    await refused(
        client.execute(person, replace(action, targets=(misleading,))),
        PRECONDITION,
        "TARGET_CHANGED",
    )
    assert receiver.requests == before


async def test_a_disabled_endpoint_gets_nothing_and_the_decision_is_kept(
    client: CourierClient, person: Person, receiver: Receiver, superuser: asyncpg.Connection
) -> None:
    made = await client.register(person, receiver.url("/status/200"))
    await change(client, person, made.endpoint, "disabled", disabled=True)
    disabled = Endpoint(endpoint_id=made.endpoint.endpoint_id, etag="v2")
    action, decision = client.action(person, disabled), str(uuid4())

    await refused(
        client.execute(person, action, client.governance.permit(action, decision=decision)),
        PRECONDITION,
        "ENDPOINT_DISABLED",
    )

    assert not await superuser.fetchval(
        "SELECT count(*) FROM courier.executions WHERE decision_id = $1", decision
    )


async def test_an_endpoint_that_says_it_is_gone_is_disabled(
    client: CourierClient, person: Person, as_human: Metadata, receiver: Receiver
) -> None:
    made = await client.register(person, receiver.url("/status/410"))

    await refused(
        client.execute(person, client.action(person, made.endpoint)),
        PRECONDITION,
        "EFFECT_FAILED",
    )

    answer = await client.endpoints.GetEndpoint(
        endpoint_service_pb2.GetEndpointRequest(endpoint_id=made.endpoint.endpoint_id),
        metadata=as_human,
    )
    assert (answer.endpoint.disabled, answer.endpoint.etag) == (True, "v2")


async def test_a_redirect_is_not_followed(
    client: CourierClient, person: Person, receiver: Receiver
) -> None:
    made = await client.register(person, receiver.url("/redirect"))
    before = receiver.requests

    await refused(
        client.execute(person, client.action(person, made.endpoint)),
        PRECONDITION,
        "EFFECT_FAILED",
    )

    assert receiver.requests == before + 1


async def test_foreign_and_missing_endpoints_are_the_same_answer(
    client: CourierClient, person: Person, receiver: Receiver
) -> None:
    foreign = (await client.register(Person(), receiver.url("/status/200"))).endpoint
    missing = Endpoint(endpoint_id=str(uuid4()), etag="v1")

    for endpoint in (foreign, missing):
        await refused(client.execute(person, client.action(person, endpoint)), DENIED, "FORBIDDEN")


@pytest.mark.parametrize(
    "payload", [{"text": "x" * 20_000}, "no object", ["no object"], 7, {"text": "a\0b"}]
)
async def test_a_payload_that_is_too_large_or_no_object_is_refused(
    client: CourierClient, person: Person, receiver: Receiver, payload: Any
) -> None:
    made = await client.register(person, receiver.url("/status/200"))

    await refused(
        client.execute(person, client.action(person, made.endpoint, payload)),
        INVALID,
        "ARGUMENTS_INVALID",
    )


async def test_an_endpoint_that_is_named_by_its_name_is_not_sent_to(
    client: CourierClient, person: Person
) -> None:
    named = Endpoint(endpoint_id="Ops", etag="v1")

    await refused(
        client.execute(person, client.action(person, named)), INVALID, "ARGUMENTS_INVALID"
    )


async def test_the_tool_is_published_as_it_is_checked(client: CourierClient) -> None:
    answer = await client.executor.ListTools(
        ListToolsRequest(), metadata=client.identity.as_service("nova")
    )

    assert tuple(Tool.from_definition(tool) for tool in answer.tools) == TOOLS
