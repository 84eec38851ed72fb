"""What reaches a channel, how often it is tried, and what becomes of it."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from chenu.courier.v1 import channel_service_pb2 as rpc
from chenu.courier.v1.channel_pb2 import Channel
from chenu.governance.v1.checkpoint_pb2 import CheckpointState
from chenu.governance.v1.notice_service_pb2 import GetNoticeResponse, NoticeEvent
from kernel.caller import Caller
from kernel.context import background
from kernel.database import Database
from kernel.service import Service
from kernel.statement import Statement
from services.courier import notifications
from services.courier.notifier import Notifier
from services.courier.schedule import DELAYS
from services.courier.settings import CourierSettings
from services.courier.wording import content
from tests.support.channels import (
    DELIVERED,
    FAILED,
    PENDING,
    a_channel,
    channels_of,
    log_of,
    settled,
    tell,
)
from tests.support.courier import CourierClient
from tests.support.identity import Metadata, Person
from tests.support.notices import a_notice
from tests.support.receiver import Received, Receiver
from tests.support.refusals import refused

_NEWEST = Statement("SELECT notification_id FROM courier.notifications LIMIT 1")


async def only(receiver: Receiver, webhook_id: str) -> Received:
    await receiver.wait_for(webhook_id)
    (received,) = receiver.received[webhook_id]
    return received


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
        later.offset = elapsed - wait / 20  # too early
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
    contradicted = a_notice(person, event=NoticeEvent.NOTICE_EVENT_CONTRADICTED, **ended)
    assert await told_to(client, person, contradicted)
    sent = await settled(client, person, contradicted)
    assert json.loads((await only(receiver, sent.notification_id)).body)["type"] == (
        "checkpoint.contradicted"
    )


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


async def test_workers_see_neither_addresses_nor_messages(
    service: Service[CourierSettings], client: CourierClient, person: Person, receiver: Receiver
) -> None:
    await a_channel(client, person, webhook_url=receiver.url("/status/200"))
    for query in ("SELECT sealed FROM courier.channels", "SELECT body FROM courier.notifications"):
        with pytest.raises(Exception, match="permission denied"):
            async with service.worker.work() as tx:
                await tx.fetch(Statement(query))


async def test_what_somebody_who_died_had_begun_to_send_is_sent_by_another(
    client: CourierClient,
    person: Person,
    receiver: Receiver,
    database: Database,
    later: Notifier,
) -> None:
    made = await a_channel(client, person, webhook_url=receiver.url("/status/200"))
    told = a_notice(person)
    owner = Caller.system(tenant=person.tenant, identity=person.identity)
    with background("test", owner):
        async with database.transaction(owner) as tx:
            await notifications.add(
                tx,
                channel_id=made.channel.channel_id,
                notice_id=told.notice.notice_id,
                checkpoint_id=told.checkpoint.checkpoint_id,
                about=person.identity,
                type="checkpoint.created",
                view_digest=told.checkpoint.etag,
                body=json.dumps(content(told)),
            )
            found = await tx.fetch_one(_NEWEST)
            assert found is not None
            nothing = timedelta(0)
            lease = timedelta(hours=1)
            sent = found["notification_id"]
            assert await notifications.claim(tx, sent, offset=nothing, lease=lease)
            assert await notifications.claim(tx, sent, offset=nothing, lease=lease) is None

    await later.send_due()
    assert receiver.received[sent] == []
    later.offset = timedelta(hours=1, seconds=1)
    await later.send_due()

    assert len(receiver.received[sent]) == 1
    await settled(client, person, told)
