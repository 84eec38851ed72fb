"""Law 1: who decides is people, whatever becomes of the messages that tell them."""

import asyncio
from uuid import uuid4

from chenu.courier.v1.channel_pb2 import NotificationState
from chenu.courier.v1.channel_service_pb2 import CreateChannelRequest, ListNotificationsRequest
from chenu.courier.v1.channel_service_pb2_grpc import ChannelServiceStub
from chenu.governance.v1.checkpoint_pb2 import CheckpointState
from deploy.local.server import free_port
from tests.laws.hands import Hands, use
from tests.support.fleet import Client
from tests.support.receiver import Receiver
from tests.support.waiting import PATIENCE, soon

PENDING = NotificationState.NOTIFICATION_STATE_PENDING


async def test_a_dead_channel_neither_changes_nor_delays_a_decision(
    me: Client, hands: Hands
) -> None:
    channels = ChannelServiceStub(me.fleet.channel("courier"))
    async with Receiver() as outside:
        for url in (outside.url("/hang"), f"http://127.0.0.1:{free_port()}/"):
            request = CreateChannelRequest(name=str(uuid4()), webhook_url=url)
            await channels.CreateChannel(request, metadata=me.me)
        action = use(me, "thread.search", query=str(uuid4()))
        request_id = str(uuid4())

        async with asyncio.timeout(PATIENCE):
            gated = await hands.ask(me, action, request_id, requires_checkpoint=True)
            checkpoint_id = gated.checkpoint.checkpoint_id
            await me.approve(checkpoint_id)
            decided = await hands.ask(me, action, request_id, requires_checkpoint=True)

        assert decided.permit
        told = ListNotificationsRequest(checkpoint_id=checkpoint_id)

        async def tried() -> bool:
            log = (await channels.ListNotifications(told, metadata=me.me)).notifications
            return any(one.attempts and one.state == PENDING for one in log)

        await soon(tried, "a dead channel was tried in vain")
        checkpoint = await me.checkpoint(checkpoint_id)
        assert checkpoint.state == CheckpointState.CHECKPOINT_STATE_APPROVED
