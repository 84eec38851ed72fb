import asyncio
import json
import time
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from standardwebhooks import Webhook

from chenu.courier.v1 import endpoint_service_pb2
from chenu.courier.v1.delivery_pb2 import DeliveryState
from chenu.courier.v1.endpoint_pb2 import Endpoint
from chenu.governance.v1.decision_pb2 import ExecutionState
from chenu.governance.v1.executor_service_pb2 import ListToolsRequest
from chenu_gate.canonical_json import digest
from chenu_gate.tools import Tool
from services.courier.tools import TOOLS
from tests.support.courier import CourierClient
from tests.support.identity import Metadata, Person
from tests.support.receiver import Receiver
from tests.support.refusals import refused

PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
DENIED = grpc.StatusCode.PERMISSION_DENIED
INVALID = grpc.StatusCode.INVALID_ARGUMENT


async def test_a_message_arrives_signed_and_byte_for_byte_as_it_was_approved(
    client: CourierClient, person: Person, receiver: Receiver
) -> None:
    made = await client.register(person, receiver.url("/status/204"))
    payload = {"z": "é\r\nX-Injected: 1", "a": [1, True, None], "<script>": "'; DROP TABLE x; --"}

    answer = await client.execute(person, client.action(person, made.endpoint, payload))

    (got,) = receiver.received[answer.decision_id]
    assert json.loads(got.body) == payload
    assert got.body == b'{"<script>":"\'; DROP TABLE x; --","a":[1,true,null],' + (
        '"z":"é\\r\\nX-Injected: 1"}'.encode()
    )
    assert got.headers["content-type"] == "application/json"
    assert "x-injected" not in got.headers
    assert Webhook(made.secret).verify(got.body, got.headers) == payload
    assert answer.state == ExecutionState.EXECUTION_STATE_SUCCEEDED
    told = json.loads(answer.result)
    assert (told["http_status"], told["attempts"]) == (204, 1)
    delivery = await client.delivery(person, answer.decision_id)
    assert delivery.state == DeliveryState.DELIVERY_STATE_SUCCEEDED
    assert delivery.payload_digest == digest(got.body)


@pytest.mark.parametrize(
    ("path", "idempotent", "expected"),
    [
        ("/status/200", False, ("SUCCEEDED", "OK", 1)),
        ("/status/400", False, ("FAILED", "HTTP_400", 1)),
        ("/status/404", True, ("FAILED", "HTTP_404", 1)),
        ("/status/429", False, ("FAILED", "HTTP_429", 1)),
        ("/then/429-200", True, ("SUCCEEDED", "OK", 2)),
        ("/status/429", True, ("FAILED", "HTTP_429", 3)),
        ("/status/500", False, ("UNKNOWN", "HTTP_500", 1)),
        ("/then/503-200", True, ("SUCCEEDED", "OK", 2)),
        ("/then/503-400", True, ("UNKNOWN", "HTTP_400", 2)),
        ("/status/503", True, ("UNKNOWN", "HTTP_503", 3)),
        ("/redirect", True, ("FAILED", "HTTP_302", 1)),
        ("/abort", False, ("UNKNOWN", "CONNECTION_LOST", 1)),
        ("/abort", True, ("UNKNOWN", "CONNECTION_LOST", 3)),
        ("/hang", False, ("UNKNOWN", "TIMEOUT", 1)),
        ("/hang", True, ("UNKNOWN", "TIMEOUT", 3)),
        ("/flood", False, ("SUCCEEDED", "OK", 1)),
    ],
)
async def test_what_became_of_a_message_is_said_as_it_is_and_no_harm_is_done_twice(
    client: CourierClient,
    person: Person,
    receiver: Receiver,
    path: str,
    idempotent: bool,
    expected: tuple[str, str, int],
) -> None:
    state, reason, attempts = expected
    made = await client.register(person, receiver.url(path), idempotent=idempotent)
    action, decision = client.action(person, made.endpoint), str(uuid4())
    permit = client.governance.permit(action, decision=decision)
    sending = client.execute(person, action, permit)

    if state == "SUCCEEDED":
        assert (await sending).state == ExecutionState.EXECUTION_STATE_SUCCEEDED
    else:
        error = "EFFECT_FAILED" if state == "FAILED" else "OUTCOME_UNKNOWN"
        info = await refused(sending, PRECONDITION, error)
        assert info.metadata["cause"] == reason

    delivery = await client.delivery(person, decision)
    assert DeliveryState.Name(delivery.state) == f"DELIVERY_STATE_{state}"
    assert (delivery.reason, delivery.attempts) == (reason, attempts)
    assert len(receiver.received[decision]) == attempts
    outcome = await client.governance.outcome(decision)
    assert ExecutionState.Name(outcome.state) == f"EXECUTION_STATE_{state}"
    assert outcome.reason == reason
    assert outcome.action_digest == action.digest


async def test_where_nothing_was_written_it_is_tried_again_and_fails_for_certain(
    client: CourierClient, person: Person, nobody: int
) -> None:
    made = await client.register(person, f"http://127.0.0.1:{nobody}/")
    action, decision = client.action(person, made.endpoint), str(uuid4())

    await refused(
        client.execute(person, action, client.governance.permit(action, decision=decision)),
        PRECONDITION,
        "EFFECT_FAILED",
    )

    delivery = await client.delivery(person, decision)
    assert delivery.state == DeliveryState.DELIVERY_STATE_FAILED
    assert (delivery.reason, delivery.attempts) == ("CONNECT_FAILED", 3)


async def test_every_attempt_carries_the_same_id(
    client: CourierClient, person: Person, receiver: Receiver
) -> None:
    made = await client.register(person, receiver.url("/then/500-503-200"), idempotent=True)

    answer = await client.execute(person, client.action(person, made.endpoint))

    attempts = receiver.received[answer.decision_id]
    assert len(attempts) == 3
    for attempt in attempts:
        Webhook(made.secret).verify(attempt.body, attempt.headers)


@pytest.mark.parametrize("path", ["/status/200", "/status/400", "/status/500"])
async def test_a_permit_that_is_replayed_gets_the_first_answer_and_sends_nothing(
    client: CourierClient, person: Person, receiver: Receiver, path: str
) -> None:
    made = await client.register(person, receiver.url(path))
    action, decision = client.action(person, made.endpoint), str(uuid4())
    answers = []
    for _ in range(3):
        permit = client.governance.permit(action, decision=decision)
        try:
            answers.append((await client.execute(person, action, permit)).result)
        except grpc.aio.AioRpcError as error:
            answers.append(error.details() or "")

    assert len(set(answers)) == 1
    assert len(receiver.received[decision]) == 1


async def test_two_permits_for_one_decision_at_once_send_once(
    client: CourierClient, person: Person, receiver: Receiver
) -> None:
    made = await client.register(person, receiver.url("/status/200"))
    action, decision = client.action(person, made.endpoint), str(uuid4())

    answers = await asyncio.gather(
        *(
            client.execute(person, action, client.governance.permit(action, decision=decision))
            for _ in range(6)
        )
    )

    assert sorted(answer.repeated_answer for answer in answers) == [False] + [True] * 5
    assert len(receiver.received[decision]) == 1


async def test_a_caller_that_goes_away_does_not_stop_what_has_begun(
    client: CourierClient, person: Person, receiver: Receiver
) -> None:
    made = await client.register(person, receiver.url("/hang"))
    action, decision = client.action(person, made.endpoint), str(uuid4())
    permit = client.governance.permit(action, decision=decision)

    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await client.execute(person, action, permit, timeout=0.2)

    assert failure.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    outcome = await client.governance.outcome(decision)
    assert outcome.state == ExecutionState.EXECUTION_STATE_UNKNOWN
    assert len(receiver.received[decision]) == 1


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


async def test_a_slow_endpoint_does_not_hold_up_the_others(
    client: CourierClient, person: Person, receiver: Receiver
) -> None:
    slow = await client.register(person, receiver.url("/hang"))
    quick = await client.register(person, receiver.url("/status/200"))
    hanging = asyncio.create_task(
        refused(
            client.execute(person, client.action(person, slow.endpoint)),
            PRECONDITION,
            "OUTCOME_UNKNOWN",
        )
    )
    began = time.monotonic()

    await client.execute(person, client.action(person, quick.endpoint))

    assert time.monotonic() - began < 0.6
    await hanging
