"""What a notification looks like: to a program, in a mailbox, in a chat."""

import json
from base64 import b64decode

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook

from chenu.courier.v1.channel_pb2 import Notification
from chenu_gate.view import as_text, short_digest
from tests.support.channels import (
    DELIVERED,
    a_channel,
    a_mail_channel,
    log_of,
    settled,
    tell,
)
from tests.support.courier import CourierClient
from tests.support.identity import Person
from tests.support.mailbox import Mailbox
from tests.support.notices import a_notice
from tests.support.receiver import Received, Receiver
from tests.support.waiting import soon


async def only(receiver: Receiver, webhook_id: str) -> Received:
    await receiver.wait_for(webhook_id)
    (received,) = receiver.received[webhook_id]
    return received


async def test_row_7_built_in_notifications_show_the_same_view_and_short_digest_everywhere(
    client: CourierClient, person: Person, receiver: Receiver, mailbox: Mailbox
) -> None:
    email = f"{person.person}@example.org"
    await a_channel(client, person, webhook_url=receiver.url("/status/200"))
    await a_channel(client, person, slack_webhook_url=receiver.url("/status/200?slack"))
    await a_mail_channel(client, person, mailbox, email)
    told = a_notice(person)
    digest, view = told.checkpoint.etag, told.checkpoint.view

    await tell(client, told)

    (mail,) = await mailbox.wait_for(email)

    async def all_delivered() -> list[Notification] | None:
        log = await log_of(client, person, checkpoint_id=told.checkpoint.checkpoint_id)
        return log if [n.state for n in log] == [DELIVERED] * 3 else None

    log = await soon(all_delivered, "all are delivered")
    assert log
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
