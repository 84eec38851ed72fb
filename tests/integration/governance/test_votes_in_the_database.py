"""Votes and states, written by somebody with the service's database roles but not its code."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest

from chenu.governance.v1.checkpoint_pb2 import CheckpointState
from chenu.governance.v1.decision_pb2 import ExecutionState
from tests.support.governance_client import GovernanceClient, allowed
from tests.support.governance_roles import become, insert_vote
from tests.support.identity import Person
from tests.support.refusals import refused

REFUSED = (asyncpg.InsufficientPrivilegeError, asyncpg.CheckViolationError)
APPROVE = (
    "UPDATE governance.checkpoints SET state = 'approved', resolve_time = now(),"
    " valid_until = now() + interval '1 day', version = version + 1 WHERE checkpoint_id = $1"
)


@pytest.mark.parametrize("actor", ["agent", "service", "system", ""])
async def test_only_humans_stand_in_the_table_of_votes(
    client: GovernanceClient, person: Person, app: Any, actor: str
) -> None:
    _, blocked = await client.blocked(person)
    await become(app, person)
    sql, values = insert_vote(person, blocked, actor=actor)

    with pytest.raises(asyncpg.CheckViolationError):
        await app.execute(sql, *values)


async def test_nobody_votes_in_another_persons_name(
    client: GovernanceClient, person: Person, app: Any
) -> None:
    _, blocked = await client.blocked(person)
    await become(app, person)
    stranger = str(uuid4())

    for changes in ({"person": stranger}, {"identity": stranger}, {"tenant": stranger}):
        sql, values = insert_vote(person, blocked, **changes)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute(sql, *values)


async def test_one_token_is_in_the_table_of_votes_once(
    client: GovernanceClient, person: Person, app: Any
) -> None:
    _, blocked = await client.blocked(person)
    await become(app, person)
    sql, values = insert_vote(person, blocked, token_id=(token := str(uuid4())))
    await app.execute(sql, *values)
    sql, values = insert_vote(person, blocked, token_id=token)

    with pytest.raises(asyncpg.UniqueViolationError):
        await app.execute(sql, *values)


async def test_nothing_is_approved_or_rejected_without_its_votes(
    client: GovernanceClient, person: Person, app: Any
) -> None:
    _, blocked = await client.blocked(person)
    _, other = await client.blocked(person)
    await become(app, person)
    reject = (
        "UPDATE governance.checkpoints SET state = 'rejected', resolve_time = now(),"
        " version = version + 1 WHERE checkpoint_id = $1"
    )

    for sql in (APPROVE, reject):
        with pytest.raises(asyncpg.CheckViolationError, match="without votes"):
            await app.execute(sql, blocked.checkpoint_id)
    # Votes for another view or another revision are no votes for what waits.
    for changes in ({"view_digest": other.view_digest}, {"revision": 2}):
        sql, values = insert_vote(person, blocked, **changes)
        await app.execute(sql, *values)
        with pytest.raises(asyncpg.CheckViolationError, match="without votes"):
            await app.execute(APPROVE, blocked.checkpoint_id)
    sql, values = insert_vote(person, blocked)
    await app.execute(sql, *values)
    await app.execute(APPROVE, blocked.checkpoint_id)


async def test_no_checkpoint_begins_approved(
    client: GovernanceClient, person: Person, app: Any
) -> None:
    verdict = await client.ask_one(person, allowed(person))
    await become(app, person)
    insert = (
        "INSERT INTO governance.checkpoints (checkpoint_id, decision_id, tenant, identity, type,"
        " state, revision, priority, etag, required_approvals, run, thread, expire_time,"
        " valid_until, resolve_time, version, executed) VALUES ($1, $2, $3, $4, 'data_access',"
        " $5, 1, 'low', 'x', 1, '', '', now(), now(), $6, $7, $8)"
    )
    own = (str(uuid4()), verdict.decision.decision_id, person.tenant, person.identity)
    now = datetime.now(UTC)

    for state, resolved, version, executed in (
        ("approved", now, 1, False),
        ("rejected", now, 1, False),
        ("pending", None, 2, False),
        ("pending", None, 1, True),
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute(insert, *own, state, resolved, version, executed)


@pytest.mark.parametrize("state", ["approved", "pending", "cancelled"])
async def test_an_end_is_an_end(
    client: GovernanceClient, person: Person, app: Any, state: str
) -> None:
    _, blocked = await client.blocked(person)
    await client.reject(person, blocked)
    await become(app, person)

    with pytest.raises(REFUSED):
        await app.execute(
            "UPDATE governance.checkpoints SET state = $2, version = version + 1,"
            " resolve_time = CASE WHEN $2 <> 'pending' THEN now() END, valid_until = now()"
            " WHERE checkpoint_id = $1",
            blocked.checkpoint_id,
            state,
        )


async def test_every_change_of_a_checkpoint_has_its_own_version(
    client: GovernanceClient, person: Person, app: Any
) -> None:
    _, blocked = await client.blocked(person)
    await become(app, person)

    for version in ("version", "version + 2", "version - 1"):
        with pytest.raises(asyncpg.CheckViolationError):
            await app.execute(
                "UPDATE governance.checkpoints SET state = 'cancelled', resolve_time = now(),"
                f" version = {version} WHERE checkpoint_id = $1",
                blocked.checkpoint_id,
            )


async def test_the_end_of_an_execution_is_not_taken_back(
    client: GovernanceClient, person: Person, worker: Any
) -> None:
    verdict = await client.ask_one(person, allowed(person))
    await client.report(verdict, ExecutionState.EXECUTION_STATE_FAILED)

    for state in ("succeeded", "unknown", "running"):
        with pytest.raises(asyncpg.CheckViolationError):
            await worker.execute(
                "UPDATE governance.executions SET state = $2 WHERE decision_id = $1",
                verdict.decision.decision_id,
                state,
            )


async def test_the_worker_notes_executions_and_decides_nothing(
    client: GovernanceClient, person: Person, worker: Any
) -> None:
    _, waiting = await client.blocked(person)
    _, approved = await client.blocked(person)
    await client.approve(person, approved)
    note = "UPDATE governance.checkpoints SET executed = $2 WHERE checkpoint_id = $1"

    with pytest.raises(asyncpg.CheckViolationError):
        await worker.execute(note, waiting.checkpoint_id, True)
    assert await worker.execute(note, approved.checkpoint_id, True) == "UPDATE 1"
    with pytest.raises(asyncpg.CheckViolationError):
        await worker.execute(note, approved.checkpoint_id, False)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await worker.execute(APPROVE, waiting.checkpoint_id)


async def test_a_vote_on_what_somebody_else_holds_is_given_back_and_can_be_cast_again(
    client: GovernanceClient, person: Person, superuser: Any
) -> None:
    _, checkpoint = await client.blocked(person)
    vote = client.vote(person, checkpoint)
    async with superuser.transaction():
        await superuser.execute(
            "SELECT FROM governance.checkpoints WHERE checkpoint_id = $1 FOR UPDATE",
            checkpoint.checkpoint_id,
        )
        await refused(
            client.approve(person, checkpoint, metadata=vote),
            grpc.StatusCode.UNAVAILABLE,
            "UNAVAILABLE",
        )
    assert not (await client.get(person, checkpoint.checkpoint_id)).votes
    approved = await client.approve(person, checkpoint, metadata=vote)
    assert approved.state == CheckpointState.CHECKPOINT_STATE_APPROVED
