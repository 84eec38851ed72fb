"""Channels that do not answer: nobody else waits for them."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest

from chenu.courier.v1.channel_service_pb2 import DeleteChannelRequest
from kernel.database import Record
from kernel.service import Service
from services.courier.notifications import Tried
from services.courier.notifier import Notifier
from services.courier.outlets import Outlets
from services.courier.settings import CourierSettings
from tests.support.channels import PENDING, a_channel, channels_of, log_of, settled, tell
from tests.support.courier import CourierClient
from tests.support.database_urls import DatabaseUrls
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


FILL = """INSERT INTO courier.notifications
    (notification_id, tenant, identity, channel_id, notice_id, checkpoint_id, type, view_digest,
     body, state, leased, next_time)
SELECT uuidv7(), tenant, identity, channel_id, uuidv7(), $2, 'checkpoint.created', '', '{}',
    'pending', $3, clock_timestamp() + $4::interval
FROM courier.channels, generate_series(1, $5) WHERE channel_id = $1"""


class Silent(Outlets):
    """Of one tenant nothing is ever answered; `told` is the first channel that is not its."""

    def __init__(self, tenant: str) -> None:
        self._tenant = tenant
        self.told: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def send(self, channel: Record, notification: Record, sent: Sequence[str]) -> Tried:
        if channel["tenant"] == self._tenant:
            await asyncio.Event().wait()
        if not self.told.done():
            self.told.set_result(channel["channel_id"])
        return Tried("OK")


@pytest.mark.parametrize("waits", [False, True], ids=["many at once", "many that wait for others"])
async def test_a_tenant_whose_channels_are_dead_holds_no_other_tenant_up(
    client: CourierClient,
    service: Service[CourierSettings],
    urls: DatabaseUrls,
    receiver: Receiver,
    waits: bool,
) -> None:
    hog, other, soon = (
        Person(),
        Person(),
        timedelta(hours=1),
    )  # so that only one with a clock sees it
    their, own = [
        (await a_channel(client, one, webhook_url=receiver.url("/status/200"))).channel.channel_id
        for one in (hog, other)
    ]
    admin = await asyncpg.connect(urls.admin)
    try:
        checkpoint = str(uuid4())
        if waits:
            await admin.execute(FILL, their, checkpoint, True, 3 * soon, 1)
            await admin.execute(FILL, their, checkpoint, False, soon, 60)
        else:
            await admin.execute(FILL, their, None, False, soon, 520)
        await admin.execute(FILL, own, None, False, soon + timedelta(seconds=1), 1)
    finally:
        await admin.close()
    outlets = Silent(hog.tenant)
    notifier = Notifier(
        service.database, service.worker, outlets, every=60, lease=soon, offset=2 * soon
    )
    running = asyncio.create_task(notifier.run())
    try:
        async with asyncio.timeout(PATIENCE):
            assert await outlets.told == own
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await no_longer_tried(client, hog)
        await no_longer_tried(client, other)
