from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import grpc
import pytest

from chenu.governance.v1.decision_pb2 import EXECUTION_STATE_SUCCEEDED, EXECUTION_STATE_UNKNOWN
from chenu.governance.v1.outcome_service_pb2 import Outcome
from chenu.governance.v1.outcome_service_pb2_grpc import OutcomeServiceStub
from chenu_gate.executor import Connection, Execution, Executions, ExecutionState
from chenu_gate.outcome_reporter import OutcomeReporter
from tests.integration.chenu_gate.conftest import Governance, Transactions, permitted, unknown
from tests.support.waiting import PATIENCE


@pytest.fixture
def reporter(
    executions: Executions, transaction: Transactions, stub: OutcomeServiceStub
) -> OutcomeReporter[Connection]:
    return OutcomeReporter(executions, transaction, stub)


async def execute(executions: Executions, transaction: Transactions) -> str:
    """Executes a decision of its own."""
    one = permitted()
    async with transaction() as tx:
        await executions.fence(tx, one)
    return one.permit.decision


async def test_every_ended_execution_is_reported_once(
    reporter: OutcomeReporter[Connection],
    governance: Governance,
    executions: Executions,
    transaction: Transactions,
) -> None:
    first, second = [await execute(executions, transaction) for _ in range(2)]
    running, late = permitted(), permitted()
    async with transaction() as tx:
        await executions.begin_running(tx, running, timedelta(minutes=1))
        await executions.begin_running(tx, late, timedelta(0))
    async with transaction() as tx:
        await executions.overdue(tx)

    assert await reporter.report_once() == 3
    assert await reporter.report_once() == 0
    assert governance.decisions() == [first, second, late.permit.decision]
    assert [(one.state, one.reason) for one in governance.outcomes] == [
        (EXECUTION_STATE_SUCCEEDED, "OK"),
        (EXECUTION_STATE_SUCCEEDED, "OK"),
        (EXECUTION_STATE_UNKNOWN, "OVERDUE"),
    ]
    assert all(one.HasField("finish_time") for one in governance.outcomes)
    assert governance.outcomes[2].action_digest == late.permit.action


async def test_an_end_is_reported_with_the_permit_as_it_was_signed(
    reporter: OutcomeReporter[Connection],
    governance: Governance,
    executions: Executions,
    transaction: Transactions,
) -> None:
    one = replace(permitted(), token="as.it.was-signed")
    async with transaction() as tx:
        await executions.fence(tx, one)

    await reporter.report_once()

    assert [outcome.permit for outcome in governance.outcomes] == [one.token]


async def test_an_unknown_end_that_became_known_is_reported_again(
    reporter: OutcomeReporter[Connection],
    governance: Governance,
    executions: Executions,
    transaction: Transactions,
) -> None:
    decision = await unknown(executions, transaction)
    await reporter.report_once()
    async with transaction() as tx:
        await executions.finish(tx, decision, ExecutionState.SUCCEEDED, reason="RECONCILED")

    assert await reporter.report_once() == 1
    assert [one.reason for one in governance.outcomes] == ["OVERDUE", "RECONCILED"]


async def test_what_is_unknown_is_told_again_until_a_person_has_settled_it(
    governance: Governance,
    stub: OutcomeServiceStub,
    executions: Executions,
    transaction: Transactions,
) -> None:
    noted: list[tuple[str, str]] = []

    async def note(_tx: Connection, execution: Execution) -> None:
        noted.append((execution.decision_id, execution.state))

    reporter = OutcomeReporter(executions, transaction, stub, note)
    decision = await unknown(executions, transaction)
    assert [await reporter.report_once() for _ in range(2)] == [1, 0]
    governance.settled = [
        Outcome(decision_id=decision, state=EXECUTION_STATE_SUCCEEDED, reason="RECONCILED")
    ]
    reporter._aside[decision].until = 0

    # Told for the last time, settled by the answer, and the end reported like any other.
    assert [await reporter.report_once() for _ in range(3)] == [1, 1, 0]
    async with transaction() as tx:
        known = await executions.get(tx, decision)
    assert known is not None
    assert (known.state, known.reason) == ("SUCCEEDED", "RECONCILED")
    assert noted == [(decision, "SUCCEEDED")]
    assert [one.reason for one in governance.outcomes] == ["OVERDUE", "OVERDUE", "RECONCILED"]
    assert reporter._aside == {}


async def test_what_another_process_settled_is_forgotten(
    governance: Governance,
    stub: OutcomeServiceStub,
    executions: Executions,
    transaction: Transactions,
) -> None:
    one, another = [OutcomeReporter(executions, transaction, stub) for _ in range(2)]
    decision = await unknown(executions, transaction)
    await one.report_once()
    governance.settled = [
        Outcome(decision_id=decision, state=EXECUTION_STATE_SUCCEEDED, reason="RECONCILED")
    ]
    assert [await another.report_once() for _ in range(2)] == [1, 1]

    one._aside[decision].until = 0
    assert await one.report_once() == 0
    assert one._aside == {}


async def test_what_the_executor_found_out_itself_is_not_turned_over_by_a_persons_word(
    governance: Governance,
    stub: OutcomeServiceStub,
    executions: Executions,
    transaction: Transactions,
) -> None:
    reporter = OutcomeReporter(executions, transaction, stub)
    decision = await unknown(executions, transaction)
    governance.settled = [Outcome(decision_id=decision, state=EXECUTION_STATE_SUCCEEDED)]
    governance.hold = asyncio.Event()
    reporting = asyncio.create_task(reporter.report_once())
    await governance.called.wait()
    async with transaction() as tx:
        await executions.finish(tx, decision, ExecutionState.FAILED, reason="REFUSED")
    governance.hold.set()
    await reporting

    async with transaction() as tx:
        known = await executions.get(tx, decision)
    assert known is not None
    assert known.state == "FAILED"


async def test_an_end_that_changes_while_it_is_reported_is_reported_again(
    reporter: OutcomeReporter[Connection],
    governance: Governance,
    executions: Executions,
    transaction: Transactions,
) -> None:
    decision = await unknown(executions, transaction)
    governance.hold = asyncio.Event()
    reporting = asyncio.create_task(reporter.report_once())
    await governance.called.wait()
    async with transaction() as tx:
        await executions.finish(tx, decision, ExecutionState.FAILED, reason="REFUSED")
    governance.hold.set()
    await reporting

    assert await reporter.report_once() == 1
    assert [one.reason for one in governance.outcomes] == ["OVERDUE", "REFUSED"]


async def test_a_refused_outcome_does_not_hold_up_the_others(
    reporter: OutcomeReporter[Connection],
    governance: Governance,
    executions: Executions,
    transaction: Transactions,
    caplog: pytest.LogCaptureFixture,
) -> None:
    decisions = [await execute(executions, transaction) for _ in range(7)]
    governance.refused = {
        decisions[2]: grpc.StatusCode.FAILED_PRECONDITION,
        decisions[5]: grpc.StatusCode.PERMISSION_DENIED,
    }

    assert await reporter.report_once() == 5
    assert set(governance.decisions()) == set(decisions) - set(governance.refused)
    calls = governance.calls
    assert await reporter.report_once() == 0
    assert governance.calls == calls  # set aside for a while

    for aside in reporter._aside.values():
        aside.until = 0
    assert await reporter.report_once() == 0
    assert governance.calls > calls
    # However often it is tried again, it is said once of each.
    assert sum(" refused: " in one.getMessage() for one in caplog.records) == 2

    governance.refused = {}
    for aside in reporter._aside.values():
        aside.until = 0
    assert await reporter.report_once() == 2
    assert set(governance.decisions()) == set(decisions)
    assert reporter._aside == {}


async def test_the_reporter_goes_on_after_governance_was_away(
    reporter: OutcomeReporter[Connection],
    governance: Governance,
    executions: Executions,
    transaction: Transactions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chenu_gate.outcome_reporter._POLL_SECONDS", 0.01)
    governance.unavailable = 3
    decision = await execute(executions, transaction)
    running = asyncio.create_task(reporter.run())
    await asyncio.wait_for(governance.took.wait(), PATIENCE)
    running.cancel()

    assert governance.decisions() == [decision]
    assert governance.calls == 4


async def test_a_woken_reporter_does_not_wait_for_its_poll(
    reporter: OutcomeReporter[Connection],
    governance: Governance,
    executions: Executions,
    transaction: Transactions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chenu_gate.outcome_reporter._POLL_SECONDS", 3600)
    running = asyncio.create_task(reporter.run())
    await asyncio.sleep(0.1)
    decision = await execute(executions, transaction)
    reporter.wake()
    await asyncio.wait_for(governance.took.wait(), PATIENCE)
    running.cancel()

    assert governance.decisions() == [decision]


async def test_what_ends_within_a_moment_is_one_report(
    reporter: OutcomeReporter[Connection],
    governance: Governance,
    executions: Executions,
    transaction: Transactions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chenu_gate.outcome_reporter._LINGER_SECONDS", 2.5)
    running = asyncio.create_task(reporter.run())
    await asyncio.sleep(0.1)
    decisions = []
    for _ in range(3):
        decisions.append(await execute(executions, transaction))
        reporter.wake()
    await asyncio.wait_for(governance.took.wait(), PATIENCE)
    running.cancel()

    assert governance.decisions() == decisions
    assert governance.calls == 1


async def test_a_crash_between_report_and_mark_repeats_the_report(
    reporter: OutcomeReporter[Connection],
    governance: Governance,
    executions: Executions,
    transaction: Transactions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decision = await execute(executions, transaction)

    async def crash(*_: Any) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as crashing:
        crashing.setattr(executions, "mark_reported", crash)
        with pytest.raises(ConnectionResetError):
            await reporter.report_once()
    assert await reporter.report_once() == 1
    assert governance.decisions() == [decision, decision]
