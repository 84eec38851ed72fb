"""Slack apps: cards to one person, with buttons, edited when they are out of date."""

from datetime import timedelta

import grpc
import pytest

from chenu.courier.v1.channel_pb2 import ChannelKind
from chenu.governance.v1.notice_service_pb2 import NoticeEvent
from services.courier.notifier import Notifier
from tests.support.channels import (
    DELIVERED,
    PENDING,
    WITHDRAWN,
    a_channel,
    channels_of,
    log_of,
    settled,
    tell,
)
from tests.support.courier import CourierClient
from tests.support.identity import Person
from tests.support.notices import a_notice
from tests.support.refusals import refused
from tests.support.slack import SlackServer
from tests.support.slack_cards import about, an_app, ended, somebody
from tests.support.waiting import soon


async def test_a_card_shows_the_view_and_its_buttons_only_where_they_would_count(
    client: CourierClient, person: Person, slack: SlackServer
) -> None:
    user = somebody()
    channel = await an_app(client, person, slack, user, decides=False)
    assert (channel.kind, channel.address) == (ChannelKind.CHANNEL_KIND_SLACK_APP, user)
    told = about(person)
    await tell(client, told)
    (message,) = await slack.wait_for(user)
    assert list(message.buttons) == ["review"]
    assert told.checkpoint.etag in message.text
    assert message.buttons["review"]["url"] == told.review_uri

    await an_app(client, person, slack, other := somebody())
    high = a_notice(person)
    await tell(client, high)
    (first,) = await slack.wait_for(other)
    assert list(first.buttons) == ["review"]
    await tell(client, about(person))
    (_, second) = await slack.wait_for(other, 2)
    assert list(second.buttons) == ["approve", "reject", "review"]
    assert all("confirm" in second.buttons[one] for one in ("approve", "reject"))


async def test_a_decided_card_disappears_everywhere_at_once(
    client: CourierClient, person: Person, slack: SlackServer
) -> None:
    colleague = Person(tenant=person.tenant)
    users = {person.person: somebody(), colleague.person: somebody()}
    for one in (person, colleague):
        await an_app(client, one, slack, users[one.person])
    told = about(person, approvers=(person.person, colleague.person))
    await tell(client, told)
    cards = [(await slack.wait_for(user))[0] for user in users.values()]
    for one in (person, colleague):
        await settled(client, one, told)

    # The colleague is none of the approvers any more: the card goes all the same.
    await tell(client, ended(person, told, approvers=(person.person,)))

    for message in cards:
        edited = await slack.edited(message)
        assert "It is approved, and waits no more" in edited.text
        assert list(edited.buttons) == ["review"]
    assert [len(slack.messages[user]) for user in users.values()] == [1, 1]


async def test_a_reminder_or_a_new_revision_leaves_one_card_with_buttons(
    client: CourierClient, person: Person, slack: SlackServer
) -> None:
    await an_app(client, person, slack, user := somebody())
    first = about(person)
    await tell(client, first)
    await slack.wait_for(user)
    await settled(client, person, first)
    await tell(client, about(person, first, event=NoticeEvent.NOTICE_EVENT_REMINDED))
    await slack.wait_for(user, 2)
    await tell(client, about(person, first, arguments={"query": "another"}))
    (old, reminder, revised) = await slack.wait_for(user, 3)
    assert (list(old.buttons), list(reminder.buttons)) == ([], [])
    assert "There is a newer message" in old.text
    assert "approve" in revised.buttons


async def test_a_card_that_is_on_its_way_when_it_is_decided_is_edited_once_it_is_there(
    client: CourierClient, person: Person, slack: SlackServer, later: Notifier
) -> None:
    await an_app(client, person, slack, user := somebody())
    told = about(person)
    slack.holding.clear()
    try:
        await tell(client, told)
        await tell(client, ended(person, told))
        await later.send_due()  # another process that would send the end now
        assert not slack.messages[user]
    finally:
        slack.holding.set()
    (message,) = await slack.wait_for(user)
    assert "It is approved" in (await slack.edited(message)).text


async def test_a_card_that_could_not_be_sent_before_it_was_decided_is_withdrawn(
    client: CourierClient, person: Person, slack: SlackServer, later: Notifier
) -> None:
    user = somebody("ULATER")
    slack.limited[user] = 1
    await an_app(client, person, slack, user)
    slack.limited[user] = 0
    told = about(person)
    await tell(client, told)
    waits = await settled(client, person, told, PENDING)
    await tell(client, ended(person, told))

    later.offset = timedelta(seconds=90)
    await later.send_due()

    async def both() -> bool:
        log = await log_of(client, person, checkpoint_id=waits.checkpoint_id)
        return [n.state for n in log] == [DELIVERED, WITHDRAWN]

    await soon(both, "one is delivered, one withdrawn")
    assert not slack.messages[user]


async def test_a_provider_says_when_to_come_again_and_is_listened_to(
    client: CourierClient, person: Person, slack: SlackServer, later: Notifier
) -> None:
    user = somebody("ULATER")
    slack.limited[user] = 1
    await an_app(client, person, slack, user)
    slack.limited[user] = 0
    told = about(person)
    await tell(client, told)
    waits = await settled(client, person, told, PENDING)
    (attempt,) = waits.attempts
    assert (attempt.status, attempt.reason) == (429, "HTTP_429")
    # Longer than the schedule's five seconds, because it was asked for.
    pause = waits.next_attempt_time.ToDatetime() - attempt.create_time.ToDatetime()
    assert timedelta(seconds=60) < pause < timedelta(seconds=90)

    later.offset = timedelta(seconds=30)
    await later.send_due()
    assert not slack.messages[user]
    later.offset = timedelta(seconds=90)
    await later.send_due()
    assert len(await slack.wait_for(user)) == 1


async def test_an_app_that_was_thrown_out_disables_its_channel(
    client: CourierClient, person: Person, slack: SlackServer
) -> None:
    await a_channel(client, person, slack_app=slack.app(somebody("UGONE")))

    async def off() -> str:
        (channel,) = await channels_of(client, person)
        return channel.disable_reason

    assert await soon(off, "the channel is off") == "SLACK_ACCOUNT_INACTIVE"


@pytest.mark.parametrize(
    "change",
    [
        {"user_id": "ada"},
        {"user_id": "C0123456"},
        {"bot_token": "has a space in it"},
        {"signing_secret": "short"},
        {"api_url": "http://10.0.0.1/api"},
    ],
)
async def test_an_app_that_cannot_be_is_refused(
    client: CourierClient, person: Person, slack: SlackServer, change: dict[str, str]
) -> None:
    call = a_channel(client, person, slack_app=slack.app(somebody()) | change)
    reason = "URL_REFUSED" if "api_url" in change else "INVALID_REQUEST"
    await refused(call, grpc.StatusCode.INVALID_ARGUMENT, reason)
