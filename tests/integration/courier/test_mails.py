"""Mails: confirmed first, plain, over TLS that is checked, with a link for whoever wants one."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from chenu.courier.v1 import channel_service_pb2 as rpc
from chenu.courier.v1.channel_pb2 import Channel
from chenu.governance.v1.approval_pb2 import RiskClass
from chenu.governance.v1.checkpoint_pb2 import CheckpointState
from chenu.governance.v1.notice_service_pb2 import GetNoticeResponse, NoticeEvent
from kernel.service import Service
from services.courier.mailing import Mailer
from services.courier.notifications import Tried
from services.courier.notifier import Notifier
from services.courier.settings import CourierSettings
from tests.support.certificates import Authority, authority
from tests.support.channels import (
    DELIVERED,
    FAILED,
    PENDING,
    WITHDRAWN,
    a_channel,
    a_mail_channel,
    code_in,
    confirmed,
    log_of,
    settled,
    tell,
)
from tests.support.courier import CourierClient
from tests.support.identity import Metadata, Person
from tests.support.mailbox import Mailbox
from tests.support.notices import a_notice
from tests.support.receiver import Receiver
from tests.support.refusals import refused
from tests.support.waiting import soon

INVALID = grpc.StatusCode.INVALID_ARGUMENT
FAILED_PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
LINK = re.compile(r"https://chenu\.example/decide\?ballot=(\S+)")
LOW = RiskClass.RISK_CLASS_LOW


def remote(told: GetNoticeResponse) -> GetNoticeResponse:
    """What may be decided from a mail."""
    told.checkpoint.risk = told.checkpoint.approval.remote_risk_class = LOW
    return told


async def set_grant(
    client: CourierClient, person: Person, channel: Channel, grant: str
) -> rpc.SetChannelGrantResponse:
    request = rpc.SetChannelGrantRequest(channel_id=channel.channel_id, channel_grant=grant)
    return await client.channels.SetChannelGrant(request, metadata=client.identity.as_human(person))


async def test_nothing_but_a_code_is_sent_to_an_address_until_it_came_back(
    client: CourierClient, person: Person, mailbox: Mailbox, as_human: Metadata
) -> None:
    email = f"{person.person}@example.org"
    made = await a_channel(client, person, email=email)
    assert not made.channel.confirmed
    (mail,) = await mailbox.wait_for(email)
    code = code_in(mail.get_content())

    await tell(client, a_notice(person))
    assert [n.type for n in await log_of(client, person)] == ["channel.confirmation"]
    for wrong in (code[:-1], "0" * 10, "ä"):
        call = confirmed(client, person, made, wrong)
        await refused(call, INVALID, "CONFIRMATION_INVALID")
    stranger = confirmed(client, Person(tenant=person.tenant), made, code)
    await refused(stranger, grpc.StatusCode.PERMISSION_DENIED, "FORBIDDEN")
    assert len(mailbox.received[email]) == 1

    assert (await confirmed(client, person, made, f" {code.upper()} ")).confirmed
    assert (await confirmed(client, person, made, code)).confirmed
    await tell(client, a_notice(person))
    assert len(await mailbox.wait_for(email, 2)) == 2


async def test_a_code_that_was_lost_is_sent_again(
    client: CourierClient, person: Person, mailbox: Mailbox, as_human: Metadata
) -> None:
    email = f"{person.person}@example.org"
    await a_channel(client, person, email=email)
    await mailbox.wait_for(email)

    async def sent() -> str:
        (one,) = await log_of(client, person)
        return one.notification_id if one.state == DELIVERED else ""

    request = rpc.ReplayNotificationRequest(notification_id=await soon(sent, "the code was sent"))
    await client.channels.ReplayNotification(request, metadata=as_human)

    first, second = await mailbox.wait_for(email, 2)
    assert code_in(first.get_content()) == code_in(second.get_content())


async def test_a_mail_is_plain_and_the_same_at_every_attempt(
    client: CourierClient, person: Person, mailbox: Mailbox, later: Notifier
) -> None:
    email = f"later@{person.person}.example.org"
    mailbox.refused[email] = 1  # the code is let in
    await a_mail_channel(client, person, mailbox, email)
    mailbox.refused[email] = 0
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
    assert not LINK.search(mail.get_content())


async def test_no_words_of_a_question_become_a_header_or_a_body(
    client: CourierClient, person: Person, mailbox: Mailbox
) -> None:
    email = f"{person.person}@example.org"
    await a_mail_channel(client, person, mailbox, email)
    told = a_notice(person)
    word = "=?utf-8?q?x=0D=0ABcc=3A_eve=40example.org=0D=0A=0D=0ANothing_to_see?="
    told.checkpoint.question = f'Delete "{word}"? Shall it be done?'
    await tell(client, told)
    (mail,) = await mailbox.wait_for(email)
    assert "Bcc" not in mail
    assert mail["Subject"].endswith("Shall it be done?")
    assert mail.get_content().startswith("A decision waits for you")

    call = a_channel(client, person, email=f"=?utf-8?q?{person.person}?=@example.org")
    await refused(call, INVALID, "INVALID_REQUEST")


async def test_a_recipient_that_is_not_there_is_not_tried_again(
    client: CourierClient, person: Person
) -> None:
    await a_channel(client, person, email=f"nobody@{person.person}.example.org")

    async def given_up() -> Any:
        (one,) = await log_of(client, person)
        return one if one.state == FAILED else None

    failed = await soon(given_up, "it was given up")
    assert [(a.status, a.reason) for a in failed.attempts] == [(550, "SMTP_550")]


async def test_a_mail_bears_a_ballot_where_its_person_wants_that_and_the_rule_lets_it(
    client: CourierClient, person: Person, mailbox: Mailbox
) -> None:
    email = f"{person.person}@example.org"
    channel = await a_mail_channel(client, person, mailbox, email)
    grant = client.identity.channel_grant(person, channel.channel_id)
    allowed = (await set_grant(client, person, channel, grant)).channel
    assert allowed.HasField("decide_until")

    told = remote(a_notice(person))
    await tell(client, told)
    (mail,) = await mailbox.wait_for(email)
    link = LINK.search(mail.get_content())
    assert link
    claims = await client.identity.keys.verify(link[1], typ="ballot+jwt", audience="identity")
    assert (claims["sub"], claims["checkpoint"]) == (person.person, told.checkpoint.checkpoint_id)
    assert claims["view_digest"] == told.checkpoint.etag

    await tell(client, a_notice(person))  # of a high risk
    (_, high) = await mailbox.wait_for(email, 2)
    client.identity.ended_grants.add(channel.channel_id)
    await tell(client, remote(a_notice(person)))
    (*_, ended) = await mailbox.wait_for(email, 3)
    await set_grant(client, person, channel, "")
    client.identity.ended_grants.discard(channel.channel_id)
    await tell(client, remote(a_notice(person)))
    (*_, forbidden) = await mailbox.wait_for(email, 4)
    assert not any(LINK.search(one.get_content()) for one in (high, ended, forbidden))


async def test_a_grant_is_taken_for_its_own_channel_from_its_own_person(
    client: CourierClient, person: Person, mailbox: Mailbox, receiver: Receiver
) -> None:
    made = await a_channel(client, person, email=f"{person.person}@example.org")
    own = client.identity.channel_grant(person, made.channel.channel_id)
    call = set_grant(client, person, made.channel, own)
    await refused(call, FAILED_PRECONDITION, "CHANNEL_NOT_CONFIRMED")
    stranger = Person(tenant=person.tenant)
    for wrong in (
        client.identity.channel_grant(stranger, made.channel.channel_id),
        client.identity.channel_grant(person, stranger.person),
        client.identity.access(person),
        "nothing",
    ):
        call = set_grant(client, person, made.channel, wrong)
        await refused(call, INVALID, "CHANNEL_GRANT_INVALID")
    hook = (await a_channel(client, person, webhook_url=receiver.url("/status/200"))).channel
    grant = client.identity.channel_grant(person, hook.channel_id)
    await refused(set_grant(client, person, hook, grant), INVALID, "CHANNEL_GRANT_INVALID")


async def test_reminders_escalations_and_new_revisions_each_arrive_and_say_so(
    client: CourierClient, person: Person, mailbox: Mailbox
) -> None:
    email = f"{person.person}@example.org"
    await a_mail_channel(client, person, mailbox, email)
    told = a_notice(person)
    revised = a_notice(person, arguments={"query": "another"})
    for number, (event, shown, says) in enumerate(
        (
            (NoticeEvent.NOTICE_EVENT_CREATED, told, "A decision waits for you"),
            (NoticeEvent.NOTICE_EVENT_REMINDED, told, "A decision still waits for you"),
            (NoticeEvent.NOTICE_EVENT_ESCALATED, told, "you are asked as well"),
            (NoticeEvent.NOTICE_EVENT_CREATED, revised, "A decision waits for you"),
        ),
        1,
    ):
        notice = a_notice(person, event=event)
        notice.checkpoint.CopyFrom(shown.checkpoint)
        notice.checkpoint.checkpoint_id = told.checkpoint.checkpoint_id
        await tell(client, notice)
        (*_, mail) = await mailbox.wait_for(email, number)
        assert says in mail.get_content()
        assert shown.checkpoint.etag in mail.get_content()
        assert mail["References"] == f"<{told.checkpoint.checkpoint_id}@example.org>"


async def test_nobody_is_asked_by_a_late_mail_what_was_decided_meanwhile(
    client: CourierClient, person: Person, mailbox: Mailbox, later: Notifier
) -> None:
    email = f"later@{person.person}.example.org"
    mailbox.refused[email] = 1
    await a_mail_channel(client, person, mailbox, email)
    mailbox.refused[email] = 0
    told = a_notice(person)
    await tell(client, told)
    await settled(client, person, told, PENDING)
    over = a_notice(
        person,
        event=NoticeEvent.NOTICE_EVENT_RESOLVED,
        state=CheckpointState.CHECKPOINT_STATE_REJECTED,
    )
    over.checkpoint.checkpoint_id = told.checkpoint.checkpoint_id
    await tell(client, over)
    await mailbox.wait_for(email)

    later.offset = timedelta(seconds=6)
    await later.send_due()

    async def over_and_done() -> bool:
        log = await log_of(client, person, checkpoint_id=told.checkpoint.checkpoint_id)
        return [(n.type, n.state) for n in log] == [
            ("checkpoint.resolved", DELIVERED),
            ("checkpoint.created", WITHDRAWN),
        ]

    await soon(over_and_done, "it is over and done")
    (mail,) = mailbox.received[email]
    assert "It is rejected, and waits no more" in mail.get_content()


@pytest.fixture
def trusted(tmp_path: Path) -> Authority:
    return authority(tmp_path)


@pytest.mark.parametrize(("security", "implicit"), [("tls", True), ("starttls", False)])
async def test_mails_go_over_tls_to_a_server_that_the_setting_vouches_for_and_to_no_other(
    service: Service[CourierSettings], trusted: Authority, security: str, implicit: bool
) -> None:
    columns = {"checkpoint_id": "c", "notification_id": "n", "channel_id": "d"}
    notification: Any = columns | {
        "create_time": a_notice(Person()).notice.create_time.ToDatetime()
    }
    async with Mailbox(tls=trusted.server, implicit=implicit) as server:
        settings = service.settings.mail._replace(port=server.port, security=security)
        known = Mailer(settings._replace(ca_file=str(trusted.file)), 5)
        sent = await known.send("me@example.org", notification, "Hello", "Over TLS.")
        assert sent == Tried("OK", 250)
        (mail,) = server.received["me@example.org"]
        assert mail["Subject"] == "Hello"
        assert server.sessions[0].ssl is not None or implicit
        unknown = await Mailer(settings, 5).send("me@example.org", notification, "Hello", "No.")
        assert unknown.reason in ("TLS_FAILED", "CONNECT_FAILED")
        bare = settings._replace(security="none")
        refused_plain = await Mailer(bare, 0.5).send("me@example.org", notification, "Hello", "No.")
        assert not refused_plain.delivered
        assert len(server.received["me@example.org"]) == 1
