from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from chenu_gate.executor import (
    DecisionAlreadyExecuted,
    Executions,
    ExecutionState,
    OnAsyncpg,
    OutcomeConflict,
)
from chenu_gate.permit import PermittedAction
from kernel.database import Database
from tests.integration.chenu_gate.conftest import Transactions, permitted, waiting_on_a_lock

MINUTE = timedelta(minutes=1)


class EffectFailed(Exception):
    pass


def another_permit(first: PermittedAction, **changes: Any) -> PermittedAction:
    """A permit minted again for the same decision."""
    permit = replace(first.permit, id=str(uuid.uuid4()), **changes)
    return PermittedAction(first.action, permit)


async def count(pool: asyncpg.Pool, permitted: PermittedAction) -> tuple[int, int]:
    """How many executions and effects there are of a decision."""
    decision = permitted.permit.decision
    return (
        await pool.fetchval("SELECT count(*) FROM executions WHERE decision_id = $1", decision),
        await pool.fetchval("SELECT count(*) FROM effects WHERE decision_id = $1", decision),
    )


class Execute:
    """An executor whose effect is a row: fence, effect and outcome in one transaction."""

    def __init__(self, pool: asyncpg.Pool, executions: Executions) -> None:
        self.pool, self.executions = pool, executions
        self.may_commit, self.took_effect = asyncio.Event(), asyncio.Event()
        self.may_commit.set()

    async def __call__(self, permitted: PermittedAction, *, fail: bool = False) -> Any:
        outcome = {"effect": str(uuid.uuid4())}
        async with self.pool.acquire() as connection, connection.transaction():
            tx = OnAsyncpg(connection)
            await self.executions.fence(tx, permitted)
            await connection.execute("INSERT INTO effects VALUES ($1)", permitted.permit.decision)
            self.took_effect.set()
            await self.may_commit.wait()
            if fail:
                raise EffectFailed
            await self.executions.set_outcome(tx, permitted, outcome)
        return outcome


@pytest.fixture
def execute(pool: asyncpg.Pool, executions: Executions) -> Execute:
    return Execute(pool, executions)


async def test_a_decision_is_executed_once_and_a_repeat_gets_the_first_answer(
    execute: Execute, pool: asyncpg.Pool
) -> None:
    one = permitted()
    outcome = await execute(one)

    for again in (one, another_permit(one)):
        with pytest.raises(DecisionAlreadyExecuted) as used:
            await execute(again)
        assert used.value.reason == "DECISION_EXECUTED"
        first = used.value.execution
        assert first is not None
        assert (first.state, first.outcome, first.reason) == ("SUCCEEDED", outcome, "OK")
        assert (first.decision_id, first.permit_id) == (one.permit.decision, one.permit.id)
        assert first.finished_at is not None
    assert await count(pool, one) == (1, 1)


async def test_of_two_executions_at_once_one_has_an_effect(
    execute: Execute, pool: asyncpg.Pool
) -> None:
    one = permitted()
    execute.may_commit.clear()
    both = [asyncio.create_task(execute(p)) for p in (one, another_permit(one))]
    await waiting_on_a_lock(pool)
    execute.may_commit.set()
    results = await asyncio.gather(*both, return_exceptions=True)

    outcomes = [result for result in results if isinstance(result, dict)]
    refusals = [result for result in results if isinstance(result, DecisionAlreadyExecuted)]
    assert len(outcomes) == len(refusals) == 1
    assert refusals[0].execution is not None
    assert refusals[0].execution.outcome == outcomes[0]
    assert await count(pool, one) == (1, 1)


async def test_row_23_a_decision_is_consumed_once_however_many_execute_it_at_once(
    execute: Execute, pool: asyncpg.Pool
) -> None:
    one = permitted()
    attempts = [execute(another_permit(one)) for _ in range(20)]
    results = await asyncio.gather(*attempts, return_exceptions=True)

    assert sum(isinstance(result, DecisionAlreadyExecuted) for result in results) == 19
    assert await count(pool, one) == (1, 1)


async def test_an_effect_that_fails_leaves_the_decision_unused(
    execute: Execute, pool: asyncpg.Pool
) -> None:
    one = permitted()
    with pytest.raises(EffectFailed):
        await execute(one, fail=True)
    assert await count(pool, one) == (0, 0)

    await execute(one)
    assert await count(pool, one) == (1, 1)


async def test_whoever_waited_goes_on_when_the_first_is_rolled_back(
    execute: Execute, pool: asyncpg.Pool
) -> None:
    one = permitted()
    execute.may_commit.clear()
    failing = asyncio.create_task(execute(one, fail=True))
    await execute.took_effect.wait()
    waiting = asyncio.create_task(execute(another_permit(one)))
    await waiting_on_a_lock(pool)
    execute.may_commit.set()

    with pytest.raises(EffectFailed):
        await failing
    assert "effect" in await waiting
    assert await count(pool, one) == (1, 1)


@pytest.mark.parametrize("what", ["tenant", "identity", "action"])
async def test_somebody_else_learns_nothing_of_the_first_execution(
    execute: Execute, what: str
) -> None:
    one = permitted()
    await execute(one)

    with pytest.raises(DecisionAlreadyExecuted) as used:
        await execute(another_permit(one, **{what: str(uuid.uuid4())}))
    assert used.value.execution is None


async def test_an_effect_outside_runs_once_and_ends_once(
    executions: Executions, transaction: Transactions
) -> None:
    one = permitted()
    decision = one.permit.decision
    async with transaction() as tx:
        await executions.begin_running(tx, one, MINUTE)
    async with transaction() as tx:
        running = await executions.get(tx, decision)
        assert running is not None
        assert (running.state, running.finished_at, running.reason) == ("RUNNING", None, "")
        assert running.deadline is not None
        assert running.deadline - running.started_at >= MINUTE
    with pytest.raises(DecisionAlreadyExecuted) as used:
        async with transaction() as tx:
            await executions.begin_running(tx, another_permit(one), MINUTE)
    assert used.value.execution == running

    failed: dict[str, Any] = {"reason": "REFUSED", "outcome": {"status": 503}}
    async with transaction() as tx:
        ended = await executions.finish(tx, decision, ExecutionState.FAILED, **failed)
    assert (ended.state, ended.reason, ended.outcome) == ("FAILED", "REFUSED", {"status": 503})
    async with transaction() as tx:
        assert await executions.finish(tx, decision, ExecutionState.FAILED, **failed) == ended
    with pytest.raises(OutcomeConflict) as conflict:
        async with transaction() as tx:
            await executions.finish(tx, decision, ExecutionState.SUCCEEDED, reason="OK")
    assert conflict.value.execution == ended
    assert conflict.value.reason == "OUTCOME_CONFLICT"


async def test_what_is_overdue_is_unknown_and_can_become_known(
    executions: Executions, transaction: Transactions
) -> None:
    late, in_time, done = permitted(), permitted(), permitted()
    async with transaction() as tx:
        await executions.begin_running(tx, late, timedelta(0))
        await executions.begin_running(tx, in_time, MINUTE)
        await executions.begin_running(tx, done, timedelta(0))
        await executions.finish(tx, done.permit.decision, ExecutionState.SUCCEEDED, reason="OK")
    async with transaction() as tx:
        overdue = await executions.overdue(tx)
        assert [one.decision_id for one in overdue] == [late.permit.decision]
        assert (overdue[0].state, overdue[0].reason) == ("UNKNOWN", "OVERDUE")
        assert await executions.overdue(tx) == []

    with pytest.raises(DecisionAlreadyExecuted):
        async with transaction() as tx:
            await executions.begin_running(tx, another_permit(late), MINUTE)
    async with transaction() as tx:
        known = await executions.finish(
            tx, late.permit.decision, ExecutionState.SUCCEEDED, reason="RECONCILED"
        )
    assert (known.state, known.reason) == ("SUCCEEDED", "RECONCILED")


async def test_an_execution_that_never_began_cannot_end(
    executions: Executions, transaction: Transactions
) -> None:
    async with transaction() as tx:
        with pytest.raises(OutcomeConflict, match="nothing is recorded"):
            await executions.finish(tx, str(uuid.uuid4()), ExecutionState.FAILED, reason="X")
        with pytest.raises(ValueError, match="RUNNING"):
            await executions.finish(tx, str(uuid.uuid4()), ExecutionState.RUNNING, reason="X")


async def test_an_outcome_is_set_only_by_the_permit_that_was_fenced(
    executions: Executions, transaction: Transactions
) -> None:
    one = permitted()
    async with transaction() as tx:
        await executions.fence(tx, one, {"first": True})
        with pytest.raises(OutcomeConflict):
            await executions.set_outcome(tx, another_permit(one), {"first": False})
        recorded = await executions.get(tx, one.permit.decision)
    assert recorded is not None
    assert recorded.outcome == {"first": True}


@pytest.mark.parametrize(
    "contradiction",
    [
        "UPDATE executions SET state = 'DONE'",
        "UPDATE executions SET finished_at = NULL",
        "UPDATE executions SET state = 'RUNNING'",
        "UPDATE executions SET state = 'RUNNING', finished_at = NULL",
    ],
)
async def test_the_table_refuses_rows_that_contradict_themselves(
    executions: Executions, transaction: Transactions, pool: asyncpg.Pool, contradiction: str
) -> None:
    async with transaction() as tx:
        await executions.fence(tx, permitted())

    with pytest.raises(asyncpg.CheckViolationError):
        await pool.execute(contradiction)


async def test_the_table_itself_holds_a_decision_only_once(
    executions: Executions, transaction: Transactions, pool: asyncpg.Pool
) -> None:
    async with transaction() as tx:
        await executions.fence(tx, permitted())

    with pytest.raises(asyncpg.UniqueViolationError):
        await pool.execute("INSERT INTO executions SELECT * FROM executions")


async def test_the_fence_stands_in_a_transaction_of_a_service_too(
    database: str, schema: str, executions: Executions
) -> None:
    one = permitted()
    service = await Database.connect(database, schema=schema, pool_size=2)
    try:
        async with service.work() as tx:
            await executions.fence(tx, one)
            await executions.set_outcome(tx, one, {"clé": ["é", 1, None]})
        with pytest.raises(DecisionAlreadyExecuted) as used:
            async with service.work() as tx:
                await executions.begin_running(tx, one, MINUTE)
        async with service.work() as tx:
            assert [*await executions.unreported(tx, without=[])] == [used.value.execution]
            await executions.mark_reported(tx, await executions.unreported(tx))
            assert await executions.unreported(tx) == []
    finally:
        await service.close()
    assert used.value.execution is not None
    assert used.value.execution.outcome == {"clé": ["é", 1, None]}
    assert used.value.execution.decision_id == one.permit.decision


@pytest.mark.parametrize("schema", ["", "a b", "x; DROP SCHEMA y", "X", 'a"'])
def test_a_schema_is_named_by_a_plain_word(schema: str) -> None:
    with pytest.raises(ValueError, match="schema"):
        Executions(schema)
