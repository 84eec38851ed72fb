"""What executors report: once, twice, late, in conflict."""

import asyncio
from base64 import urlsafe_b64decode
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from chenu.governance.v1.authorization_service_pb2 import Verdict, VerdictState
from chenu.governance.v1.checkpoint_pb2 import CheckpointState
from chenu.governance.v1.decision_pb2 import ExecutionState
from chenu.governance.v1.outcome_service_pb2 import Outcome, ReportOutcomesRequest
from chenu_gate.action import Target
from chenu_gate.canonical_json import digest
from chenu_gate.permit import key_id, read
from kernel.errors import reason_of
from services.governance.clock import Clock
from tests.integration.governance.conftest import Events
from tests.support.governance_client import GovernanceClient, a_request, allowed, gated
from tests.support.identity import Person, StandInIdentity
from tests.support.refusals import refused

RUNNING = ExecutionState.EXECUTION_STATE_RUNNING
SUCCEEDED = ExecutionState.EXECUTION_STATE_SUCCEEDED
FAILED = ExecutionState.EXECUTION_STATE_FAILED
UNKNOWN = ExecutionState.EXECUTION_STATE_UNKNOWN
CONFLICT = (grpc.StatusCode.FAILED_PRECONDITION, "OUTCOME_CONFLICT")
FORBIDDEN = (grpc.StatusCode.PERMISSION_DENIED, "FORBIDDEN")


async def permitted(client: GovernanceClient, person: Person) -> Verdict:
    return await client.ask_one(person, allowed(person))


async def state(client: GovernanceClient, person: Person, verdict: Verdict) -> ExecutionState:
    found = await client.found(person, verdict.request_id)
    return found.decision.execution_state


async def test_row_36_the_real_outcome_is_recorded_once_however_often_it_is_reported(
    client: GovernanceClient, person: Person, events: Events, superuser: Any
) -> None:
    verdict = await permitted(client, person)
    finished = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

    for _ in range(3):
        await client.report(verdict, SUCCEEDED, finish_time=finished)

    assert await state(client, person, verdict) == SUCCEEDED
    made, executed = await events(f"decision/{verdict.decision.decision_id}")
    assert executed["type"] == "chenu.governance.decision.executed"
    assert executed["data"]["phase"] == "PHASE_OUTCOME"
    assert executed["data"]["details"]["state"] == "SUCCEEDED"
    assert executed["data"]["actor"]["service"] == "threads"
    assert executed["identity"] == made["identity"] == person.identity
    row = await superuser.fetchrow(
        "SELECT * FROM governance.executions WHERE decision_id = $1", verdict.decision.decision_id
    )
    assert (row["finish_time"], row["reason"]) == (finished, "OK")


async def test_the_permit_is_kept_with_the_key_that_signed_it_and_named_in_the_log(
    client: GovernanceClient, person: Person, events: Events, superuser: Any
) -> None:
    verdict, forged = await permitted(client, person), await permitted(client, person)

    await client.report(verdict, SUCCEEDED, permit=verdict.permit)
    await client.report(forged, SUCCEEDED, permit="no.permit.at-all")

    kept = await superuser.fetch(
        "SELECT permit, permit_key FROM governance.executions WHERE decision_id = ANY ($1)"
        " ORDER BY permit_key DESC",
        [verdict.decision.decision_id, forged.decision.decision_id],
    )
    (genuine, key), (_, unknown) = kept
    assert (genuine, unknown) == (verdict.permit, "")
    public = Ed25519PublicKey.from_public_bytes(urlsafe_b64decode(f"{key}="))
    assert read(verdict.permit, {key_id(genuine): public}).decision == verdict.decision.decision_id
    _, executed = await events(f"decision/{verdict.decision.decision_id}")
    assert executed["data"]["details"]["permit"] == digest(verdict.permit.encode())


@pytest.mark.parametrize(
    ("reports", "end"),
    [
        ([RUNNING, SUCCEEDED], SUCCEEDED),
        ([RUNNING, FAILED, RUNNING], FAILED),
        ([RUNNING, UNKNOWN, RUNNING], UNKNOWN),
        ([UNKNOWN, SUCCEEDED, SUCCEEDED], SUCCEEDED),
        ([UNKNOWN, FAILED], FAILED),
    ],
)
async def test_reports_that_come_in_turn_late_or_twice_are_taken_in(
    client: GovernanceClient, person: Person, reports: list[ExecutionState], end: ExecutionState
) -> None:
    verdict = await permitted(client, person)

    for report in reports:
        await client.report(verdict, report)

    assert await state(client, person, verdict) == end


async def test_a_start_and_its_end_in_one_report_are_one_execution_by_the_permit_of_the_start(
    client: GovernanceClient, person: Person, superuser: Any
) -> None:
    verdict, other = await permitted(client, person), await permitted(client, person)
    told = [(verdict, RUNNING, verdict.permit), (other, FAILED, ""), (verdict, SUCCEEDED, "")]
    named = ("decision_id", "action_digest")
    outcomes = [
        Outcome(**{name: getattr(one.decision, name) for name in named}, state=is_now, permit=by)
        for one, is_now, by in told
    ]
    await client.outcomes.ReportOutcomes(
        ReportOutcomesRequest(outcomes=outcomes), metadata=client.identity.as_service("threads")
    )
    row = await superuser.fetchrow(
        "SELECT state, reason, permit FROM governance.executions WHERE decision_id = $1",
        verdict.decision.decision_id,
    )
    assert tuple(row) == ("succeeded", "", verdict.permit)
    assert await state(client, person, other) == FAILED


@pytest.mark.parametrize(
    ("first", "second"),
    [(SUCCEEDED, FAILED), (FAILED, SUCCEEDED), (SUCCEEDED, UNKNOWN), (FAILED, UNKNOWN)],
)
async def test_another_end_for_the_same_decision_is_refused(
    client: GovernanceClient, person: Person, first: ExecutionState, second: ExecutionState
) -> None:
    verdict = await permitted(client, person)
    await client.report(verdict, first)

    info = await refused(client.report(verdict, second), *CONFLICT)

    assert info.metadata["decision_id"] == verdict.decision.decision_id
    assert await state(client, person, verdict) == first


async def test_a_report_of_another_action_is_refused(
    client: GovernanceClient, person: Person
) -> None:
    verdict = await permitted(client, person)

    info = await refused(
        client.report(verdict, SUCCEEDED, action_digest="sha256:" + "0" * 64), *CONFLICT
    )

    assert info.metadata["cause"] == "ANOTHER_ACTION"


async def test_what_was_never_permitted_has_no_outcome(
    client: GovernanceClient, person: Person
) -> None:
    forbidden = allowed(person, targets=(Target("identity", client.identity.somebody_elses()),))
    denied, waiting, rejected = await client.ask(
        person, a_request(forbidden), a_request(gated(person)), a_request(gated(person))
    )
    await client.reject(person, rejected.checkpoint)

    for verdict in (denied, waiting, rejected):
        info = await refused(client.report(verdict, SUCCEEDED), *CONFLICT)
        assert info.metadata["cause"] == "NEVER_PERMITTED"


async def test_one_refused_outcome_takes_back_the_whole_report(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    good, bad = await permitted(client, person), await permitted(client, person)
    await client.report(bad, FAILED)
    outcomes = [
        Outcome(
            decision_id=verdict.decision.decision_id,
            action_digest=verdict.decision.action_digest,
            state=SUCCEEDED,
        )
        for verdict in (good, bad)
    ]

    await refused(
        client.outcomes.ReportOutcomes(
            ReportOutcomesRequest(outcomes=outcomes), metadata=identity.as_service("threads")
        ),
        *CONFLICT,
    )

    not_started = ExecutionState.EXECUTION_STATE_NOT_STARTED
    assert await state(client, person, good) == not_started


async def test_an_executor_reports_its_own_decisions_and_learns_of_no_others(
    client: GovernanceClient, person: Person
) -> None:
    foreign = await permitted(client, person)
    missing = Verdict()
    missing.CopyFrom(foreign)
    missing.decision.decision_id = str(uuid4())

    answers = []
    for verdict in (foreign, missing):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await client.report(verdict, SUCCEEDED, executor="courier")
        trailers = dict(failure.value.trailing_metadata() or ())
        answers.append((failure.value.code(), failure.value.details(), trailers))

    assert answers[0] == answers[1]
    assert answers[0][0] == FORBIDDEN[0]


async def test_nobody_but_executors_reports(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    verdict = await permitted(client, person)
    request = ReportOutcomesRequest(
        outcomes=[
            Outcome(
                decision_id=verdict.decision.decision_id,
                action_digest=verdict.decision.action_digest,
                state=SUCCEEDED,
            )
        ]
    )
    for metadata in (
        identity.as_human(person),
        identity.as_agent(person, str(uuid4())),
        identity.as_nova(person),
    ):
        await refused(
            client.outcomes.ReportOutcomes(request, metadata=metadata),
            grpc.StatusCode.PERMISSION_DENIED,
            "CALLER_NOT_ALLOWED",
        )
    # Whose decision it is not, whatever service that is.
    nova = identity.as_service("nova")
    await refused(client.outcomes.ReportOutcomes(request, metadata=nova), *FORBIDDEN)


@pytest.mark.parametrize(
    "changes",
    [
        {"state": ExecutionState.EXECUTION_STATE_UNSPECIFIED},
        {"state": ExecutionState.EXECUTION_STATE_NOT_STARTED},
        {"state": 99},
        {"decision_id": "1"},
        {"action_digest": "sha256:x"},
        {"reason": "x" * 101},
    ],
)
async def test_a_report_that_breaks_the_contract_is_refused(
    client: GovernanceClient, person: Person, changes: dict[str, Any]
) -> None:
    verdict = await permitted(client, person)
    fields = {"state": SUCCEEDED} | changes

    await refused(
        client.report(verdict, **fields), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"
    )


async def test_contradicting_reports_at_once_leave_one_end(
    client: GovernanceClient, person: Person, events: Events
) -> None:
    for _ in range(5):
        verdict = await permitted(client, person)

        answers = await asyncio.gather(
            *(client.report(verdict, end) for end in (SUCCEEDED, FAILED) * 3),
            return_exceptions=True,
        )

        lost = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
        assert [reason_of(error) for error in lost] == ["OUTCOME_CONFLICT"] * 3
        assert len(await events(f"decision/{verdict.decision.decision_id}")) == 2


async def test_what_was_executed_in_the_last_second_is_told_even_after_the_approval_lapsed(
    client: GovernanceClient, person: Person, clock: Clock
) -> None:
    request, blocked = await client.blocked(person)
    await client.approve(person, blocked)
    (verdict,) = await client.ask(person, request)
    clock.offset = timedelta(hours=25)
    (lapsed,) = await client.ask(person, request)

    await client.report(verdict, SUCCEEDED)

    assert lapsed.state == VerdictState.VERDICT_STATE_EXPIRED
    (executed,) = await client.ask(person, request)
    assert executed.state == VerdictState.VERDICT_STATE_EXECUTED
    seen = await client.get(person, blocked.checkpoint_id)
    assert seen.state == CheckpointState.CHECKPOINT_STATE_EXPIRED
    assert seen.execution_state == SUCCEEDED
