import asyncio
import json
from collections.abc import AsyncIterator
from uuid import uuid4

import grpc
import pytest
from standardwebhooks import Webhook

from chenu.courier.v1.delivery_pb2 import DeliveryState
from chenu.governance.v1.decision_pb2 import ExecutionState
from chenu_gate.canonical_json import digest
from kernel.service import Service
from kernel.settings import SharedSettings
from services.courier.__main__ import PROGRAM
from services.courier.settings import CourierSettings
from tests.support.courier import CourierClient
from tests.support.identity import Person
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
    await becomes(client, person, receiver, path, idempotent, expected)


@pytest.fixture(scope="module")
async def hasty(
    shared: SharedSettings, settings: CourierSettings, client: CourierClient
) -> AsyncIterator[CourierClient]:
    """Another instance, which waits for no answer long."""
    service = await Service.start(
        PROGRAM, shared, settings.model_copy(update={"timeout_seconds": 1.0})
    )
    async with grpc.aio.insecure_channel(f"127.0.0.1:{service.port}") as channel:
        yield CourierClient(channel, client.identity, client.governance)
    await service.stop()


@pytest.mark.parametrize(("idempotent", "attempts"), [(False, 1), (True, 3)])
async def test_what_is_never_answered_is_unknown(
    hasty: CourierClient, person: Person, receiver: Receiver, idempotent: bool, attempts: int
) -> None:
    await becomes(hasty, person, receiver, "/hang", idempotent, ("UNKNOWN", "TIMEOUT", attempts))


async def becomes(
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
    made = await client.register(person, receiver.url("/late/200"))
    action, decision = client.action(person, made.endpoint), str(uuid4())
    permit = client.governance.permit(action, decision=decision)

    sending = asyncio.create_task(client.execute(person, action, permit))
    await receiver.wait_for(decision)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending

    receiver.let_go()
    outcome = await client.governance.outcome(decision)
    assert outcome.state == ExecutionState.EXECUTION_STATE_SUCCEEDED
    assert len(receiver.received[decision]) == 1


async def test_a_slow_endpoint_does_not_hold_up_the_others(
    client: CourierClient, person: Person, receiver: Receiver
) -> None:
    slow = await client.register(person, receiver.url("/late/200"))
    quick = await client.register(person, receiver.url("/status/200"))
    action, decision = client.action(person, slow.endpoint), str(uuid4())
    permit = client.governance.permit(action, decision=decision)
    hanging = asyncio.create_task(client.execute(person, action, permit))
    await receiver.wait_for(decision)

    await client.execute(person, client.action(person, quick.endpoint))

    assert not hanging.done()
    receiver.let_go()
    assert (await hanging).state == ExecutionState.EXECUTION_STATE_SUCCEEDED
