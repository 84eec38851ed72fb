"""How people decide, in figures, with a warning where nobody seems to read."""

from datetime import timedelta
from typing import Any

import grpc
import pytest

from chenu.governance.v1.review_service_pb2_grpc import ReviewServiceStub
from chenu.governance.v1.reviewer_service_pb2 import ListReviewersRequest
from services.governance.clock import Clock
from services.governance.review.reviewers import is_rubber_stamp
from tests.support.approvals import colleague
from tests.support.edits import as_blocked, edit, paying
from tests.support.governance_client import GovernanceClient
from tests.support.identity import Person


async def figures(client: GovernanceClient, person: Person) -> Any:
    return await client.reviewers.ListReviewers(
        ListReviewersRequest(), metadata=client.identity.as_human(person)
    )


async def test_decisions_backlog_and_expiries_of_ones_own_are_counted(
    client: GovernanceClient, person: Person, clock: Clock
) -> None:
    waiting = [(await client.blocked(person))[1] for _ in range(5)]
    for at in waiting[:2]:
        await client.approve(person, at)
    await client.reject(person, waiting[2])

    now = await figures(client, person)
    clock.offset = timedelta(hours=2)
    later = await figures(client, person)
    (mine,) = now.reviewers

    assert (mine.person_id, mine.decisions, mine.approve_per_mille) == (person.person, 3, 666)
    assert timedelta(0) < mine.median_decision_time.ToTimedelta() < timedelta(minutes=1)
    assert not mine.rubber_stamp
    assert (now.backlog, now.expired_per_mille) == (2, 0)
    assert now.oldest_wait.ToTimedelta() > timedelta(0)
    assert (later.backlog, later.expired_per_mille) == (0, 400)
    assert not (await figures(client, Person())).reviewers


@pytest.mark.parametrize(
    ("decisions", "approved", "seconds", "expected"),
    [(20, 950, 9, True), (19, 1000, 1, False), (20, 949, 1, False), (20, 1000, 10, False)],
)
def test_a_rubber_stamp_is_many_approvals_at_a_glance(
    decisions: int, approved: int, seconds: int, expected: bool
) -> None:
    assert is_rubber_stamp(decisions, approved, timedelta(seconds=seconds)) is expected


async def test_who_approves_everything_at_a_glance_is_warned_of(
    client: GovernanceClient, person: Person
) -> None:
    for _ in range(20):
        await client.approve(person, (await client.blocked(person))[1])

    (mine,) = (await figures(client, person)).reviewers

    assert mine.rubber_stamp


async def test_the_time_for_an_edited_question_counts_from_the_edit(
    client: GovernanceClient, channel: grpc.aio.Channel, person: Person, superuser: Any
) -> None:
    bea = colleague(client.identity, person, "finance")
    _, asked = await paying(client, person)
    edited = await edit(client, ReviewServiceStub(channel), person, asked, {"amount": 2})
    await client.approve(bea, as_blocked(edited))

    (one,) = (await figures(client, person)).reviewers
    taken = await superuser.fetchval(
        "SELECT v.create_time - e.create_time FROM governance.votes AS v"
        " JOIN governance.edits AS e USING (checkpoint_id) WHERE checkpoint_id = $1",
        asked.checkpoint_id,
    )
    assert one.median_decision_time.ToTimedelta() == taken
