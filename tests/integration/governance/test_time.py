"""What the clocks do while people do not: remind, escalate, expire, lapse. Silence means no."""

from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from chenu.governance.v1.approval_pb2 import WorkingHours
from chenu.governance.v1.authorization_service_pb2 import VerdictState
from chenu.governance.v1.checkpoint_pb2 import CheckpointState
from chenu.governance.v1.review_service_pb2 import ClaimCheckpointRequest
from chenu.governance.v1.review_service_pb2_grpc import ReviewServiceStub
from services.governance.clock import Clock
from services.governance.review.endings import Sweeper
from services.governance.review.working_time import later
from tests.integration.governance.conftest import Events
from tests.support.approvals import OFFICE, colleague, inbox, waiting
from tests.support.governance_client import GovernanceClient
from tests.support.identity import Person
from tests.support.refusals import refused
from tests.support.waiting import soon

State = CheckpointState
FAILED = grpc.StatusCode.FAILED_PRECONDITION


def seconds(timestamp: Any, since: Any) -> float:
    return float((timestamp.ToDatetime() - since.ToDatetime()).total_seconds())


async def what_happened(events: Events, checkpoint_id: str) -> list[str]:
    return [e["type"].rpartition(".")[2] for e in await events(f"checkpoint/{checkpoint_id}")]


async def test_row_4_what_nobody_decides_expires_and_expired_means_no(
    client: GovernanceClient, person: Person, clock: Clock, sweeper: Sweeper, events: Events
) -> None:
    request, checkpoint = await waiting(client, person, "clocks")
    clock.offset = timedelta(seconds=3600)

    await refused(client.approve(person, checkpoint), FAILED, "CHECKPOINT_EXPIRED")
    await sweeper.sweep()

    seen = await client.get(person, checkpoint.checkpoint_id)
    assert seen.state == State.CHECKPOINT_STATE_EXPIRED
    (verdict,) = await client.ask(person, request)
    assert verdict.state == VerdictState.VERDICT_STATE_EXPIRED
    assert not verdict.permit

    async def recorded() -> bool:
        await sweeper.sweep()
        return await what_happened(events, checkpoint.checkpoint_id) == ["created", "expired"]

    # One sweep ends 200 at most, other tests' first; and the service's own may be about to commit.
    await soon(recorded, "the expiry is recorded, once")


async def test_row_5_an_approval_has_a_validity_of_its_own(
    client: GovernanceClient, person: Person, clock: Clock, sweeper: Sweeper
) -> None:
    request, checkpoint = await waiting(client, person, "clocks")
    approved = await client.approve(person, checkpoint)
    assert 1790 < seconds(approved.valid_until, approved.create_time) < 1830

    clock.offset = timedelta(seconds=1750)
    (verdict,) = await client.ask(person, request)
    assert verdict.state == VerdictState.VERDICT_STATE_PERMITTED
    clock.offset = timedelta(seconds=1830)
    await sweeper.sweep()
    (verdict,) = await client.ask(person, request)
    assert verdict.state == VerdictState.VERDICT_STATE_EXPIRED
    assert not verdict.permit


async def test_however_late_it_is_approved_it_is_executed_before_its_deadline(
    client: GovernanceClient, person: Person, clock: Clock
) -> None:
    request, checkpoint = await waiting(client, person, "clocks")
    clock.offset = timedelta(seconds=3500)
    approved = await client.approve(person, checkpoint)

    assert approved.valid_until == approved.execute_by
    assert seconds(approved.execute_by, approved.create_time) == pytest.approx(4200, abs=30)
    clock.offset = timedelta(seconds=4250)
    (verdict,) = await client.ask(person, request)
    assert verdict.state == VerdictState.VERDICT_STATE_EXPIRED


async def test_row_6_silence_is_escalated_to_the_fallback_which_alone_changes_nothing(
    client: GovernanceClient,
    person: Person,
    clock: Clock,
    sweeper: Sweeper,
    events: Events,
    channel: grpc.aio.Channel,
) -> None:
    identity = client.identity
    boss = colleague(identity, person, "board")
    request, checkpoint = await waiting(client, person, "clocks")
    assert await inbox(client, boss) == []
    await ReviewServiceStub(channel).ClaimCheckpoint(
        ClaimCheckpointRequest(checkpoint_id=checkpoint.checkpoint_id, minutes=480),
        metadata=identity.as_human(person),
    )

    clock.offset = timedelta(seconds=1205)
    await sweeper.sweep()
    await sweeper.sweep()

    assert await inbox(client, boss) == [checkpoint.checkpoint_id]
    seen = await client.get(boss, checkpoint.checkpoint_id)
    assert (seen.state, seen.escalated) == (State.CHECKPOINT_STATE_PENDING, True)
    assert (seen.claimed_by, seen.HasField("escalate_time")) == ("", False)
    approved = await client.approve(boss, checkpoint)
    assert approved.state == State.CHECKPOINT_STATE_APPROVED
    (verdict,) = await client.ask(person, request)
    assert verdict.state == VerdictState.VERDICT_STATE_PERMITTED
    told = await what_happened(events, checkpoint.checkpoint_id)
    assert told == ["created", "claimed", "escalated", "reminded", "approved"]


async def test_people_are_reminded_again_and_again_and_nothing_else_happens(
    client: GovernanceClient, person: Person, clock: Clock, sweeper: Sweeper, events: Events
) -> None:
    _, checkpoint = await waiting(client, person, "clocks")
    before = await client.get(person, checkpoint.checkpoint_id)
    assert seconds(before.remind_time, before.create_time) == pytest.approx(600, abs=30)

    for minutes, reminders in ((9, 0), (11, 1), (12, 1), (19, 1)):
        clock.offset = timedelta(minutes=minutes)
        await sweeper.sweep()
        seen = await client.get(person, checkpoint.checkpoint_id)
        assert (seen.reminders, seen.state) == (reminders, State.CHECKPOINT_STATE_PENDING)
    assert seen.etag == before.etag
    assert await what_happened(events, checkpoint.checkpoint_id) == ["created", "reminded"]


async def test_what_is_decided_is_neither_reminded_of_nor_escalated(
    client: GovernanceClient, person: Person, clock: Clock, sweeper: Sweeper, events: Events
) -> None:
    _, checkpoint = await waiting(client, person, "clocks")
    await client.reject(person, checkpoint)
    clock.offset = timedelta(seconds=1500)
    await sweeper.sweep()
    assert await what_happened(events, checkpoint.checkpoint_id) == ["created", "rejected"]


async def test_clocks_that_wait_for_people_stand_still_outside_of_their_hours(
    client: GovernanceClient, person: Person
) -> None:
    _, checkpoint = await waiting(client, person, "office")
    seen = await client.get(person, checkpoint.checkpoint_id)

    asked = seen.create_time.ToDatetime(UTC)
    expected = later(asked, timedelta(hours=1), WorkingHours(**OFFICE))
    assert abs(seen.expire_time.ToDatetime(UTC) - expected) < timedelta(minutes=1)
    assert seen.expire_time.ToDatetime(UTC) > datetime.now(UTC)
