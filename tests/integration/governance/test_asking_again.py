"""A request id belongs to one action for ever, and says what became of it."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import grpc
import pytest

from chenu.governance.v1.authorization_service_pb2 import (
    Verdict,
    VerdictState,
)
from chenu.governance.v1.checkpoint_pb2 import CheckpointState
from chenu.governance.v1.checkpoint_service_pb2 import CancelCheckpointRequest
from chenu.governance.v1.decision_pb2 import ExecutionState
from services.governance.clock import Clock
from tests.integration.governance.conftest import Events
from tests.support.governance_client import GovernanceClient, a_request, allowed, gated
from tests.support.identity import Person, StandInIdentity
from tests.support.refusals import refused

PERMITTED = VerdictState.VERDICT_STATE_PERMITTED
DENIED = grpc.StatusCode.PERMISSION_DENIED
FAILED = grpc.StatusCode.FAILED_PRECONDITION


async def told(client: GovernanceClient, person: Person, request: Any) -> Verdict:
    (verdict,) = await client.ask(person, request)
    return verdict


async def test_the_same_request_gets_the_same_decision_another_permit_and_no_other_event(
    client: GovernanceClient, identity: StandInIdentity, person: Person, events: Events
) -> None:
    request = a_request(allowed(person))

    first = await client.ask_one(person, request)
    by_nova = await told(client, person, request)

    assert by_nova.decision == first.decision
    assert by_nova.permit != first.permit
    assert len(await events(f"decision/{first.decision.decision_id}")) == 1


async def test_the_same_request_keeps_waiting_for_the_same_checkpoint(
    client: GovernanceClient, person: Person, events: Events
) -> None:
    request, checkpoint = await client.blocked(person)

    again = await told(client, person, request)

    assert again.checkpoint == checkpoint
    assert len(await events(f"checkpoint/{checkpoint.checkpoint_id}")) == 1


async def test_many_at_once_with_one_request_id_get_one_decision(
    client: GovernanceClient, person: Person
) -> None:
    request = a_request(gated(person))

    verdicts = await asyncio.gather(*(told(client, person, request) for _ in range(20)))

    assert len({verdict.decision.decision_id for verdict in verdicts}) == 1
    assert len({verdict.checkpoint.checkpoint_id for verdict in verdicts}) == 1


async def test_a_request_id_in_capitals_is_the_same_request_id(
    client: GovernanceClient, person: Person
) -> None:
    request_id = str(uuid4())
    action = allowed(person)

    first = await told(client, person, a_request(action, request_id=request_id))
    again = await told(client, person, a_request(action, request_id=request_id.upper()))

    assert first.decision == again.decision


@pytest.mark.parametrize("change", ["action", "requires_checkpoint", "freed"])
async def test_another_body_under_the_same_request_id_takes_the_whole_plan_back(
    client: GovernanceClient, person: Person, change: str
) -> None:
    action, gate = allowed(person), change == "freed"
    known = a_request(action, requires_checkpoint=gate)
    await client.ask(person, known)
    fresh = a_request(allowed(person))
    reused = a_request(
        allowed(person) if change == "action" else action,
        request_id=known.request_id,
        requires_checkpoint=change == "requires_checkpoint",
    )

    await refused(
        client.ask(person, fresh, reused), grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED"
    )

    await refused(client.found(person, fresh.request_id), DENIED, "FORBIDDEN")


async def test_a_plan_may_name_a_request_id_twice_for_one_action_and_not_for_two(
    client: GovernanceClient, person: Person
) -> None:
    request = a_request(gated(person))
    other = a_request(gated(person), request_id=request.request_id)

    one, two = await client.ask(person, request, request)

    assert one == two
    await refused(
        client.ask(person, a_request(gated(person), request_id=(twice := str(uuid4()))),
                   a_request(gated(person), request_id=twice)),
        grpc.StatusCode.INVALID_ARGUMENT,
        "REQUEST_ID_REUSED",
    )  # fmt: skip
    await refused(client.ask(person, other), grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED")


@pytest.mark.parametrize("common", ["nothing", "tenant", "identity", "person"])
async def test_request_ids_of_different_people_have_nothing_to_do_with_each_other(
    client: GovernanceClient, person: Person, common: str
) -> None:
    same: dict[str, dict[str, Any]] = {
        "nothing": {},
        "tenant": {"tenant": person.tenant},
        "identity": {"tenant": person.tenant, "identity": person.identity},
        "person": {"tenant": person.tenant, "person": person.person},
    }
    stranger, request_id = Person(**same[common]), str(uuid4())

    mine = await told(client, person, a_request(allowed(person), request_id=request_id))
    theirs = await told(client, stranger, a_request(allowed(stranger), request_id=request_id))

    assert mine.decision.decision_id != theirs.decision.decision_id
    for who, verdict in ((person, mine), (stranger, theirs)):
        assert (await client.found(who, request_id)).decision == verdict.decision


async def test_a_rejection_is_told_with_its_words_for_ever(
    client: GovernanceClient, person: Person
) -> None:
    request, checkpoint = await client.blocked(person)
    await client.reject(person, checkpoint, "pas aujourd'hui")

    verdict = await told(client, person, request)

    assert verdict.state == VerdictState.VERDICT_STATE_REJECTED
    assert verdict.reason == "pas aujourd'hui"
    assert not verdict.permit
    info = await refused(client.ask_one(person, request), DENIED, "CHECKPOINT_REJECTED")
    assert info.metadata["checkpoint_id"] == checkpoint.checkpoint_id


async def test_silence_is_told_as_expired_before_any_sweeper_came_by(
    client: GovernanceClient, person: Person, clock: Clock
) -> None:
    request, checkpoint = await client.blocked(person)
    clock.offset = timedelta(minutes=60)

    verdict = await told(client, person, request)

    assert verdict.state == VerdictState.VERDICT_STATE_EXPIRED
    await refused(client.ask_one(person, request), FAILED, "CHECKPOINT_EXPIRED")
    seen = await client.get(person, checkpoint.checkpoint_id)
    assert seen.state == CheckpointState.CHECKPOINT_STATE_EXPIRED
    assert seen.resolve_time == seen.expire_time


async def test_an_approval_that_was_not_used_in_time_lapses(
    client: GovernanceClient, person: Person, clock: Clock, events: Events
) -> None:
    request, checkpoint = await client.blocked(person)
    await client.approve(person, checkpoint)
    clock.offset = timedelta(hours=23, minutes=59)
    assert (await told(client, person, request)).state == PERMITTED
    clock.offset = timedelta(hours=24, minutes=1)

    verdict = await told(client, person, request)

    assert verdict.state == VerdictState.VERDICT_STATE_EXPIRED
    assert verdict.reason == "the approval was not used in time"
    await refused(client.ask_one(person, request), FAILED, "CHECKPOINT_EXPIRED")
    seen = await client.get(person, checkpoint.checkpoint_id)
    assert seen.state == CheckpointState.CHECKPOINT_STATE_EXPIRED
    # It stays so, even if the clock were turned back.
    clock.offset = timedelta(0)
    assert (await told(client, person, request)).state == VerdictState.VERDICT_STATE_EXPIRED
    ends = [event["type"] for event in await events(f"checkpoint/{checkpoint.checkpoint_id}")]
    assert ends[1:] == [
        "chenu.governance.checkpoint.approved",
        "chenu.governance.checkpoint.expired",
    ]


async def test_a_withdrawn_action_is_told_as_cancelled(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    request, checkpoint = await client.blocked(person)
    await client.checkpoints.CancelCheckpoint(
        CancelCheckpointRequest(checkpoint_id=checkpoint.checkpoint_id),
        metadata=identity.as_human(person),
    )

    verdict = await told(client, person, request)

    assert verdict.state == VerdictState.VERDICT_STATE_CANCELLED
    await refused(client.ask_one(person, request), FAILED, "CHECKPOINT_CANCELLED")


@pytest.mark.parametrize("gate", [True, False])
@pytest.mark.parametrize(
    "end",
    [
        ExecutionState.EXECUTION_STATE_RUNNING,
        ExecutionState.EXECUTION_STATE_SUCCEEDED,
        ExecutionState.EXECUTION_STATE_FAILED,
        ExecutionState.EXECUTION_STATE_UNKNOWN,
    ],
)
async def test_what_was_executed_is_told_so_with_a_permit_only_for_its_first_answer(
    client: GovernanceClient, person: Person, gate: bool, end: ExecutionState
) -> None:
    request = a_request(gated(person) if gate else allowed(person))
    verdict = await told(client, person, request)
    if gate:
        await client.approve(person, verdict.checkpoint)
        verdict = await told(client, person, request)
    assert verdict.permit
    await client.report(verdict, end)

    again = await told(client, person, request)

    assert again.state == VerdictState.VERDICT_STATE_EXECUTED
    assert again.decision.execution_state == end
    # Of the same decision, so that the executor's fence has it answer and not act.
    assert again.permit
    assert again.decision.decision_id == verdict.decision.decision_id
    info = await refused(client.ask_one(person, request), FAILED, "DECISION_EXECUTED")
    assert info.metadata["decision_id"] == verdict.decision.decision_id


async def test_an_approval_counts_only_while_its_voter_is_entitled(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    request, checkpoint = await client.blocked(person)
    await client.approve(person, checkpoint)
    identity.not_eligible[person.person] = "DEACTIVATED"

    verdict = await told(client, person, request)

    assert verdict.state == VerdictState.VERDICT_STATE_EXPIRED
    assert verdict.reason == "the approval does not count any more: DEACTIVATED"
    assert not verdict.permit
    identity.not_eligible.clear()
    assert (await told(client, person, request)).state == VerdictState.VERDICT_STATE_EXPIRED
    seen = await client.get(person, checkpoint.checkpoint_id)
    assert seen.resolution_reason == verdict.reason


async def test_at_the_permit_the_voter_is_asked_for_and_not_the_session_of_the_vote(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    request, checkpoint = await client.blocked(person)
    await client.approve(person, checkpoint)
    await told(client, person, request)

    asked = [r for r in identity.eligibility_asked if r.tenant_id == person.tenant]

    sessions = [[voter.session_id for voter in request.voters] for request in asked]
    assert sessions == [[person.session], [""]]
    assert {r.owner_identity_id for r in asked} == {person.identity}
