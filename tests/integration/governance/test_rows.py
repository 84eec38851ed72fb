"""Rows of the table of features that have no other home: one test for each, by its number."""

import asyncio

import grpc

from chenu.governance.v1.authorization_service_pb2 import VerdictState
from chenu.governance.v1.checkpoint_pb2 import CheckpointState
from chenu_gate.action import Principal
from tests.integration.governance.conftest import Events
from tests.support.governance_client import GovernanceClient, a_request, gated
from tests.support.identity import Person
from tests.support.refusals import refused

DENIED = grpc.StatusCode.PERMISSION_DENIED


async def test_row_19_a_rejection_is_told_to_whoever_asked_typed_and_in_the_persons_words(
    client: GovernanceClient, person: Person
) -> None:
    request, checkpoint = await client.blocked(person)
    await client.reject(person, checkpoint, "the wrong thread")

    (verdict,) = await client.ask(person, request)
    assert verdict.state == VerdictState.VERDICT_STATE_REJECTED
    assert verdict.reason == "the wrong thread"
    info = await refused(client.ask_one(person, request), DENIED, "CHECKPOINT_REJECTED")
    assert info.metadata["comment"] == "the wrong thread"


async def test_row_19_an_endless_comment_does_not_break_the_error_that_carries_it(
    client: GovernanceClient, person: Person
) -> None:
    request, checkpoint = await client.blocked(person)
    await client.reject(person, checkpoint, "é" * 4000)

    info = await refused(client.ask_one(person, request), DENIED, "CHECKPOINT_REJECTED")
    assert info.metadata["comment"] == "é" * 500
    assert (await client.found(person, request.request_id)).reason == "é" * 4000


async def test_row_39_asked_many_times_at_once_it_is_decided_once_and_voted_once(
    client: GovernanceClient, person: Person, events: Events
) -> None:
    request = a_request(gated(person))
    verdicts = await asyncio.gather(*(client.ask(person, request) for _ in range(5)))
    assert len({verdict.decision.decision_id for (verdict,) in verdicts}) == 1
    (checkpoint_id,) = {verdict.checkpoint.checkpoint_id for (verdict,) in verdicts}
    assert len(await events(f"checkpoint/{checkpoint_id}")) == 1

    checkpoint = verdicts[0][0].checkpoint
    token = client.vote(person, checkpoint)
    votes = await asyncio.gather(
        *(client.approve(person, checkpoint, metadata=token) for _ in range(3))
    )
    assert {vote.state for vote in votes} == {CheckpointState.CHECKPOINT_STATE_APPROVED}
    assert len((await client.get(person, checkpoint_id)).votes) == 1
    other = gated(person, principal=Principal(person.tenant, person.person, person.identity))
    await refused(
        client.ask(person, a_request(other, request_id=request.request_id)),
        grpc.StatusCode.INVALID_ARGUMENT,
        "REQUEST_ID_REUSED",
    )
