"""What people do before they decide: claim, assign, release, talk."""

from datetime import timedelta
from typing import Any

import grpc
import pytest

from chenu.governance.v1.checkpoint_pb2 import CheckpointState
from chenu.governance.v1.review_service_pb2 import (
    AssignCheckpointRequest,
    ClaimCheckpointRequest,
    CommentCheckpointRequest,
    ReleaseCheckpointRequest,
)
from chenu.governance.v1.review_service_pb2_grpc import ReviewServiceStub
from services.governance.clock import Clock
from tests.integration.governance.conftest import Events
from tests.support.approvals import colleague, waiting, with_roles
from tests.support.edits import edit, paying
from tests.support.governance_client import GovernanceClient
from tests.support.identity import Person, StandInIdentity
from tests.support.refusals import refused

PENDING = CheckpointState.CHECKPOINT_STATE_PENDING
APPROVED = CheckpointState.CHECKPOINT_STATE_APPROVED
REJECTED = CheckpointState.CHECKPOINT_STATE_REJECTED
DENIED = grpc.StatusCode.PERMISSION_DENIED
FAILED = grpc.StatusCode.FAILED_PRECONDITION


@pytest.fixture
def reviews(channel: grpc.aio.Channel) -> ReviewServiceStub:
    return ReviewServiceStub(channel)


async def test_row_14_a_claim_keeps_reviewers_from_colliding_for_a_time(
    client: GovernanceClient,
    reviews: ReviewServiceStub,
    identity: StandInIdentity,
    person: Person,
    clock: Clock,
    events: Events,
) -> None:
    bea, cem = colleague(identity, person, "finance"), colleague(identity, person, "finance")
    _, checkpoint = await waiting(client, person, "quorum")
    claim = ClaimCheckpointRequest(checkpoint_id=checkpoint.checkpoint_id, minutes=30)

    answer = await reviews.ClaimCheckpoint(claim, metadata=identity.as_human(bea))
    assert answer.checkpoint.claimed_by == bea.person
    info = await refused(client.approve(cem, checkpoint), FAILED, "CHECKPOINT_CLAIMED")
    assert info.metadata["person_id"] == bea.person
    await refused(
        reviews.ClaimCheckpoint(claim, metadata=identity.as_human(cem)),
        FAILED,
        "CHECKPOINT_CLAIMED",
    )
    release = ReleaseCheckpointRequest(checkpoint_id=checkpoint.checkpoint_id)
    await refused(
        reviews.ReleaseCheckpoint(release, metadata=identity.as_human(cem)),
        FAILED,
        "CHECKPOINT_CLAIMED",
    )
    assert (await client.approve(bea, checkpoint)).claimed_by == ""

    handed = await reviews.AssignCheckpoint(
        AssignCheckpointRequest(
            checkpoint_id=checkpoint.checkpoint_id, person_id=cem.person, minutes=10
        ),
        metadata=identity.as_human(bea),
    )
    assert handed.checkpoint.claimed_by == cem.person
    free = await reviews.ReleaseCheckpoint(release, metadata=identity.as_human(cem))
    assert free.checkpoint.claimed_by == ""
    await reviews.ReleaseCheckpoint(release, metadata=identity.as_human(cem))
    await reviews.ClaimCheckpoint(claim, metadata=identity.as_human(cem))
    clock.offset = timedelta(minutes=31)
    dan = colleague(identity, person, "finance")
    assert (await client.approve(dan, checkpoint)).state == APPROVED
    told = [e["type"].rpartition(".")[2] for e in
            await events(f"checkpoint/{checkpoint.checkpoint_id}")]  # fmt: skip
    assert told == ["created", "claimed", "voted", "assigned", "released", "claimed", "approved"]


async def test_only_who_could_approve_it_now_claims_it_or_is_given_it(
    client: GovernanceClient,
    reviews: ReviewServiceStub,
    identity: StandInIdentity,
    person: Person,
) -> None:
    fin, boss = colleague(identity, person, "finance"), colleague(identity, person, "board")
    _, checkpoint = await waiting(client, person, "stages")
    named: dict[str, Any] = {"checkpoint_id": checkpoint.checkpoint_id}

    for who in (boss, person):
        await refused(
            reviews.ClaimCheckpoint(
                ClaimCheckpointRequest(**named), metadata=identity.as_human(who)
            ),
            DENIED,
            "NOT_ENTITLED",
        )
    await refused(
        reviews.AssignCheckpoint(
            AssignCheckpointRequest(**named, person_id=boss.person),
            metadata=identity.as_human(fin),
        ),
        DENIED,
        "NOT_ENTITLED",
    )
    await refused(
        reviews.ClaimCheckpoint(
            ClaimCheckpointRequest(**named), metadata=identity.as_agent(fin, fin.session)
        ),
        DENIED,
        "CALLER_NOT_ALLOWED",
    )


async def test_a_question_and_its_answer_stand_with_the_checkpoint(
    client: GovernanceClient,
    reviews: ReviewServiceStub,
    identity: StandInIdentity,
    person: Person,
    events: Events,
) -> None:
    bea = colleague(identity, person, "finance")
    colleague(identity, person, "finance")
    _, checkpoint = await waiting(client, person, "quorum")
    for who, text, is_question in ((bea, "Which quarter?", True), (person, "The third.", False)):
        answer = await reviews.CommentCheckpoint(
            CommentCheckpointRequest(
                checkpoint_id=checkpoint.checkpoint_id, text=text, is_question=is_question
            ),
            metadata=identity.as_human(who),
        )
    assert [(r.person_id, r.text, r.is_question) for r in answer.checkpoint.remarks] == [
        (bea.person, "Which quarter?", True),
        (person.person, "The third.", False),
    ]
    assert answer.checkpoint.state == PENDING
    told = await events(f"checkpoint/{checkpoint.checkpoint_id}")
    assert [e["type"].rpartition(".")[2] for e in told] == ["created", "asked", "commented"]
    assert "quarter" not in str(told)
    await refused(
        reviews.CommentCheckpoint(
            CommentCheckpointRequest(checkpoint_id=checkpoint.checkpoint_id, text="me too"),
            metadata=identity.as_human(colleague(identity, person, "sales")),
        ),
        DENIED,
        "FORBIDDEN",
    )


async def test_where_an_approval_counts_no_more_somebody_who_is_still_needed_is_assigned(
    client: GovernanceClient, reviews: ReviewServiceStub, identity: StandInIdentity, person: Person
) -> None:
    bea, cem, dan = (colleague(identity, person, "finance") for _ in range(3))
    _, checkpoint = await waiting(client, person, "quorum")
    await client.approve(bea, checkpoint)
    with_roles(identity, bea, "sales")
    assert (await client.approve(cem, checkpoint)).state == PENDING
    assigned = AssignCheckpointRequest(checkpoint_id=checkpoint.checkpoint_id, person_id=dan.person)

    for _ in range(2):
        answer = await reviews.AssignCheckpoint(assigned, metadata=identity.as_human(cem))
        assert answer.checkpoint.claimed_by == dan.person
        # Entitled again: her vote counts again, and is not given twice.
        with_roles(identity, bea, "finance")
        await reviews.ReleaseCheckpoint(
            ReleaseCheckpointRequest(checkpoint_id=checkpoint.checkpoint_id),
            metadata=identity.as_human(dan),
        )

    approved = await client.approve(dan, checkpoint)
    assert approved.state == CheckpointState.CHECKPOINT_STATE_APPROVED


async def test_no_more_is_said_of_a_checkpoint_than_one_answer_carries(
    client: GovernanceClient,
    reviews: ReviewServiceStub,
    person: Person,
    superuser: Any,
) -> None:
    colleague(client.identity, person, "finance")
    _, checkpoint = await paying(client, person)
    await superuser.execute(
        "INSERT INTO governance.remarks (remark_id, checkpoint_id, tenant, identity, person,"
        " is_question, remark) SELECT uuidv7(), $1, $2, $3, $4, false, repeat('x', 4000)"
        " FROM generate_series(1, 248)",
        *(checkpoint.checkpoint_id, person.tenant, person.identity, person.person),
    )

    def remark(text: str) -> Any:
        named = CommentCheckpointRequest(checkpoint_id=checkpoint.checkpoint_id, text=text)
        return reviews.CommentCheckpoint(named, metadata=client.identity.as_human(person))

    await remark("y" * 2_000)
    long_note = {"note": "é" * 4_000}
    for said in (remark("é" * 4_000), edit(client, reviews, person, checkpoint, long_note)):
        await refused(said, FAILED, "TOO_MUCH_SAID")
    assert (await client.reject(person, checkpoint)).remarks[-1].text == "y" * 2_000
