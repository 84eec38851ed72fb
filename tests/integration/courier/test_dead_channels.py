"""Channels that do not answer: nobody else waits for them."""

import asyncio

import pytest

from chenu.courier.v1.channel_service_pb2 import DeleteChannelRequest
from tests.support.channels import PENDING, a_channel, channels_of, log_of, settled, tell
from tests.support.courier import CourierClient
from tests.support.identity import Person
from tests.support.notices import a_notice
from tests.support.receiver import Receiver
from tests.support.waiting import PATIENCE


async def no_longer_tried(client: CourierClient, person: Person) -> None:
    """Else every test after it that moves the clock would wait for it, once for each move."""
    for channel in await channels_of(client, person):
        gone = DeleteChannelRequest(channel_id=channel.channel_id)
        await client.channels.DeleteChannel(gone, metadata=client.identity.as_human(person))


async def test_a_dead_channel_holds_no_other_up(
    client: CourierClient, person: Person, receiver: Receiver
) -> None:
    await a_channel(client, person, webhook_url=receiver.url("/hang"))
    colleague = Person(tenant=person.tenant)
    await a_channel(client, colleague, webhook_url=receiver.url("/status/200"))
    told = a_notice(person, approvers=(person.person, colleague.person))
    await tell(client, told)

    await settled(client, colleague, told)

    stuck = await settled(client, person, told, PENDING)
    assert [a.reason for a in stuck.attempts] == ["TIMEOUT"]
    await no_longer_tried(client, person)


async def test_a_dead_channel_holds_up_nothing_that_comes_after_it_either(
    client: CourierClient, receiver: Receiver
) -> None:
    for _ in range(4):  # a busy machine may make one late; each would be that waited for it
        if await overtaken(client, Person(), receiver):
            return
    pytest.fail("what came after it was told when it had ended")


async def overtaken(client: CourierClient, person: Person, receiver: Receiver) -> bool:
    """Whether what is told after a channel has begun to hang arrives while it still does."""
    await a_channel(client, person, webhook_url=receiver.url("/hang"))
    stuck = a_notice(person)
    await tell(client, stuck)
    async with asyncio.timeout(PATIENCE), receiver.arrived:
        said = stuck.checkpoint.checkpoint_id.encode()
        await receiver.arrived.wait_for(
            lambda: any(said in one.body for all_ in receiver.received.values() for one in all_)
        )
    colleague = Person(tenant=person.tenant)
    await a_channel(client, colleague, webhook_url=receiver.url("/status/200"))
    told = a_notice(colleague)
    await tell(client, told)

    await settled(client, colleague, told)

    (waits,) = await log_of(client, person, checkpoint_id=stuck.checkpoint.checkpoint_id)
    await no_longer_tried(client, person)
    return not waits.attempts
