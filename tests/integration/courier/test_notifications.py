"""What reaches a channel, how often it is tried, and what becomes of it."""

import asyncio
import json
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook

from chenu.courier.v1 import channel_service_pb2 as rpc
from chenu.courier.v1.channel_pb2 import Channel, Notification
from chenu.governance.v1.checkpoint_pb2 import CheckpointState
from chenu.governance.v1.notice_service_pb2 import GetNoticeResponse, NoticeEvent
from chenu_gate.view import as_text, short_digest
from kernel.service import Service
from kernel.statement import Statement
from services.courier.dialing import Dialer
from services.courier.mailing import Mailer
from services.courier.notifier import Notifier
from services.courier.outlets import Outlets
from services.courier.schedule import DELAYS
from services.courier.settings import CourierSettings
from services.courier.vault import Vault
from tests.support.channels import (
    DELIVERED,
    FAILED,
    PENDING,
    a_channel,
    channels_of,
    log_of,
    settled,
    tell,
    until,
)
from tests.support.courier import CourierClient
from tests.support.identity import Metadata, Person
from tests.support.mailbox import Mailbox
from tests.support.notices import a_notice
from tests.support.receiver import Received, Receiver
from tests.support.refusals import refused


async def only(receiver: Receiver, webhook_id: str) -> Received:
    await receiver.wait_for(webhook_id)
    (received,) = receiver.received[webhook_id]
    return received


@pytest.fixture
def later(service: Service[CourierSettings]) -> Notifier:
    """Another notifier on the same rows, whose clock a test may move."""
    settings = service.settings
    outlets = Outlets(
        Vault.open_file(service.shared.keys_dir / "courier.secrets"),
        Dialer(settings.policy, settings.notify_timeout_seconds),
        Mailer(settings.mail, settings.notify_timeout_seconds),
    )
    return Notifier(service.database, service.worker, outlets, every=1, lease=timedelta(seconds=10))


async def test_row_7_built_in_notifications_show_the_same_view_and_short_digest_everywhere(
    client: CourierClient, person: Person, receiver: Receiver, mailbox: Mailbox
) -> None:
    email = f"{person.person}@example.org"
    await a_channel(client, person, webhook_url=receiver.url("/status/200"))
    await a_channel(client, person, slack_webhook_url=receiver.url("/status/200?slack"))
    await a_channel(client, person, email=email)
    told = a_notice(person)
    digest, view = told.checkpoint.etag, told.checkpoint.view

    await tell(client, told)

    (mail,) = await mailbox.wait_for(email)

    async def all_delivered() -> list[Notification] | None:
        log = await log_of(client, person)
        return log if [n.state for n in log] == [DELIVERED] * 3 else None

    log = await until(all_delivered)
    hooked = [one for n in log for one in receiver.received[n.notification_id]]
    (hook,) = [json.loads(one.body) for one in hooked]
    (slack,) = [
        one.body.decode()
        for one in receiver.received[""]
        if told.checkpoint.checkpoint_id in one.body.decode()
    ]
    shown = as_text(json.loads(view))
    assert (hook["type"], hook["data"]["view"]) == ("checkpoint.created", view)
    assert hook["data"]["view_digest"] == digest
    for text in (hook["data"]["short_digest"], mail["Subject"], mail.get_content(), slack):
        assert short_digest(digest) in text
    assert shown in mail.get_content().replace("\r\n", "\n")
    sections = [b["text"]["text"] for b in json.loads(slack)["blocks"] if b["type"] == "section"]
    assert shown in sections
    assert {n.view_digest for n in log} == {digest}


async def test_a_webhook_bears_both_signatures_of_standard_webhooks(
    client: CourierClient, person: Person, receiver: Receiver
) -> None:
    made = await a_channel(client, person, webhook_url=receiver.url("/status/200"))
    told = a_notice(person)
    await tell(client, told)
    sent = await settled(client, person, told)

    received = await only(receiver, sent.notification_id)

    headers, body = received.headers, received.body
    Webhook(made.secret).verify(body, headers)
    v1, v1a = headers["webhook-signature"].split(" ")
    assert v1.startswith("v1,")
    assert v1a.startswith("v1a,")
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    public = b64decode(made.channel.public_key.removeprefix("whpk_"))
    Ed25519PublicKey.from_public_bytes(public).verify(b64decode(v1a.removeprefix("v1a,")), signed)
    assert len(body) <= 20_000


async def test_a_view_that_is_too_long_for_a_webhook_is_left_to_the_link(
    client: CourierClient, person: Person, receiver: Receiver
) -> None:
    await a_channel(client, person, webhook_url=receiver.url("/status/200"))
    told = a_notice(person, arguments={"text": "long " * 6000})
    await tell(client, told)
    sent = await settled(client, person, told)

    body = (await only(receiver, sent.notification_id)).body

    assert len(body) <= 20_000
    data = json.loads(body)["data"]
    assert (data["view"], data["view_omitted"]) == ("", True)
    assert (data["view_digest"], data["review_uri"]) == (told.checkpoint.etag, told.review_uri)


async def test_what_fails_is_tried_for_days_by_the_schedule_and_then_given_up(
    client: CourierClient, person: Person, later: Notifier, nobody: int
) -> None:
    await a_channel(client, person, webhook_url=f"http://127.0.0.1:{nobody}/")
    told = a_notice(person)
    begin = datetime.now(UTC)
    await tell(client, told)
    await settled(client, person, told, PENDING)

    elapsed = timedelta(0)
    for number, wait in enumerate(DELAYS[1:], 2):
        elapsed += wait
        later.offset = elapsed - timedelta(seconds=1)  # a second too early
        before = len((await settled(client, person, told, PENDING, number - 1)).attempts)
        if wait > timedelta(minutes=1):
            await later.send_due()
        assert len((await settled(client, person, told, PENDING, before)).attempts) == before
        later.offset = elapsed = elapsed + wait / 10 + timedelta(seconds=number)
        await later.send_due()
        state = FAILED if number == len(DELAYS) else PENDING
        await settled(client, person, told, state, number)

    log = await settled(client, person, told, FAILED, len(DELAYS))
    assert [attempt.reason for attempt in log.attempts] == ["CONNECT_FAILED"] * len(DELAYS)
    assert elapsed > timedelta(days=3)
    assert log.finish_time.ToDatetime(UTC) >= begin


async def test_an_endpoint_that_comes_back_is_reached(
    client: CourierClient, person: Person, receiver: Receiver, later: Notifier
) -> None:
    await a_channel(client, person, webhook_url=receiver.url("/then/503-200"))
    told = a_notice(person)
    await tell(client, told)
    failed = await settled(client, person, told, PENDING)
    assert [a.reason for a in failed.attempts] == ["HTTP_503"]

    later.offset = timedelta(seconds=6)
    await later.send_due()

    sent = await settled(client, person, told, DELIVERED, 2)
    assert [(a.number, a.reason) for a in sent.attempts] == [(1, "HTTP_503"), (2, "OK")]
    first, second = receiver.received[sent.notification_id]
    assert first.body == second.body


async def test_gone_disables_the_channel_and_nothing_more_is_sent(
    client: CourierClient, person: Person, as_human: Metadata, receiver: Receiver
) -> None:
    await a_channel(client, person, webhook_url=receiver.url("/status/410"))
    told, more = a_notice(person), a_notice(person)
    await tell(client, told)
    gone = await settled(client, person, told, FAILED)
    assert [(a.status, a.reason) for a in gone.attempts] == [(410, "HTTP_410")]
    (channel,) = await channels_of(client, person)
    assert (channel.disabled, channel.disable_reason) == (True, "HTTP_410")

    await tell(client, more)

    assert [n.checkpoint_id for n in await log_of(client, person)] == [
        told.checkpoint.checkpoint_id
    ]
    call = client.channels.ReplayNotification(
        rpc.ReplayNotificationRequest(notification_id=gone.notification_id), metadata=as_human
    )
    await refused(call, grpc.StatusCode.FAILED_PRECONDITION, "CHANNEL_DISABLED")
    switched = await switch(client, as_human, channel, disabled=False)
    assert (switched.disabled, switched.disable_reason) == (False, "")


async def switch(
    client: CourierClient, metadata: Metadata, channel: Channel, *, disabled: bool
) -> Channel:
    answer = await client.channels.SwitchChannel(
        rpc.SwitchChannelRequest(channel_id=channel.channel_id, disabled=disabled),
        metadata=metadata,
    )
    return answer.channel


async def test_a_notification_is_replayed_with_the_same_id_and_body(
    client: CourierClient, person: Person, as_human: Metadata, receiver: Receiver
) -> None:
    await a_channel(client, person, webhook_url=receiver.url("/status/200"))
    told = a_notice(person)
    await tell(client, told)
    sent = await settled(client, person, told)

    replayed = await client.channels.ReplayNotification(
        rpc.ReplayNotificationRequest(notification_id=sent.notification_id), metadata=as_human
    )

    assert replayed.notification.state == PENDING
    again = await settled(client, person, told, DELIVERED, 2)
    first, second = receiver.received[again.notification_id]
    assert first.body == second.body


async def test_a_notice_that_is_told_twice_is_sent_once(
    client: CourierClient, person: Person, receiver: Receiver
) -> None:
    await a_channel(client, person, webhook_url=receiver.url("/status/200"))
    told = a_notice(person)
    await tell(client, told)
    await tell(client, told)

    sent = await settled(client, person, told)

    assert len(receiver.received[sent.notification_id]) == 1


async def told_to(client: CourierClient, person: Person, told: GetNoticeResponse) -> bool:
    await tell(client, told)
    return bool(await log_of(client, person, checkpoint_id=told.checkpoint.checkpoint_id))


async def test_only_those_hear_who_may_decide(
    client: CourierClient, person: Person, receiver: Receiver
) -> None:
    colleague = Person(tenant=person.tenant)
    stranger = Person()
    for one in (person, colleague, stranger):
        await a_channel(client, one, webhook_url=receiver.url("/status/200"))

    named = a_notice(person, approvers=(colleague.person, stranger.person))

    assert await told_to(client, colleague, named)
    assert not await told_to(client, person, named)
    assert not await told_to(client, stranger, named)


async def test_the_checkpoints_of_one_identity_stay_with_its_channels(
    client: CourierClient, person: Person, receiver: Receiver
) -> None:
    other_self = Person(person=person.person, tenant=person.tenant)
    for one in (person, other_self):
        await a_channel(client, one, webhook_url=receiver.url("/status/200"))

    told = a_notice(person)

    assert await told_to(client, person, told)
    assert not await told_to(client, other_self, told)


async def test_that_something_waited_is_not_told_once_it_has_ended_but_its_end_is(
    client: CourierClient, person: Person, receiver: Receiver
) -> None:
    await a_channel(client, person, webhook_url=receiver.url("/status/200"))
    ended: dict[str, Any] = {"state": CheckpointState.CHECKPOINT_STATE_APPROVED}

    assert not await told_to(client, person, a_notice(person, **ended))
    resolved = a_notice(person, event=NoticeEvent.NOTICE_EVENT_RESOLVED, **ended)
    assert await told_to(client, person, resolved)
    sent = await settled(client, person, resolved)
    data = json.loads((await only(receiver, sent.notification_id)).body)
    assert (data["type"], data["data"]["state"]) == ("checkpoint.resolved", "approved")


async def test_a_mail_is_plain_and_the_same_at_every_attempt(
    client: CourierClient, person: Person, mailbox: Mailbox, later: Notifier
) -> None:
    email = f"later@{person.person}.example.org"
    await a_channel(client, person, email=email)
    told = a_notice(person)
    await tell(client, told)
    failed = await settled(client, person, told, PENDING)
    assert [(a.status, a.reason) for a in failed.attempts] == [(451, "SMTP_451")]

    later.offset = timedelta(seconds=6)
    await later.send_due()

    sent = await settled(client, person, told, DELIVERED, 2)
    (mail,) = await mailbox.wait_for(email)
    assert mail.get_content_type() == "text/plain"
    assert mail["Message-ID"] == f"<{sent.notification_id}@example.org>"
    assert mail["From"].addresses[0].addr_spec == "chenu@example.org"
    assert told.review_uri in mail.get_content()


async def test_a_recipient_that_is_not_there_is_not_tried_again(
    client: CourierClient, person: Person
) -> None:
    await a_channel(client, person, email=f"nobody@{person.person}.example.org")
    told = a_notice(person)
    await tell(client, told)

    failed = await settled(client, person, told, FAILED)

    assert [(a.status, a.reason) for a in failed.attempts] == [(550, "SMTP_550")]


async def test_governance_away_loses_nothing(
    client: CourierClient, person: Person, receiver: Receiver
) -> None:
    await a_channel(client, person, webhook_url=receiver.url("/status/200"))
    told = a_notice(person)
    client.governance.away = True
    client.governance.notices[told.notice.notice_id] = told
    await asyncio.sleep(0.3)
    assert await log_of(client, person) == []

    client.governance.away = False

    await settled(client, person, told)


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


async def test_workers_see_neither_addresses_nor_messages(
    service: Service[CourierSettings], client: CourierClient, person: Person, receiver: Receiver
) -> None:
    await a_channel(client, person, webhook_url=receiver.url("/status/200"))
    for query in ("SELECT sealed FROM courier.channels", "SELECT body FROM courier.notifications"):
        with pytest.raises(Exception, match="permission denied"):
            async with service.worker.work() as tx:
                await tx.fetch(Statement(query))
