"""Several people decide: stages, roles, and who sees what because of it."""

import asyncio
from typing import Any

import grpc

from chenu.governance.v1.authorization_service_pb2 import VerdictState
from chenu.governance.v1.checkpoint_pb2 import CheckpointState
from chenu.governance.v1.checkpoint_service_pb2 import (
    GetCheckpointRequest,
)
from tests.integration.governance.conftest import Events
from tests.support.approvals import colleague, inbox, tool, waiting, with_roles
from tests.support.governance_client import GovernanceClient, gated
from tests.support.identity import Person, StandInIdentity
from tests.support.refusals import refused
from tests.support.waiting import PATIENCE

PENDING = CheckpointState.CHECKPOINT_STATE_PENDING
APPROVED = CheckpointState.CHECKPOINT_STATE_APPROVED
REJECTED = CheckpointState.CHECKPOINT_STATE_REJECTED
DENIED = grpc.StatusCode.PERMISSION_DENIED
FAILED = grpc.StatusCode.FAILED_PRECONDITION


async def test_row_2_and_3_an_approval_is_a_resource_that_those_it_names_list_across_runs(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    fin, other = colleague(identity, person, "finance"), colleague(identity, person, "sales")
    colleague(identity, person, "finance")
    (_, one), (_, two) = [await waiting(client, person, "quorum") for _ in range(2)]

    assert await inbox(client, fin) == [two.checkpoint_id, one.checkpoint_id]
    assert await inbox(client, person) == [two.checkpoint_id, one.checkpoint_id]
    assert await inbox(client, other) == []
    assert await inbox(client, Person(roles=("finance",))) == []
    seen = await client.get(fin, one.checkpoint_id)
    assert seen.view
    assert seen.approval.stages[0].required == 2


async def test_an_agent_and_nova_see_nothing_of_what_their_person_may_decide_for_others(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    fin = colleague(identity, person, "finance")
    colleague(identity, person, "finance")
    _, checkpoint = await waiting(client, person, "quorum")

    assert await inbox(client, fin, as_=identity.as_agent(fin, fin.session)) == []
    for metadata in (identity.as_agent(fin, fin.session), identity.as_nova(fin)):
        await refused(
            client.checkpoints.GetCheckpoint(
                GetCheckpointRequest(checkpoint_id=checkpoint.checkpoint_id), metadata=metadata
            ),
            DENIED,
            "FORBIDDEN",
        )


async def test_row_9_so_many_different_people_must_approve(
    client: GovernanceClient, identity: StandInIdentity, person: Person, events: Events
) -> None:
    bea, cem = colleague(identity, person, "finance"), colleague(identity, person, "finance")
    request, checkpoint = await waiting(client, person, "quorum")

    once = await client.approve(bea, checkpoint)
    assert once.state == PENDING
    assert (list(once.stages[0].person_ids), once.stages[0].missing) == ([bea.person], 1)
    # The same person under another of their identities is the same person.
    again = Person(bea.person, bea.tenant, identity=Person().identity, roles=bea.roles)
    info = await refused(client.approve(again, checkpoint), DENIED, "NOT_ENTITLED")
    assert info.metadata["cause"] == "ALREADY_VOTED"
    (verdict,) = await client.ask(person, request)
    assert verdict.state == VerdictState.VERDICT_STATE_BLOCKED

    twice = await client.approve(cem, checkpoint)
    assert (twice.state, twice.stages[0].missing) == (APPROVED, 0)
    (verdict,) = await client.ask(person, request)
    assert verdict.state == VerdictState.VERDICT_STATE_PERMITTED
    told = [event["type"] for event in await events(f"checkpoint/{checkpoint.checkpoint_id}")]
    assert told == [f"chenu.governance.checkpoint.{what}" for what in
                    ("created", "voted", "approved")]  # fmt: skip


async def test_stages_come_in_order_and_a_veto_ends_it_in_any(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    fin, boss = colleague(identity, person, "finance"), colleague(identity, person, "board")
    lea = colleague(identity, person, "legal")
    _, checkpoint = await waiting(client, person, "stages")
    _, other = await waiting(client, person, "stages")

    info = await refused(client.approve(boss, checkpoint), DENIED, "NOT_ENTITLED")
    assert info.metadata["cause"] == "ANOTHER_STAGE"
    first = await client.approve(fin, checkpoint)
    assert (first.current_stage, first.stages[1].name) == (2, "board")
    assert (await client.approve(boss, checkpoint)).state == APPROVED
    assert (await client.reject(lea, other, "not before the audit")).state == REJECTED


async def test_row_10_the_requester_cannot_approve_their_own(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    fin = colleague(identity, person, "finance")
    _, checkpoint = await waiting(client, person, "four-eyes")

    info = await refused(client.approve(person, checkpoint), DENIED, "NOT_ENTITLED")
    assert info.metadata["cause"] == "FOUR_EYES"
    assert (await client.approve(fin, checkpoint)).state == APPROVED


async def test_with_nobody_left_to_approve_nobody_is_asked(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    colleague(identity, person, "finance")
    for name in ("quorum", "stages"):
        (verdict,) = await client.ask(person, gated(person, tool=tool(name)))
        assert verdict.state == VerdictState.VERDICT_STATE_DENIED
        assert verdict.reason == "NO_ELIGIBLE_APPROVER"


async def test_row_11_whoever_is_not_entitled_at_the_vote_does_not_count_though_the_token_says_so(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    fin, boss = colleague(identity, person, "finance"), colleague(identity, person, "board")
    _, checkpoint = await waiting(client, person, "stages")
    with_roles(identity, fin)

    info = await refused(client.approve(fin, checkpoint), DENIED, "NOT_ENTITLED")
    assert info.metadata["cause"] == "NOT_AN_APPROVER"
    for nobody in (colleague(identity, person, "sales"), Person(roles=("finance",))):
        await refused(client.approve(nobody, checkpoint), DENIED, "FORBIDDEN")
    assert not (await client.get(boss, checkpoint.checkpoint_id)).votes


async def test_a_role_that_is_taken_away_before_the_permit_takes_the_approval_with_it(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    bea, cem = colleague(identity, person, "finance"), colleague(identity, person, "finance")
    request, checkpoint = await waiting(client, person, "quorum")
    await client.approve(bea, checkpoint)
    await client.approve(cem, checkpoint)
    with_roles(identity, bea)

    (verdict,) = await client.ask(person, request)

    assert verdict.state == VerdictState.VERDICT_STATE_EXPIRED
    assert "NOT_AN_APPROVER" in verdict.reason


async def test_a_role_that_is_taken_away_while_it_waits_makes_room_for_another_vote(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    bea, cem, dan = (colleague(identity, person, "finance") for _ in range(3))
    request, checkpoint = await waiting(client, person, "quorum")
    await client.approve(bea, checkpoint)
    with_roles(identity, bea)

    assert (await client.approve(cem, checkpoint)).state == PENDING
    assert (await client.approve(dan, checkpoint)).state == APPROVED
    (verdict,) = await client.ask(person, request)
    assert verdict.state == VerdictState.VERDICT_STATE_PERMITTED


async def test_row_12_who_approved_is_on_record_with_how_they_were_known(
    client: GovernanceClient, identity: StandInIdentity, person: Person, events: Events
) -> None:
    bea, cem = colleague(identity, person, "finance"), colleague(identity, person, "finance")
    _, checkpoint = await waiting(client, person, "quorum")
    await client.approve(bea, checkpoint)
    seen = await client.approve(cem, checkpoint)

    assert [(v.person_id, v.authentication, v.stage) for v in seen.votes] == [
        (bea.person, "pwd", 1),
        (cem.person, "pwd", 1),
    ]
    _, voted, approved = await events(f"checkpoint/{checkpoint.checkpoint_id}")
    assert voted["data"]["actor"]["person"] == bea.person
    assert approved["data"]["actor"]["person"] == cem.person
    # The record is the owner's, whoever acts.
    assert {voted["identity"], approved["identity"]} == {person.identity}


async def test_of_many_who_approve_at_once_as_many_count_as_are_needed(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    people = [colleague(identity, person, "finance") for _ in range(5)]
    _, checkpoint = await waiting(client, person, "quorum")

    answers = await asyncio.gather(
        *(client.approve(one, checkpoint) for one in (*people, *people)), return_exceptions=True
    )

    counted = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert len(counted) == 2
    seen = await client.get(person, checkpoint.checkpoint_id)
    assert seen.state == APPROVED
    assert len({vote.person_id for vote in seen.votes}) == len(seen.votes) == 2


async def test_a_vote_of_somebody_else_reaches_every_open_inbox_at_once(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    bea, cem = colleague(identity, person, "finance"), colleague(identity, person, "finance")
    _, checkpoint = await waiting(client, person, "quorum")
    streams = [client.watch(one) for one in (person, bea, cem)]
    for stream in streams:
        assert (await anext(stream)).checkpoint.state == PENDING

    await client.approve(bea, checkpoint)
    await client.approve(cem, checkpoint)

    async def decided(stream: Any) -> int:
        async for response in stream:
            if response.checkpoint.state not in (PENDING, 0):
                return int(response.checkpoint.state)
        raise AssertionError("the stream ended")

    states = await asyncio.wait_for(asyncio.gather(*map(decided, streams)), PATIENCE)
    assert states == [APPROVED] * 3
    for stream in streams:
        await stream.aclose()
