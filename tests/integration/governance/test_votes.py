"""Votes: for exactly what was seen, once, in time, and kept."""

import asyncio
import json
from base64 import urlsafe_b64decode
from datetime import timedelta
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from chenu.governance.v1.authorization_service_pb2 import VerdictState
from chenu.governance.v1.checkpoint_pb2 import BlockedCheckpoint, CheckpointState
from chenu.governance.v1.checkpoint_service_pb2 import (
    ApproveCheckpointRequest,
    RejectCheckpointRequest,
    ResolveCheckpointRequest,
)
from chenu_gate.canonical_json import digest, write
from kernel.errors import reason_of
from kernel.tokens import decode
from services.governance.clock import Clock
from services.governance.policy.rule import as_told
from tests.integration.governance.conftest import Events
from tests.support.governance_client import GovernanceClient
from tests.support.identity import Person, StandInIdentity
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


async def test_a_vote_is_kept_with_who_gave_it_to_what_and_how_they_were_known(
    client: GovernanceClient, person: Person, events: Events
) -> None:
    _, checkpoint = await client.blocked(person)

    seen = await client.approve(person, checkpoint, comment="d'accord 👍")

    assert seen.state == APPROVED
    (vote,) = seen.votes
    assert (vote.person_id, vote.identity_id) == (person.person, person.identity)
    assert (vote.option_id, vote.comment) == ("approve", "d'accord 👍")
    assert (vote.view_digest, vote.authentication) == (checkpoint.view_digest, "pwd")
    assert seen.valid_until.ToDatetime() - seen.resolve_time.ToDatetime() < timedelta(hours=24)
    made, approved = await events(f"checkpoint/{checkpoint.checkpoint_id}")
    assert made["data"]["version"] == "1"
    assert approved["type"] == "chenu.governance.checkpoint.approved"
    assert approved["data"]["version"] == "2"
    assert approved["data"]["actor"]["authentication"].startswith("voter:")
    assert approved["data"]["details"]["etag"] == checkpoint.view_digest
    assert approved["data"]["details"]["action_digest"] == checkpoint.action_digest
    assert "d'accord" not in json.dumps(approved)


async def test_a_vote_rests_on_the_token_as_it_was_signed_and_the_log_names_all_of_it(
    client: GovernanceClient, person: Person, events: Events, superuser: Any
) -> None:
    _, checkpoint = await client.blocked(person)
    await client.approve(person, checkpoint)

    vote = await superuser.fetchrow(
        "SELECT v.token, v.token_key, v.person::text, c.approval, d.facts"
        " FROM governance.votes AS v JOIN governance.checkpoints AS c USING (checkpoint_id)"
        " JOIN governance.decisions AS d USING (decision_id) WHERE checkpoint_id = $1",
        checkpoint.checkpoint_id,
    )
    public = Ed25519PublicKey.from_public_bytes(urlsafe_b64decode(f"{vote['token_key']}="))
    claims = decode(vote["token"], public, "governance")
    assert (claims["sub"], claims["view_digest"]) == (vote["person"], checkpoint.view_digest)
    made, approved = [
        event["data"]["details"] for event in await events(f"checkpoint/{checkpoint.checkpoint_id}")
    ]
    assert approved["token"] == digest(vote["token"].encode())
    assert made["approval"] == digest(write(vote["approval"]))
    assert made["facts"] == digest(write(as_told(vote["facts"])))


async def test_a_rejection_ends_it_in_the_words_of_the_person(
    client: GovernanceClient, person: Person, events: Events
) -> None:
    _, checkpoint = await client.blocked(person)

    seen = await client.reject(person, checkpoint, "non")

    assert (seen.state, seen.resolution_reason) == (REJECTED, "non")
    assert not seen.HasField("valid_until")
    _, rejected = await events(f"checkpoint/{checkpoint.checkpoint_id}")
    assert rejected["type"] == "chenu.governance.checkpoint.rejected"


@pytest.mark.parametrize(("option", "state"), [("approve", APPROVED), ("reject", REJECTED)])
async def test_an_option_is_given_by_its_id(
    client: GovernanceClient, person: Person, option: str, state: CheckpointState
) -> None:
    _, checkpoint = await client.blocked(person)

    answer = await client.checkpoints.ResolveCheckpoint(
        ResolveCheckpointRequest(
            checkpoint_id=checkpoint.checkpoint_id, option_id=option, etag=checkpoint.view_digest
        ),
        metadata=client.vote(person, checkpoint),
    )

    assert answer.checkpoint.state == state


async def test_a_vote_that_does_not_say_what_it_saw_is_refused(
    client: GovernanceClient, person: Person
) -> None:
    _, checkpoint = await client.blocked(person)
    of = {"checkpoint_id": checkpoint.checkpoint_id}
    votes: tuple[tuple[Any, Any], ...] = (
        (client.checkpoints.ApproveCheckpoint, ApproveCheckpointRequest(**of)),
        (client.checkpoints.RejectCheckpoint, RejectCheckpointRequest(**of)),
        (client.checkpoints.ResolveCheckpoint, ResolveCheckpointRequest(**of, option_id="approve")),
    )
    for rpc, request in votes:
        info = await refused(
            rpc(request, metadata=client.vote(person, checkpoint)),
            grpc.StatusCode.INVALID_ARGUMENT,
            "INVALID_REQUEST",
        )
        assert info.metadata["fields"] == "etag"
    assert await pending(client, person, checkpoint)


async def test_another_option_is_refused(client: GovernanceClient, person: Person) -> None:
    _, checkpoint = await client.blocked(person)
    request = ResolveCheckpointRequest(
        checkpoint_id=checkpoint.checkpoint_id, option_id="maybe", etag=checkpoint.view_digest
    )

    await refused(
        client.checkpoints.ResolveCheckpoint(request, metadata=client.vote(person, checkpoint)),
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_REQUEST",
    )


async def test_a_vote_for_another_view_than_the_one_that_waits_does_not_count(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    _, checkpoint = await client.blocked(person)
    stale = BlockedCheckpoint()
    stale.CopyFrom(checkpoint)
    stale.view_digest = STALE

    # Token and request agree, the checkpoint is another one.
    info = await refused(client.approve(person, stale), ABORTED, "ETAG_MISMATCH")
    assert info.metadata["etag"] == checkpoint.view_digest
    # The request names what waits, the token was made for something else.
    metadata = identity.as_voter(person, checkpoint.checkpoint_id, STALE)
    await refused(client.approve(person, checkpoint, metadata=metadata), ABORTED, "ETAG_MISMATCH")
    # And the other way round.
    await refused(
        client.approve(person, stale, metadata=client.vote(person, checkpoint)),
        ABORTED,
        "ETAG_MISMATCH",
    )
    assert await pending(client, person, checkpoint)


async def test_what_is_decided_is_not_decided_again(
    client: GovernanceClient, person: Person
) -> None:
    _, approved = await client.blocked(person)
    _, rejected = await client.blocked(person)
    await client.approve(person, approved)
    await client.reject(person, rejected)

    for checkpoint, state in ((approved, "APPROVED"), (rejected, "REJECTED")):
        for vote in (client.approve, client.reject):
            info = await refused(vote(person, checkpoint), FAILED, "CHECKPOINT_NOT_PENDING")
            assert info.metadata["state"] == state


async def test_after_its_time_nobody_approves_it(
    client: GovernanceClient, person: Person, clock: Clock
) -> None:
    _, checkpoint = await client.blocked(person)
    _, kept = await client.blocked(person)
    clock.offset = timedelta(minutes=59)
    await client.approve(person, kept)
    clock.offset = timedelta(minutes=60)

    info = await refused(client.approve(person, checkpoint), FAILED, "CHECKPOINT_EXPIRED")

    assert info.metadata["checkpoint_id"] == checkpoint.checkpoint_id
    seen = await client.get(person, checkpoint.checkpoint_id)
    assert seen.state == CheckpointState.CHECKPOINT_STATE_EXPIRED
    assert not seen.votes


async def test_of_two_people_who_decide_at_once_exactly_one_does(
    client: GovernanceClient, person: Person
) -> None:
    for _ in range(10):
        request, checkpoint = await client.blocked(person)

        answers = await asyncio.gather(
            client.approve(person, checkpoint),
            client.reject(person, checkpoint),
            return_exceptions=True,
        )

        (won,) = [answer for answer in answers if not isinstance(answer, BaseException)]
        (lost,) = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
        assert reason_of(lost) == "CHECKPOINT_NOT_PENDING"
        seen = await client.get(person, checkpoint.checkpoint_id)
        assert seen.state == won.state
        assert len(seen.votes) == 1
        (verdict,) = await client.ask(person, request)
        permitted = verdict.state == VerdictState.VERDICT_STATE_PERMITTED
        assert permitted == (won.state == APPROVED)


@pytest.mark.parametrize("text", ["x" * 4001, "nul\0here"])
async def test_a_comment_that_cannot_be_kept_is_refused_and_does_not_vote(
    client: GovernanceClient, person: Person, text: str
) -> None:
    _, checkpoint = await client.blocked(person)

    await refused(
        client.approve(person, checkpoint, comment=text),
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_REQUEST",
    )

    assert await pending(client, person, checkpoint)


async def test_a_comment_is_kept_as_it_was_written(
    client: GovernanceClient, person: Person
) -> None:
    _, checkpoint = await client.blocked(person)
    text = "'; DROP TABLE governance.votes; --\n<script>alert(1)</script>\r\n\u202e:name %s $1 {x}"

    seen = await client.approve(person, checkpoint, comment=text)

    assert seen.votes[0].comment == text
