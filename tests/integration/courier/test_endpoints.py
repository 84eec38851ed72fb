from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chenu.courier.v1 import endpoint_service_pb2 as rpc
from chenu.courier.v1.endpoint_pb2 import Endpoint
from tests.support.courier import CourierClient
from tests.support.identity import Metadata, Person
from tests.support.receiver import Receiver
from tests.support.refusals import refused

INVALID = grpc.StatusCode.INVALID_ARGUMENT
DENIED = grpc.StatusCode.PERMISSION_DENIED


async def update(
    client: CourierClient, metadata: Metadata, endpoint: Endpoint, paths: list[str], **fields: Any
) -> Endpoint:
    answer = await client.endpoints.UpdateEndpoint(
        rpc.UpdateEndpointRequest(
            endpoint_id=endpoint.endpoint_id,
            endpoint=Endpoint(**fields),
            update_mask=FieldMask(paths=paths),
            etag=endpoint.etag,
        ),
        metadata=metadata,
    )
    return answer.endpoint


async def get(client: CourierClient, metadata: Metadata, endpoint_id: str) -> Endpoint:
    answer = await client.endpoints.GetEndpoint(
        rpc.GetEndpointRequest(endpoint_id=endpoint_id), metadata=metadata
    )
    return answer.endpoint


async def test_an_endpoint_is_registered_and_its_secret_is_shown_once(
    client: CourierClient, person: Person, as_human: Metadata, receiver: Receiver
) -> None:
    url = receiver.url("/status/200?a=b&c=%20d")

    made = await client.register(person, url, name="Ops", idempotent=True)

    assert made.secret.startswith("whsec_")
    assert (made.endpoint.name, made.endpoint.url) == ("Ops", url)
    assert (made.endpoint.idempotent, made.endpoint.disabled) == (True, False)
    assert await get(client, as_human, made.endpoint.endpoint_id) == made.endpoint


async def test_secrets_rest_encrypted(
    client: CourierClient, person: Person, receiver: Receiver, superuser: asyncpg.Connection
) -> None:
    made = await client.register(person, receiver.url("/status/200"))

    stored = await superuser.fetchval(
        "SELECT sealed_secret FROM courier.endpoints WHERE endpoint_id = $1",
        made.endpoint.endpoint_id,
    )
    rows = await superuser.fetch("SELECT e::text AS row FROM courier.endpoints e")

    assert made.secret.encode() not in stored
    assert not any(made.secret.removeprefix("whsec_") in row["row"] for row in rows)


async def test_the_same_request_id_makes_one_endpoint_and_shows_no_secret_again(
    client: CourierClient, person: Person, receiver: Receiver
) -> None:
    fields = {"name": "Once", "request_id": str(uuid4())}
    first = await client.register(person, receiver.url("/status/200"), **fields)

    again = await client.register(person, receiver.url("/status/200"), **fields)

    assert again.endpoint == first.endpoint
    assert again.secret == ""
    await refused(
        client.register(person, receiver.url("/status/201"), **fields),
        INVALID,
        "REQUEST_ID_REUSED",
    )


async def test_a_name_is_taken_within_an_identity_only(
    client: CourierClient, person: Person, as_human: Metadata, receiver: Receiver
) -> None:
    url = receiver.url("/status/200")
    await client.register(person, url, name="Ops")
    await client.register(Person(tenant=person.tenant), url, name="Ops")
    other = await client.register(person, url, name="Other")

    for call in (
        client.register(person, url, name="Ops"),
        update(client, as_human, other.endpoint, ["name"], name="Ops"),
    ):
        await refused(call, grpc.StatusCode.ALREADY_EXISTS, "ENDPOINT_NAME_TAKEN")


async def test_endpoints_are_listed_by_name_on_pages(
    client: CourierClient, person: Person, as_human: Metadata, receiver: Receiver
) -> None:
    for name in ("delta", "alpha", "charlie", "bravo"):
        await client.register(person, receiver.url("/status/200"), name=name)
    await client.register(Person(), receiver.url("/status/200"), name="somebody else's")

    seen, token = [], ""
    while True:
        page = await client.endpoints.ListEndpoints(
            rpc.ListEndpointsRequest(page_size=3, page_token=token), metadata=as_human
        )
        seen += [endpoint.name for endpoint in page.endpoints]
        token = page.next_page_token
        if not token:
            break

    assert seen == ["alpha", "bravo", "charlie", "delta"]
    await refused(
        client.endpoints.ListEndpoints(
            rpc.ListEndpointsRequest(page_token="forged"), metadata=as_human
        ),
        INVALID,
        "INVALID_PAGE_TOKEN",
    )


async def test_an_update_changes_what_it_names_and_the_etag(
    client: CourierClient, person: Person, as_human: Metadata, receiver: Receiver
) -> None:
    made = (await client.register(person, receiver.url("/status/200"), name="Ops")).endpoint

    changed = await update(client, as_human, made, ["disabled"], disabled=True, name="ignored")

    assert (changed.name, changed.disabled, changed.etag) == ("Ops", True, "v2")
    info = await refused(
        update(client, as_human, made, ["name"], name="late"),
        grpc.StatusCode.ABORTED,
        "ETAG_MISMATCH",
    )
    assert info.metadata["etag"] == "v2"


@pytest.mark.parametrize(
    ("paths", "fields"),
    [
        ([], {}),
        (["name"], {"name": ""}),
        (["name"], {"name": "x" * 256}),
        (["etag"], {"etag": "v9"}),
        (["endpoint_id"], {}),
        (["secret"], {}),
    ],
)
async def test_an_update_of_what_cannot_be_changed_is_refused(
    client: CourierClient,
    person: Person,
    as_human: Metadata,
    receiver: Receiver,
    paths: list[str],
    fields: dict[str, Any],
) -> None:
    made = (await client.register(person, receiver.url("/status/200"))).endpoint

    await refused(update(client, as_human, made, paths, **fields), INVALID, "INVALID_REQUEST")


REFUSED_URLS = {
    "http://127.0.0.1/": "ADDRESS",
    "http://127.0.0.1:1/": "ADDRESS",
    "http://localhost/": "ADDRESS",
    "http://10.0.0.1/": "ADDRESS",
    "http://192.168.1.1/": "ADDRESS",
    "http://172.16.0.1/": "ADDRESS",
    "http://169.254.169.254/latest/meta-data/": "ADDRESS",
    "http://100.64.0.1/": "ADDRESS",
    "http://0.0.0.0/": "ADDRESS",
    "http://255.255.255.255/": "ADDRESS",
    "http://224.0.0.1/": "ADDRESS",
    "http://[::1]/": "ADDRESS",
    "http://[::]/": "ADDRESS",
    "http://[fe80::1]/": "ADDRESS",
    "http://[fd00::1]/": "ADDRESS",
    "http://[ff02::1]/": "ADDRESS",
    "http://[::ffff:127.0.0.1]/": "ADDRESS",
    "http://[::ffff:8.8.8.8]/": "ADDRESS",
    "http://[64:ff9b::7f00:1]/": "ADDRESS",
    "http://[2002:7f00:1::]/": "ADDRESS",
    "http://2130706433/": "HOST",
    "http://0x7f000001/": "HOST",
    "http://0x7f.0.0.1/": "HOST",
    "http://0177.0.0.1/": "HOST",
    "http://127.1/": "HOST",
    "http://user:password@example.com/": "USERINFO",
    "http://example.com@127.0.0.1/": "USERINFO",
    "ftp://example.com/": "SCHEME",
    "file:///etc/passwd": "SCHEME",
    "gopher://example.com/": "SCHEME",
    "http://8.8.8.8:22/": "PORT",
    "http://8.8.8.8:6379/": "PORT",
    "https://8.8.8.8/#fragment": "FORM",
}


@pytest.mark.parametrize("url", REFUSED_URLS)
async def test_an_address_that_may_not_be_called_is_refused_at_once(
    client: CourierClient, person: Person, as_human: Metadata, receiver: Receiver, url: str
) -> None:
    made = (await client.register(person, receiver.url("/status/200"))).endpoint

    for call in (
        client.register(person, url),
        update(client, as_human, made, ["url"], url=url),
    ):
        info = await refused(call, INVALID, "URL_REFUSED")
        assert info.metadata["cause"] == REFUSED_URLS[url]
    assert await get(client, as_human, made.endpoint_id) == made


@pytest.mark.parametrize(
    "url", ["", "no url", "http://", "http://a b/", "http://é.example/\r\nX: y"]
)
async def test_what_is_no_url_is_refused(client: CourierClient, person: Person, url: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await client.register(person, url)

    assert failure.value.code() is INVALID


async def test_a_deleted_endpoint_is_gone_and_its_name_is_free(
    client: CourierClient, person: Person, as_human: Metadata, receiver: Receiver
) -> None:
    made = (await client.register(person, receiver.url("/status/200"), name="Ops")).endpoint
    request = rpc.DeleteEndpointRequest(endpoint_id=made.endpoint_id)

    await client.endpoints.DeleteEndpoint(request, metadata=as_human)

    await refused(get(client, as_human, made.endpoint_id), DENIED, "FORBIDDEN")
    await refused(client.endpoints.DeleteEndpoint(request, metadata=as_human), DENIED, "FORBIDDEN")
    assert await client.register(person, receiver.url("/status/200"), name="Ops")


async def test_endpoints_that_a_reference_may_mean_are_found_however_it_is_written(
    client: CourierClient, person: Person, as_human: Metadata, receiver: Receiver
) -> None:
    url = receiver.url("/status/200")
    names = ["Straße  Süd", "strasse\u00a0süd 2", "Ops", "ops of others", "100%_"]
    made = {name: (await client.register(person, url, name=name)).endpoint for name in names}

    async def found(reference: str) -> set[str]:
        seen, token = set(), ""
        while True:
            answer = await client.endpoints.ListEndpoints(
                rpc.ListEndpointsRequest(reference=reference, page_size=1, page_token=token),
                metadata=as_human,
            )
            seen |= {endpoint.name for endpoint in answer.endpoints}
            token = answer.next_page_token
            if not token:
                return seen

    assert await found(" STRASSE süd ") == {"Straße  Süd", "strasse\u00a0süd 2"}
    assert await found("oPs") == {"Ops", "ops of others"}
    assert await found("%_") == {"100%_"}
    assert await found("nowhere") == set()
    assert await found("") == set(names)
    endpoint_id = made["Ops"].endpoint_id
    assert await found(f" {endpoint_id.upper()} ") == {"Ops"}
    assert await found(endpoint_id[:8]) == set()
