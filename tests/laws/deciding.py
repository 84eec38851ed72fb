"""Channels that somebody decides from: confirmed with the code that came there, and allowed to."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

from chenu.courier.v1.channel_pb2 import NotificationState
from chenu.courier.v1.channel_service_pb2 import (
    ConfirmChannelRequest,
    CreateChannelRequest,
    ListNotificationsRequest,
    SetChannelGrantRequest,
    SlackApp,
)
from chenu.courier.v1.channel_service_pb2_grpc import ChannelServiceStub
from chenu.courier.v1.interaction_service_pb2 import AnswerInteractionRequest
from chenu.identity.v1.channel_grant_service_pb2 import IssueChannelGrantRequest
from tests.laws.hands import Hands, use
from tests.support.channels import code_in
from tests.support.fleet import Client
from tests.support.mailbox import Mailbox
from tests.support.slack import SlackServer, pressed, signature
from tests.support.waiting import soon


def stub(me: Client) -> ChannelServiceStub:
    """The person's channels."""
    return ChannelServiceStub(me.fleet.channel("courier"))


async def mail_channel(me: Client, hands: Hands, mailbox: Mailbox) -> tuple[str, str]:
    """A channel that the person decides from, and its address."""
    email = f"{uuid4()}@example.org"

    async def code() -> str:
        (mail,) = await mailbox.wait_for(email)
        mailbox.received[email] = []
        return code_in(mail.get_content())

    channel_id = await _confirmed(me, code, email=email)
    await allow(me, await grant(me, hands, channel_id, "MAIL"), channel_id)
    return channel_id, email


async def slack_channel(me: Client, hands: Hands, slack: SlackServer) -> tuple[str, str]:
    """A channel that the person decides from, and the user that it writes to."""
    user = f"U{uuid4().hex[:10].upper()}"

    async def code() -> str:
        (note,) = await slack.wait_for(user)
        slack.messages[user] = []
        return code_in(note.text)

    channel_id = await _confirmed(me, code, slack_app=SlackApp(**slack.app(user)))
    await allow(me, await grant(me, hands, channel_id, "CHAT"), channel_id)
    return channel_id, user


async def grant(me: Client, hands: Hands, channel_id: str, method: str) -> str:
    """What identity gives for the channel."""
    request = IssueChannelGrantRequest(
        session_secret=me.session.session_secret,
        channel_id=channel_id,
        method=f"CHANNEL_METHOD_{method}",
    )
    return (await hands.grants.IssueChannelGrant(request)).channel_grant


async def allow(me: Client, channel_grant: str, channel_id: str) -> None:
    """Give the grant to courier."""
    request = SetChannelGrantRequest(channel_id=channel_id, channel_grant=channel_grant)
    await stub(me).SetChannelGrant(request, metadata=me.me)


async def sent(me: Client, channel_id: str) -> str:
    """The latest notification of the channel, once all that was for it has been sent."""

    async def latest() -> str:
        request = ListNotificationsRequest(channel_id=channel_id)
        found = (await stub(me).ListNotifications(request, metadata=me.me)).notifications
        delivered = NotificationState.NOTIFICATION_STATE_DELIVERED
        settled = found and all(one.state == delivered for one in found)
        return found[0].notification_id if settled else ""

    return await soon(latest, "everything was sent")


async def _confirmed(me: Client, code: Callable[[], Awaitable[str]], **address: Any) -> str:
    request = CreateChannelRequest(name=str(uuid4()), **address)
    channel_id: str = (await stub(me).CreateChannel(request, metadata=me.me)).channel.channel_id
    confirm = ConfirmChannelRequest(channel_id=channel_id, code=await code())
    await stub(me).ConfirmChannel(confirm, metadata=me.me)
    return channel_id


async def interaction(me: Client, hands: Hands) -> AnswerInteractionRequest:
    """What Slack posts when the person presses a button; the card is there, and no more is sent."""
    async with SlackServer() as slack:
        channel_id, user = await slack_channel(me, hands, slack)
        search = use(me, "thread.search", query=str(uuid4()))
        await hands.ask(me, search, requires_checkpoint=True)
        (card,) = await slack.wait_for(user)
        await sent(me, channel_id)
        where = slack.response_url(user)
    body = pressed(card, "approve", response_url=where)
    signed = signature(body)
    return AnswerInteractionRequest(
        body=body,
        timestamp=signed["x-slack-request-timestamp"],
        signature=signed["x-slack-signature"],
    )
