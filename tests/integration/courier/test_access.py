from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chenu.courier.v1 import delivery_service_pb2 as delivery_rpc
from chenu.courier.v1 import endpoint_service_pb2 as endpoint_rpc
from chenu.courier.v1.delivery_pb2 import DeliveryState
from chenu.courier.v1.endpoint_pb2 import Endpoint
from kernel.caller import Caller
from kernel.database import Database
from kernel.statement import Statement
from tests.support.courier import CourierClient
from tests.support.database_urls import DatabaseUrls
from tests.support.identity import Metadata, Person, bearer
from tests.support.receiver import Receiver
from tests.support.refusals import refused

DENIED = grpc.StatusCode.PERMISSION_DENIED
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
NOT_ALLOWED = "CALLER_NOT_ALLOWED"
Call = Callable[[CourierClient, str, Metadata], Awaitable[Any]]

READS: dict[str, Call] = {
    "GetEndpoint": lambda c, i, m: c.endpoints.GetEndpoint(
        endpoint_rpc.GetEndpointRequest(endpoint_id=i), metadata=m
    ),
    "GetDelivery": lambda c, i, m: c.deliveries.GetDelivery(
        delivery_rpc.GetDeliveryRequest(delivery_id=i), metadata=m
    ),
}
CHANGES: dict[str, Call] = {
    "UpdateEndpoint": lambda c, i, m: c.endpoints.UpdateEndpoint(
        endpoint_rpc.UpdateEndpointRequest(
            endpoint_id=i,
            endpoint=Endpoint(disabled=True),
            update_mask=FieldMask(paths=["disabled"]),
            etag="v1",
        ),
        metadata=m,
    ),
    "DeleteEndpoint": lambda c, i, m: c.endpoints.DeleteEndpoint(
        endpoint_rpc.DeleteEndpointRequest(endpoint_id=i), metadata=m
    ),
    "ReconcileDelivery": lambda c, i, m: c.deliveries.ReconcileDelivery(
        delivery_rpc.ReconcileDeliveryRequest(
            delivery_id=i, state=DeliveryState.DELIVERY_STATE_SUCCEEDED
        ),
        metadata=m,
    ),
    "CreateEndpoint": lambda c, _, m: c.endpoints.CreateEndpoint(
        endpoint_rpc.CreateEndpointRequest(name="x", url="https://8.8.8.8/"), metadata=m
    ),
}
ONE = READS | {name: call for name, call in CHANGES.items() if name != "CreateEndpoint"}


@pytest.fixture
async def ids(client: CourierClient, person: Person, receiver: Receiver) -> dict[str, str]:
    """An endpoint and a delivery of the person's, by the noun in an RPC's name."""
    made = await client.register(person, receiver.url("/status/200"))
    answer = await client.execute(person, client.action(person, made.endpoint))
    delivery = await client.delivery(person, answer.decision_id)
    return {"Endpoint": made.endpoint.endpoint_id, "Delivery": delivery.delivery_id}


def of(ids: dict[str, str], rpc: str) -> str:
    return ids["Delivery" if rpc.endswith("Delivery") else "Endpoint"]


async def answer(call: Awaitable[Any]) -> tuple[grpc.StatusCode, str | None, Any]:
    """Everything that a refused client can see."""
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call
    trailers = dict(failure.value.trailing_metadata() or ())
    return failure.value.code(), failure.value.details(), trailers


@pytest.mark.parametrize("rpc", ONE)
async def test_foreign_and_missing_are_the_same_answer_byte_for_byte(
    client: CourierClient, ids: dict[str, str], rpc: str
) -> None:
    stranger = client.identity.as_human(Person())

    foreign = await answer(ONE[rpc](client, of(ids, rpc), stranger))
    missing = await answer(ONE[rpc](client, str(uuid4()), stranger))

    assert foreign == missing
    assert foreign[0] is DENIED


@pytest.mark.parametrize("rpc", READS | CHANGES)
async def test_without_a_token_nothing_is_served(client: CourierClient, rpc: str) -> None:
    call = (READS | CHANGES)[rpc]

    await refused(call(client, str(uuid4()), ()), UNAUTHENTICATED, "TOKEN_INVALID")


@pytest.mark.parametrize("rpc", CHANGES)
async def test_neither_an_agent_nor_nova_changes_anything_by_itself(
    client: CourierClient, person: Person, as_human: Metadata, ids: dict[str, str], rpc: str
) -> None:
    before = await READS["GetEndpoint"](client, ids["Endpoint"], as_human)

    for metadata in (
        client.identity.as_agent(person, str(uuid4())),
        client.identity.as_nova(person),
        client.identity.as_service("nova"),
    ):
        await refused(CHANGES[rpc](client, of(ids, rpc), metadata), DENIED, NOT_ALLOWED)
    assert await READS["GetEndpoint"](client, ids["Endpoint"], as_human) == before


async def test_a_delegation_is_worth_nothing_without_novas_own_token(
    client: CourierClient, person: Person, ids: dict[str, str]
) -> None:
    delegation = client.identity.delegation(person)

    for metadata in (bearer(delegation), bearer(delegation, client.identity.service("threads"))):
        await refused(READS["GetEndpoint"](client, ids["Endpoint"], metadata), DENIED, NOT_ALLOWED)
    nova = client.identity.as_nova(person)
    assert await READS["GetEndpoint"](client, ids["Endpoint"], nova)


async def test_a_person_sends_nothing_without_a_permit(
    client: CourierClient, person: Person, receiver: Receiver, as_human: Metadata
) -> None:
    made = await client.register(person, receiver.url("/status/200"))
    before = receiver.requests

    await refused(
        client.execute(
            person, client.action(person, made.endpoint), "no permit", metadata=as_human
        ),
        DENIED,
        "PERMIT_INVALID",
    )
    assert receiver.requests == before


TABLES = ("endpoints", "deliveries", "executions")


@pytest.mark.parametrize("table", TABLES)
async def test_row_level_security_alone_keeps_identities_apart(
    person: Person, ids: dict[str, str], database: Database, table: str
) -> None:
    count = Statement(f"SELECT count(*) AS rows FROM courier.{table}")
    strangers = (Person(), Person(tenant=person.tenant), Person(identity=person.identity))

    for who, sees in ((person, True), *((stranger, False) for stranger in strangers)):
        caller = Caller(tenant=who.tenant, person=who.person, identity=who.identity, actor="human")
        async with database.transaction(caller) as tx:
            row = await tx.fetch_one(count)
        assert row is not None
        assert bool(row["rows"]) is sees


@pytest.mark.parametrize("table", TABLES)
async def test_without_an_identity_the_database_raises_rather_than_shows_nothing(
    ids: dict[str, str], urls: DatabaseUrls, table: str
) -> None:
    connection = await asyncpg.connect(urls.app)
    with pytest.raises(asyncpg.UndefinedObjectError):
        await connection.fetch(f"SELECT * FROM courier.{table}")
    await connection.close()


@pytest.mark.parametrize(
    "change",
    [
        "SELECT sealed_secret FROM courier.endpoints",
        "UPDATE courier.deliveries SET decision_id = gen_random_uuid()",
        "UPDATE courier.executions SET action_digest = ''",
        "DELETE FROM courier.deliveries",
        "DELETE FROM courier.executions",
        "TRUNCATE courier.executions",
    ],
)
async def test_the_worker_touches_no_more_than_it_needs(urls: DatabaseUrls, change: str) -> None:
    connection = await asyncpg.connect(urls.worker)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(change)
    await connection.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE courier.endpoints SET sealed_secret = ''",
        "UPDATE courier.endpoints SET identity = gen_random_uuid()",
        "DELETE FROM courier.deliveries",
        "DELETE FROM courier.executions",
        "UPDATE courier.executions SET decision_id = gen_random_uuid()",
        "DELETE FROM courier.outbox",
    ],
)
async def test_the_service_itself_cannot_rewrite_what_was_sent(
    urls: DatabaseUrls, change: str
) -> None:
    connection = await asyncpg.connect(urls.app)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(change)
    await connection.close()
