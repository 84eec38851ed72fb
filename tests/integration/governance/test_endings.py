"""Ends that nobody voted for: withdrawn, superseded, out of time."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import grpc
import pytest

from chenu.governance.v1.authorization_service_pb2 import VerdictState
from chenu.governance.v1.checkpoint_pb2 import Checkpoint, CheckpointState
from chenu.governance.v1.checkpoint_service_pb2 import (
    CancelCheckpointRequest,
    SupersedeCheckpointsRequest,
)
from chenu.governance.v1.decision_pb2 import ExecutionState
from services.governance.clock import Clock
from services.governance.review.endings import Sweeper
from tests.integration.governance.conftest import Events
from tests.support.governance_client import GovernanceClient, gated
from tests.support.identity import Metadata, Person, StandInIdentity
from tests.support.refusals import refused
from tests.support.waiting import PATIENCE

DENIED = grpc.StatusCode.PERMISSION_DENIED
FAILED = grpc.StatusCode.FAILED_PRECONDITION
State = CheckpointState


async def cancel(
    client: GovernanceClient, metadata: Metadata, checkpoint_id: str, reason: str = ""
) -> Checkpoint:
    answer = await client.checkpoints.CancelCheckpoint(
        CancelCheckpointRequest(checkpoint_id=checkpoint_id, reason=reason), metadata=metadata
    )
    return answer.checkpoint


async def supersede(client: GovernanceClient, metadata: Metadata, run: str) -> set[str]:
    answer = await client.checkpoints.SupersedeCheckpoints(
        SupersedeCheckpointsRequest(run_id=run, reason="a newer message"), metadata=metadata
    )
    return set(answer.checkpoint_ids)


@pytest.mark.parametrize("who", ["human", "nova"])
async def test_what_waits_can_be_withdrawn_without_a_vote(
    client: GovernanceClient, identity: StandInIdentity, person: Person, who: str, events: Events
) -> None:
    _, blocked = await client.blocked(person)
    metadata = identity.as_human(person) if who == "human" else identity.as_nova(person)

    seen = await cancel(client, metadata, blocked.checkpoint_id, "changed my mind")
    again = await cancel(client, metadata, blocked.checkpoint_id, "another reason")

    assert (seen.state, seen.resolution_reason) == (
        State.CHECKPOINT_STATE_CANCELLED,
        "changed my mind",
    )
    assert again == seen
    types = [event["type"] for event in await events(f"checkpoint/{blocked.checkpoint_id}")]
    assert types[1:] == ["chenu.governance.checkpoint.cancelled"]


async def test_an_agent_does_not_withdraw(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    _, blocked = await client.blocked(person)

    await refused(
        cancel(client, identity.as_agent(person, str(uuid4())), blocked.checkpoint_id),
        DENIED,
        "CALLER_NOT_ALLOWED",
    )


async def test_what_is_decided_is_not_withdrawn(
    client: GovernanceClient, identity: StandInIdentity, person: Person, clock: Clock
) -> None:
    _, approved = await client.blocked(person)
    await client.approve(person, approved)
    _, overdue = await client.blocked(person)

    info = await refused(
        cancel(client, identity.as_human(person), approved.checkpoint_id),
        FAILED,
        "CHECKPOINT_NOT_PENDING",
    )
    assert info.metadata["state"] == "APPROVED"
    clock.offset = timedelta(hours=1)
    await refused(
        cancel(client, identity.as_human(person), overdue.checkpoint_id),
        FAILED,
        "CHECKPOINT_EXPIRED",
    )


async def test_nova_gives_an_approval_back_that_it_will_not_use(
    client: GovernanceClient, identity: StandInIdentity, person: Person, events: Events
) -> None:
    request, approved = await client.blocked(person)
    await client.approve(person, approved)

    seen = await cancel(client, identity.as_nova(person), approved.checkpoint_id, "planned anew")

    assert (seen.state, seen.resolution_reason) == (State.CHECKPOINT_STATE_EXPIRED, "planned anew")
    (verdict,) = await client.ask(person, request)
    assert (verdict.state, verdict.permit) == (VerdictState.VERDICT_STATE_EXPIRED, "")
    last = (await events(f"checkpoint/{approved.checkpoint_id}"))[-1]
    assert last["type"] == "chenu.governance.checkpoint.expired"


async def test_an_approval_that_was_used_is_not_given_back(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    request, approved = await client.blocked(person)
    await client.approve(person, approved)
    (verdict,) = await client.ask(person, request)
    await client.report(verdict, ExecutionState.EXECUTION_STATE_SUCCEEDED)

    nova = identity.as_nova(person)
    await refused(cancel(client, nova, approved.checkpoint_id), FAILED, "CHECKPOINT_NOT_PENDING")


async def test_withdrawing_a_foreign_checkpoint_is_answered_like_withdrawing_nothing(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    _, foreign = await client.blocked(Person())

    answers = []
    for checkpoint_id in (foreign.checkpoint_id, str(uuid4())):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await cancel(client, identity.as_human(person), checkpoint_id)
        trailers = dict(failure.value.trailing_metadata() or ())
        answers.append((failure.value.code(), failure.value.details(), trailers))

    assert answers[0] == answers[1]
    assert answers[0][0] == DENIED


async def test_a_later_plan_takes_the_place_of_all_that_waits_in_its_run(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    run, stranger = str(uuid4()), Person()
    _, first = await client.blocked(person, gated(person, run=run))
    _, second = await client.blocked(person, gated(person, run=run))
    _, decided = await client.blocked(person, gated(person, run=run))
    await client.approve(person, decided)
    _, of_another_run = await client.blocked(person)
    _, of_another_person = await client.blocked(stranger, gated(stranger, run=run))

    ended = await supersede(client, identity.as_nova(person), run)

    assert ended == {first.checkpoint_id, second.checkpoint_id}
    assert await supersede(client, identity.as_nova(person), run) == set()
    seen = await client.get(person, first.checkpoint_id)
    assert seen.state == State.CHECKPOINT_STATE_SUPERSEDED
    assert seen.resolution_reason == "a newer message"
    for whose, kept in ((person, of_another_run), (stranger, of_another_person)):
        assert (await client.get(whose, kept.checkpoint_id)).state == State.CHECKPOINT_STATE_PENDING
    await refused(client.approve(person, first), FAILED, "CHECKPOINT_NOT_PENDING")


async def test_what_the_clock_has_ended_is_not_superseded(
    client: GovernanceClient, identity: StandInIdentity, person: Person, clock: Clock
) -> None:
    run = str(uuid4())
    _, blocked = await client.blocked(person, gated(person, run=run))
    clock.offset = timedelta(hours=1)

    assert await supersede(client, identity.as_nova(person), run) == set()

    seen = await client.get(person, blocked.checkpoint_id)
    assert seen.state == State.CHECKPOINT_STATE_EXPIRED


async def test_only_nova_supersedes(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    for metadata in (identity.as_human(person), identity.as_service("nova")):
        await refused(supersede(client, metadata, str(uuid4())), DENIED, "CALLER_NOT_ALLOWED")


async def test_a_vote_and_a_withdrawal_at_once_have_one_end(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    for _ in range(5):
        run = str(uuid4())
        _, blocked = await client.blocked(person, gated(person, run=run))

        await asyncio.gather(
            client.approve(person, blocked),
            cancel(client, identity.as_human(person), blocked.checkpoint_id),
            supersede(client, identity.as_nova(person), run),
            return_exceptions=True,
        )

        seen = await client.get(person, blocked.checkpoint_id)
        assert len(await client.resolved(run)) == 1
        assert bool(seen.votes) == (seen.state == State.CHECKPOINT_STATE_APPROVED)


async def test_the_sweeper_writes_down_what_the_clock_has_ended(
    client: GovernanceClient, person: Person, clock: Clock, sweeper: Sweeper, events: Events
) -> None:
    _, silent = await client.blocked(person)
    _, unused = await client.blocked(person)
    await client.approve(person, unused)
    clock.offset = timedelta(hours=1)
    await sweeper.sweep()
    waiting = (await client.get(person, unused.checkpoint_id)).state
    clock.offset = timedelta(hours=25)
    await sweeper.sweep()
    # Were the clock turned back, it would show that the end is in the row.
    clock.offset = timedelta(0)

    assert waiting == State.CHECKPOINT_STATE_APPROVED
    for blocked, reason in (
        (silent, "nobody decided in time"),
        (unused, "the approval was not used in time"),
    ):
        seen = await client.get(person, blocked.checkpoint_id)
        assert seen.state == State.CHECKPOINT_STATE_EXPIRED
        assert seen.resolution_reason == reason
        last = (await events(f"checkpoint/{blocked.checkpoint_id}"))[-1]
        assert last["type"] == "chenu.governance.checkpoint.expired"
        assert last["data"]["actor"]["kind"] == "system"
        assert (last["tenant"], last["identity"]) == (person.tenant, person.identity)


async def test_an_approval_that_was_used_does_not_lapse(
    client: GovernanceClient, person: Person, clock: Clock, sweeper: Sweeper
) -> None:
    request, blocked = await client.blocked(person)
    await client.approve(person, blocked)
    (verdict,) = await client.ask(person, request)
    await client.report(verdict, ExecutionState.EXECUTION_STATE_SUCCEEDED)
    clock.offset = timedelta(hours=25)
    await sweeper.sweep()

    seen = await client.get(person, blocked.checkpoint_id)

    assert seen.state == State.CHECKPOINT_STATE_APPROVED
    assert seen.execution_state == ExecutionState.EXECUTION_STATE_SUCCEEDED


async def test_two_sweepers_at_once_end_each_checkpoint_once(
    client: GovernanceClient, person: Person, clock: Clock, sweeper: Sweeper, events: Events
) -> None:
    made = [(await client.blocked(person))[1].checkpoint_id for _ in range(5)]
    clock.offset = timedelta(hours=1)

    await asyncio.gather(*(sweeper.sweep() for _ in range(4)))

    for checkpoint_id in made:
        assert len(await events(f"checkpoint/{checkpoint_id}")) == 2


async def test_the_sweeper_keeps_sweeping(
    client: GovernanceClient, person: Person, clock: Clock, sweeper: Sweeper
) -> None:
    run = str(uuid4())
    await client.blocked(person, gated(person, run=run))
    task = asyncio.create_task(sweeper.run())
    try:
        async with asyncio.timeout(PATIENCE):
            async for response in client.watch(person):
                clock.offset = timedelta(hours=1)
                if response.checkpoint.state == State.CHECKPOINT_STATE_EXPIRED:
                    break
        assert len(await client.resolved(run)) == 1
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
