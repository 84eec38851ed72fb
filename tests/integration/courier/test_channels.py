"""Channels: registered by people, their secrets sealed, their addresses guarded."""

from typing import Any

import asyncpg
import grpc
import pytest

from chenu.courier.v1 import channel_service_pb2 as rpc
from chenu.courier.v1.channel_pb2 import ChannelKind
from tests.support.channels import a_channel, channels_of, log_of, settled, tell
from tests.support.courier import CourierClient
from tests.support.identity import Metadata, Person
from tests.support.notices import a_notice
from tests.support.receiver import Receiver
from tests.support.refusals import refused

DENIED = grpc.StatusCode.PERMISSION_DENIED
SECRET = "/services/T0/B0/secret"


async def test_a_webhook_channel_shows_its_secret_once_and_its_public_key_always(
    client: CourierClient, person: Person, receiver: Receiver
) -> None:
    made = await a_channel(client, person, name="Ops", webhook_url=receiver.url("/status/200"))

    assert made.secret.startswith("whsec_")
    assert made.channel.public_key.startswith("whpk_")
    assert (made.channel.name, made.channel.kind) == ("Ops", ChannelKind.CHANNEL_KIND_WEBHOOK)
    assert made.channel.address == receiver.url("/status/200")
    assert await channels_of(client, person) == [made.channel]


async def test_the_url_of_a_slack_channel_is_a_secret(
    client: CourierClient, person: Person, receiver: Receiver
) -> None:
    made = await a_channel(client, person, slack_webhook_url=receiver.url(SECRET))

    assert made.channel.kind == ChannelKind.CHANNEL_KIND_SLACK
    assert (made.channel.address, made.secret, made.channel.public_key) == ("127.0.0.1", "", "")


async def test_addresses_and_secrets_rest_encrypted(
    client: CourierClient, person: Person, receiver: Receiver, superuser: asyncpg.Connection
) -> None:
    made = await a_channel(client, person, email=f"someone{person.person}@example.org")
    hook = await a_channel(client, person, webhook_url=receiver.url("/status/200"))

    rows = await superuser.fetch(
        "SELECT c::text AS row, sealed FROM courier.channels AS c WHERE identity = $1",
        person.identity,
    )
    rest = b" ".join(row["row"].encode() + row["sealed"] for row in rows)
    for plain in ("someone", "/status/200", hook.secret):
        assert plain.encode() not in rest
    assert made.channel.address == f"someone{person.person}@example.org"


@pytest.mark.parametrize("field", ["webhook_url", "slack_webhook_url"])
async def test_addresses_inside_are_refused(
    client: CourierClient, person: Person, field: str
) -> None:
    for url in ("http://169.254.169.254/latest", "http://10.0.0.1/", "ftp://example.org/"):
        call = a_channel(client, person, **{field: url})
        await refused(call, grpc.StatusCode.INVALID_ARGUMENT, "URL_REFUSED")
    assert await channels_of(client, person) == []


@pytest.mark.parametrize(
    "address",
    [{}, {"email": "not an address"}, {"email": "a@example.org\r\nBcc: b@example.org"}],
)
async def test_a_channel_needs_one_address_of_its_kind(
    client: CourierClient, person: Person, address: dict[str, Any]
) -> None:
    call = a_channel(client, person, **address)
    await refused(call, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")


async def test_a_name_is_taken_once(client: CourierClient, person: Person) -> None:
    await a_channel(client, person, name="Me", email=f"{person.person}@example.org")
    call = a_channel(client, person, name="Me", email=f"{person.person}@example.org")
    await refused(call, grpc.StatusCode.ALREADY_EXISTS, "CHANNEL_NAME_TAKEN")


async def test_a_request_id_makes_one_channel(client: CourierClient, person: Person) -> None:
    request_id = "6f9619ff-8b86-4011-b42d-00c04fc964ff"
    given = {"name": "Me", "email": f"{person.person}@example.org", "request_id": request_id}
    first = await a_channel(client, person, **given)
    again = await a_channel(client, person, **given)

    assert again.channel == first.channel
    call = a_channel(client, person, **given | {"email": "you@example.org"})
    await refused(call, grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED")


async def test_channels_are_listed_by_name_in_pages(client: CourierClient, person: Person) -> None:
    for name in ("b", "c", "a"):
        await a_channel(client, person, name=name, email=f"{person.person}@example.org")
    metadata = client.identity.as_human(person)

    first = await client.channels.ListChannels(
        rpc.ListChannelsRequest(page_size=2), metadata=metadata
    )
    second = await client.channels.ListChannels(
        rpc.ListChannelsRequest(page_size=2, page_token=first.next_page_token), metadata=metadata
    )

    names = [channel.name for page in (first, second) for channel in page.channels]
    assert (names, second.next_page_token) == (["a", "b", "c"], "")


async def test_nobody_else_sees_or_moves_a_channel_or_its_notifications(
    client: CourierClient, person: Person, as_human: Metadata, receiver: Receiver
) -> None:
    made = await a_channel(client, person, webhook_url=receiver.url("/status/200"))
    told = a_notice(person)
    await tell(client, told)
    sent = await settled(client, person, told)
    stranger = Person(tenant=person.tenant)
    other = client.identity.as_human(stranger)
    channel_id = made.channel.channel_id

    for call in (
        client.channels.SwitchChannel(
            rpc.SwitchChannelRequest(channel_id=channel_id, disabled=True), metadata=other
        ),
        client.channels.DeleteChannel(
            rpc.DeleteChannelRequest(channel_id=channel_id), metadata=other
        ),
        client.channels.ReplayNotification(
            rpc.ReplayNotificationRequest(notification_id=sent.notification_id), metadata=other
        ),
    ):
        await refused(call, DENIED, "FORBIDDEN")
    assert await channels_of(client, stranger) == []
    assert await log_of(client, stranger) == []


async def test_an_agent_registers_no_channel(client: CourierClient, person: Person) -> None:
    call = client.channels.CreateChannel(
        rpc.CreateChannelRequest(name="mine", email="agent@example.org"),
        metadata=client.identity.as_agent(person, "7d444840-9dc0-41d1-b245-5ffdce74fad2"),
    )
    await refused(call, DENIED, "CALLER_NOT_ALLOWED")


async def test_a_removed_channel_leaves_nothing_behind(
    client: CourierClient, person: Person, as_human: Metadata, receiver: Receiver
) -> None:
    made = await a_channel(client, person, webhook_url=receiver.url("/status/200"))
    told = a_notice(person)
    await tell(client, told)
    await settled(client, person, told)

    request = rpc.DeleteChannelRequest(channel_id=made.channel.channel_id)
    await client.channels.DeleteChannel(request, metadata=as_human)

    assert await channels_of(client, person) == []
    assert await log_of(client, person) == []
    await refused(client.channels.DeleteChannel(request, metadata=as_human), DENIED, "FORBIDDEN")
