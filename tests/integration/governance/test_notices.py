"""What courier learns of checkpoints, so that it can tell people."""

import json
from datetime import timedelta
from typing import Any

import grpc
import nats
import pytest

from chenu.governance.v1 import notice_service_pb2 as rpc
from chenu.governance.v1.approval_pb2 import RiskClass
from chenu.governance.v1.notice_service_pb2 import Notice, NoticeEvent
from chenu.governance.v1.review_service_pb2 import EditCheckpointRequest
from chenu.governance.v1.review_service_pb2_grpc import ReviewServiceStub
from chenu_gate.action import ActionKind, Target
from services.governance.clock import Clock
from services.governance.review.endings import Sweeper
from tests.support import approvals
from tests.support.approvals import colleague
from tests.support.executor import PAY
from tests.support.governance_client import GovernanceClient, gated
from tests.support.identity import Person, StandInIdentity
from tests.support.refusals import refused
from tests.support.waiting import PATIENCE

CREATED = NoticeEvent.NOTICE_EVENT_CREATED
REMINDED = NoticeEvent.NOTICE_EVENT_REMINDED
ESCALATED = NoticeEvent.NOTICE_EVENT_ESCALATED
RESOLVED = NoticeEvent.NOTICE_EVENT_RESOLVED


async def waiting(client: GovernanceClient, *checkpoint_ids: str) -> list[Notice]:
    """The notices of these checkpoints; those of other tests are taken out of the way."""
    metadata = client.identity.as_service("courier")
    request = rpc.ListNoticesRequest(page_size=200)
    listed = (await client.notices.ListNotices(request, metadata=metadata)).notices
    while len(listed) == request.page_size:
        others = [n.notice_id for n in listed if n.checkpoint_id not in checkpoint_ids]
        await acknowledge(client, *others)
        listed = (await client.notices.ListNotices(request, metadata=metadata)).notices
    return [notice for notice in listed if notice.checkpoint_id in checkpoint_ids]


async def acknowledge(client: GovernanceClient, *notice_ids: str) -> None:
    await client.notices.AcknowledgeNotices(
        rpc.AcknowledgeNoticesRequest(notice_ids=notice_ids),
        metadata=client.identity.as_service("courier"),
    )


async def tell(client: GovernanceClient, notice: Notice) -> rpc.GetNoticeResponse:
    return await client.notices.GetNotice(
        rpc.GetNoticeRequest(notice_id=notice.notice_id),
        metadata=client.identity.as_service("courier"),
    )


async def test_a_checkpoint_is_told_when_it_is_made_and_when_it_ends(
    client: GovernanceClient, person: Person
) -> None:
    _, blocked = await client.blocked(person)
    await client.approve(person, blocked)

    notices = await waiting(client, blocked.checkpoint_id)

    assert [notice.event for notice in notices] == [CREATED, RESOLVED]
    assert [notice.tenant_id for notice in notices] == [person.tenant] * 2
    assert notices[0].version < notices[1].version


async def test_a_notice_stays_listed_until_it_is_acknowledged(
    client: GovernanceClient, person: Person
) -> None:
    _, blocked = await client.blocked(person)
    (notice,) = await waiting(client, blocked.checkpoint_id)
    assert await waiting(client, blocked.checkpoint_id) == [notice]

    await acknowledge(client, notice.notice_id)
    await acknowledge(client, notice.notice_id)

    assert await waiting(client, blocked.checkpoint_id) == []


async def test_a_notice_tells_the_view_that_people_see_and_who_may_decide(
    client: GovernanceClient, person: Person
) -> None:
    _, blocked = await client.blocked(person)
    (notice,) = await waiting(client, blocked.checkpoint_id)

    told = await tell(client, notice)

    seen = await client.get(person, blocked.checkpoint_id)
    assert told.notice == notice
    assert (told.checkpoint.view, told.checkpoint.etag) == (seen.view, seen.etag)
    assert told.checkpoint.action == b""
    assert told.review_uri == blocked.review_uri
    assert told.person_id == person.person
    assert list(told.approver_ids) == [person.person]


async def test_a_reservation_is_nobody_elses_news(
    client: GovernanceClient, person: Person, superuser: Any
) -> None:
    _, blocked = await client.blocked(person)
    await superuser.execute(
        "UPDATE governance.checkpoints SET claimed_by = $2, version = version + 1,"
        " claim_until = clock_timestamp() + interval '1 minute' WHERE checkpoint_id = $1",
        blocked.checkpoint_id, person.person,
    )  # fmt: skip

    notices = await waiting(client, blocked.checkpoint_id)

    assert [notice.event for notice in notices] == [CREATED]


async def test_nobody_but_courier_hears_of_notices(
    client: GovernanceClient, person: Person, identity: StandInIdentity
) -> None:
    _, blocked = await client.blocked(person)
    (notice,) = await waiting(client, blocked.checkpoint_id)
    for metadata in (identity.as_human(person), identity.as_service("nova")):
        call = client.notices.GetNotice(
            rpc.GetNoticeRequest(notice_id=notice.notice_id), metadata=metadata
        )
        await refused(call, grpc.StatusCode.PERMISSION_DENIED, "CALLER_NOT_ALLOWED")


async def test_a_notice_that_is_not_there_is_forbidden(client: GovernanceClient) -> None:
    gone = Notice(notice_id="00000000-0000-4000-8000-000000000000")
    await refused(tell(client, gone), grpc.StatusCode.PERMISSION_DENIED, "FORBIDDEN")


@pytest.mark.parametrize("decided", [False, True])
async def test_courier_is_woken(
    client: GovernanceClient, person: Person, nats_url: str, decided: bool
) -> None:
    connection = await nats.connect(nats_url)
    woken = await connection.subscribe("wake.courier.notices")
    for _ in range(2):  # a client's first ping overtakes its subscription
        await connection.flush()
    blocked = (await client.blocked(person))[1]
    await woken.next_msg(timeout=PATIENCE)
    if decided:
        await client.approve(person, blocked)
        await woken.next_msg(timeout=PATIENCE)
    await connection.close()


async def test_reminders_and_the_escalation_are_told_and_then_the_fallback_is_asked_as_well(
    client: GovernanceClient, person: Person, clock: Clock, sweeper: Sweeper
) -> None:
    boss = colleague(client.identity, person, "board")
    _, blocked = await approvals.waiting(client, person, "clocks")
    for seconds in (605, 1205):
        clock.offset = timedelta(seconds=seconds)
        await sweeper.sweep()

    notices = await waiting(client, blocked.checkpoint_id)

    assert [one.event for one in notices] == [CREATED, REMINDED, ESCALATED, REMINDED]
    assert len({one.version for one in notices}) == 4
    told = await tell(client, notices[-1])
    assert list(told.approver_ids) == sorted([person.person, boss.person])


async def test_a_new_revision_is_told_as_something_that_waits(
    client: GovernanceClient, person: Person, channel: grpc.aio.Channel
) -> None:
    colleague(client.identity, person, "finance")
    arguments = {"account": "acc-1", "amount": 100, "note": "rent", "express": False}
    target = Target("account", "acc-1", "v1", "Landlord")
    action = gated(
        person, kind=ActionKind.PAYMENT, tool=PAY.pinned, targets=(target,), arguments=arguments
    )
    _, blocked = await client.blocked(person, action)
    edit = EditCheckpointRequest(
        checkpoint_id=blocked.checkpoint_id,
        etag=blocked.view_digest,
        arguments=json.dumps(arguments | {"amount": 90}),
    )
    metadata = client.identity.as_human(person)
    edited = await ReviewServiceStub(channel).EditCheckpoint(edit, metadata=metadata)

    notices = await waiting(client, blocked.checkpoint_id)

    assert [one.event for one in notices] == [CREATED, CREATED]
    told = (await tell(client, notices[-1])).checkpoint
    assert (told.revision, told.etag) == (2, edited.checkpoint.etag)
    assert told.etag != blocked.view_digest


async def test_a_notice_tells_by_what_means_it_may_be_decided(
    client: GovernanceClient, person: Person
) -> None:
    _, blocked = await client.blocked(person)
    (notice,) = await waiting(client, blocked.checkpoint_id)
    told = (await tell(client, notice)).checkpoint
    assert told.risk == RiskClass.RISK_CLASS_HIGH
    assert told.approval.remote_risk_class == RiskClass.RISK_CLASS_LOW
