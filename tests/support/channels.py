"""Channels in tests: registering them, telling of a checkpoint, looking what became of it."""

import re
from typing import Any, TypeVar
from uuid import uuid4

from chenu.courier.v1.channel_pb2 import Channel, Notification, NotificationState
from chenu.courier.v1.channel_service_pb2 import (
    ConfirmChannelRequest,
    CreateChannelRequest,
    CreateChannelResponse,
    ListChannelsRequest,
    ListNotificationsRequest,
)
from chenu.governance.v1.notice_service_pb2 import GetNoticeResponse
from tests.support.courier import CourierClient
from tests.support.identity import Person
from tests.support.mailbox import Mailbox
from tests.support.waiting import soon

T = TypeVar("T")
PENDING = NotificationState.NOTIFICATION_STATE_PENDING
DELIVERED = NotificationState.NOTIFICATION_STATE_DELIVERED
WITHDRAWN = NotificationState.NOTIFICATION_STATE_WITHDRAWN
FAILED = NotificationState.NOTIFICATION_STATE_FAILED


async def a_channel(client: CourierClient, person: Person, **address: Any) -> CreateChannelResponse:
    """A new channel of the person's."""
    request = CreateChannelRequest(**{"name": str(uuid4())} | address)
    return await client.channels.CreateChannel(request, metadata=client.identity.as_human(person))


async def confirmed(
    client: CourierClient, person: Person, made: CreateChannelResponse, code: str
) -> Channel:
    """The channel, once its code came back."""
    request = ConfirmChannelRequest(channel_id=made.channel.channel_id, code=code)
    answer = await client.channels.ConfirmChannel(
        request, metadata=client.identity.as_human(person)
    )
    return answer.channel


async def a_mail_channel(
    client: CourierClient, person: Person, mailbox: Mailbox, to: str
) -> Channel:
    """A channel to this mailbox, confirmed; the mail with the code is thrown away."""
    made = await a_channel(client, person, email=to)
    (mail,) = await mailbox.wait_for(to)
    mailbox.received[to].clear()
    return await confirmed(client, person, made, code_in(mail.get_content()))


def code_in(text: str) -> str:
    """The code of a confirmation."""
    found = re.search(r"code back: ([0-9a-f]{10})", text)
    assert found, text
    return found[1]


async def channels_of(client: CourierClient, person: Person) -> list[Channel]:
    """All of a person's, by name."""
    answer = await client.channels.ListChannels(
        ListChannelsRequest(), metadata=client.identity.as_human(person)
    )
    return list(answer.channels)


async def log_of(client: CourierClient, person: Person, **wanted: Any) -> list[Notification]:
    """The delivery log, the latest first."""
    answer = await client.channels.ListNotifications(
        ListNotificationsRequest(**wanted), metadata=client.identity.as_human(person)
    )
    return list(answer.notifications)


async def tell(client: CourierClient, told: GetNoticeResponse) -> None:
    """Have governance list the notice, until courier has taken it in."""
    notices = client.governance.notices
    notices[told.notice.notice_id] = told

    async def taken() -> bool:
        return told.notice.notice_id not in notices

    await soon(taken, "courier has taken it in")


async def settled(
    client: CourierClient,
    person: Person,
    told: GetNoticeResponse,
    state: NotificationState = DELIVERED,
    attempts: int = 1,
) -> Notification:
    """The one notification of a checkpoint, as soon as it stands so after so many attempts."""

    async def stands() -> Notification | None:
        log = await log_of(client, person, checkpoint_id=told.checkpoint.checkpoint_id)
        so = len(log) == 1 and log[0].state == state and len(log[0].attempts) >= attempts
        return log[0] if so else None

    found = await soon(stands, f"the notification is {state} after {attempts} attempts")
    assert found is not None
    return found
