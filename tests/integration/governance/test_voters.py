"""Who may vote: a person with a vote token for this very checkpoint, and nobody else."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import grpc
import pytest

from chenu.governance.v1.checkpoint_pb2 import BlockedCheckpoint, CheckpointState
from chenu.governance.v1.checkpoint_service_pb2 import (
    ApproveCheckpointRequest,
    RejectCheckpointRequest,
    ResolveCheckpointRequest,
)
from kernel.errors import reason_of
from services.governance.clock import Clock
from services.governance.review.endings import Sweeper
from tests.integration.governance.conftest import Events
from tests.support.governance_client import GovernanceClient
from tests.support.identity import Metadata, Person, StandInIdentity, bearer
from tests.support.refusals import refused

APPROVED = CheckpointState.CHECKPOINT_STATE_APPROVED
REJECTED = CheckpointState.CHECKPOINT_STATE_REJECTED
DENIED = grpc.StatusCode.PERMISSION_DENIED
FAILED = grpc.StatusCode.FAILED_PRECONDITION
ABORTED = grpc.StatusCode.ABORTED
STALE = "sha256:" + "0" * 64


async def pending(client: GovernanceClient, person: Person, checkpoint: BlockedCheckpoint) -> bool:
    seen = await client.get(person, checkpoint.checkpoint_id)
    return seen.state == CheckpointState.CHECKPOINT_STATE_PENDING and not seen.votes


async def test_a_token_for_another_checkpoint_does_not_count_here(
    client: GovernanceClient, person: Person
) -> None:
    _, checkpoint = await client.blocked(person)
    _, other = await client.blocked(person)

    info = await refused(
        client.approve(person, checkpoint, metadata=client.vote(person, other)),
        DENIED,
        "NOT_ENTITLED",
    )

    assert info.metadata["cause"] == "ANOTHER_CHECKPOINT"
    assert await pending(client, person, checkpoint)


async def test_a_vote_token_is_good_for_one_vote(client: GovernanceClient, person: Person) -> None:
    _, checkpoint = await client.blocked(person)
    token = client.vote(person, checkpoint)
    await client.approve(person, checkpoint, comment="yes", metadata=token)

    for another in (
        client.reject(person, checkpoint, "yes", metadata=token),
        client.approve(person, checkpoint, comment="yes, but", metadata=token),
    ):
        await refused(another, ABORTED, "VOTE_TOKEN_USED")
    assert len((await client.get(person, checkpoint.checkpoint_id)).votes) == 1


@pytest.mark.parametrize("kind", ["human", "agent", "nova", "service", "nobody"])
async def test_no_other_credential_votes(
    client: GovernanceClient, identity: StandInIdentity, person: Person, kind: str
) -> None:
    _, checkpoint = await client.blocked(person)
    credentials: dict[str, tuple[Metadata, grpc.StatusCode, str]] = {
        "human": (identity.as_human(person), DENIED, "CALLER_NOT_ALLOWED"),
        "agent": (identity.as_agent(person, str(uuid4())), DENIED, "CALLER_NOT_ALLOWED"),
        "nova": (identity.as_nova(person), DENIED, "CALLER_NOT_ALLOWED"),
        "service": (identity.as_service("nova"), DENIED, "CALLER_NOT_ALLOWED"),
        "nobody": (bearer(""), grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID"),
    }
    metadata, code, reason = credentials[kind]
    named = {"checkpoint_id": checkpoint.checkpoint_id, "etag": checkpoint.view_digest}

    for call in (
        client.checkpoints.ApproveCheckpoint(ApproveCheckpointRequest(**named), metadata=metadata),
        client.checkpoints.RejectCheckpoint(RejectCheckpointRequest(**named), metadata=metadata),
        client.checkpoints.ResolveCheckpoint(
            ResolveCheckpointRequest(**named, option_id="approve"), metadata=metadata
        ),
    ):
        await refused(call, code, reason)
    assert await pending(client, person, checkpoint)


@pytest.mark.parametrize(
    "changes",
    [
        {"actor": "agent", "agent": str(uuid4())},
        {"actor": "agent"},
        {"agent": str(uuid4())},
        {"aud": "chenu"},
        {"exp": 1},
    ],
)
async def test_a_vote_token_that_is_not_a_persons_of_this_moment_does_not_vote(
    client: GovernanceClient, identity: StandInIdentity, person: Person, changes: dict[str, Any]
) -> None:
    _, checkpoint = await client.blocked(person)
    token = identity.vote(person, checkpoint.checkpoint_id, checkpoint.view_digest, **changes)

    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await client.approve(person, checkpoint, metadata=bearer(token))

    assert failure.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert await pending(client, person, checkpoint)


async def test_a_strangers_vote_is_answered_like_one_for_nothing(
    client: GovernanceClient, person: Person
) -> None:
    stranger = Person()
    _, checkpoint = await client.blocked(person)
    missing = BlockedCheckpoint(checkpoint_id=str(uuid4()), view_digest=checkpoint.view_digest)

    answers = []
    for one in (checkpoint, missing):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await client.approve(stranger, one)
        trailers = dict(failure.value.trailing_metadata() or ())
        answers.append((failure.value.code(), failure.value.details(), trailers))

    assert answers[0] == answers[1]
    assert answers[0][0] == DENIED
    assert await pending(client, person, checkpoint)


async def test_whom_identity_does_not_entitle_does_not_vote(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    _, checkpoint = await client.blocked(person)
    identity.not_eligible[person.person] = "SESSION_ENDED"

    info = await refused(client.approve(person, checkpoint), DENIED, "NOT_ENTITLED")

    identity.not_eligible.clear()
    assert info.metadata["cause"] == "SESSION_ENDED"
    assert await pending(client, person, checkpoint)


async def test_one_token_sent_many_times_at_once_votes_once(
    client: GovernanceClient, person: Person, events: Events
) -> None:
    _, checkpoint = await client.blocked(person)
    token = client.vote(person, checkpoint)

    answers = await asyncio.gather(
        *(client.approve(person, checkpoint, metadata=token) for _ in range(5))
    )

    assert {answer.state for answer in answers} == {APPROVED}
    assert len((await client.get(person, checkpoint.checkpoint_id)).votes) == 1
    types = [event["type"] for event in await events(f"checkpoint/{checkpoint.checkpoint_id}")]
    assert types == ["chenu.governance.checkpoint.created", "chenu.governance.checkpoint.approved"]


async def test_of_two_votes_that_one_token_casts_at_once_one_counts(
    client: GovernanceClient, person: Person
) -> None:
    _, checkpoint = await client.blocked(person)
    token = client.vote(person, checkpoint)

    answers = await asyncio.gather(
        client.approve(person, checkpoint, metadata=token),
        client.reject(person, checkpoint, metadata=token),
        return_exceptions=True,
    )

    (lost,) = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
    assert reason_of(lost) == "VOTE_TOKEN_USED"
    assert len((await client.get(person, checkpoint.checkpoint_id)).votes) == 1


async def test_a_vote_that_is_sent_again_is_answered_with_the_state_of_then(
    client: GovernanceClient, person: Person, clock: Clock, sweeper: Sweeper
) -> None:
    _, checkpoint = await client.blocked(person)
    token = client.vote(person, checkpoint)
    first = await client.approve(person, checkpoint, comment="yes", metadata=token)

    assert await client.approve(person, checkpoint, comment="yes", metadata=token) == first
    clock.offset = timedelta(days=2)
    await sweeper.sweep()
    lapsed = await client.approve(person, checkpoint, comment="yes", metadata=token)
    assert lapsed.state == CheckpointState.CHECKPOINT_STATE_EXPIRED
