"""Law 3: a decision is executed at most once, and an approval is not burned by what never began."""

import asyncio
import time
from dataclasses import replace
from typing import Any
from uuid import uuid4

import asyncpg
import jwt
import pytest

from chenu.governance.v1.authorization_service_pb2 import Verdict, VerdictState
from chenu.governance.v1.decision_pb2 import ExecutionState
from chenu.threads.v1.message_service_pb2 import ListMessagesRequest
from chenu.threads.v1.message_service_pb2_grpc import MessageServiceStub
from chenu_gate.action import Action, Target
from deploy.postgres.roles import LOGINS
from tests.laws.hands import Hands, person_of, refusal_of, use
from tests.laws.stories import doomed, reason
from tests.support.fleet import Client, Fleet
from tests.support.waiting import soon

DENIED = "PERMISSION_DENIED"


async def append(me: Client) -> tuple[str, Action]:
    """A message that would be added to a new thread."""
    thread_id = await me.new_thread("Letters")
    target = Target("thread", thread_id)
    return thread_id, use(me, "thread.append", target, thread=thread_id, content="Once.")


async def messages(me: Client, thread_id: str) -> list[str]:
    answer = await MessageServiceStub(me.fleet.channel("threads")).ListMessages(
        ListMessagesRequest(thread_id=thread_id), metadata=me.me
    )
    return [message.content for message in answer.messages]


async def test_a_permit_that_is_replayed_gives_the_first_answer_and_does_nothing(
    me: Client, hands: Hands
) -> None:
    thread_id, action = await append(me)
    request_id = str(uuid4())
    permits = [(await hands.ask(me, action, request_id)).permit for _ in range(2)]
    metadata = await hands.nova(me)
    answers = await asyncio.gather(
        *(hands.execute(me, action, permit, metadata=metadata) for permit in permits * 8)
    )
    assert await messages(me, thread_id) == ["Once."]
    assert {answer.result for answer in answers} == {answers[0].result}
    assert [answer.repeated_answer for answer in answers].count(False) == 1

    async def told() -> Verdict | None:
        verdict = await hands.ask(me, action, request_id)
        return verdict if verdict.state == VerdictState.VERDICT_STATE_EXECUTED else None

    verdict = await soon(told, "governance knows that it was executed")
    assert verdict
    late = await hands.execute(me, action, verdict.permit)
    assert (late.repeated_answer, late.result) == (True, answers[0].result)
    assert await messages(me, thread_id) == ["Once."]


async def forge(hands: Hands, permit: str, **changes: Any) -> str:
    """The permit with other claims, truly signed by governance's key."""
    claims = jwt.decode(permit, options={"verify_signature": False}) | changes
    return hands.permit_key.sign(claims, typ="permit+jwt", ttl=10)


async def test_a_permit_is_worthless_when_expired_or_meant_for_another(
    me: Client, stranger: Client, hands: Hands
) -> None:
    thread_id, action = await append(me)
    permit = (await hands.ask(me, action)).permit
    now, other = int(time.time()), person_of(stranger)
    past = {"iat": now - 30, "nbf": now - 30, "exp": now - 20}
    future = {"iat": now + 60, "nbf": now + 60, "exp": now + 70}
    for changes, why in (
        (past, "PERMIT_EXPIRED"),
        (future, "PERMIT_EXPIRED"),
        ({"aud": "courier"}, "PERMIT_AUDIENCE"),
        ({"aud": ["threads", "courier"]}, "PERMIT_INVALID"),
        ({"identity": other.identity}, "PERMIT_IDENTITY"),
        ({"tenant": other.tenant}, "PERMIT_IDENTITY"),
        ({"person": other.person}, "PERMIT_IDENTITY"),
        ({"iss": "somebody"}, "PERMIT_INVALID"),
    ):
        call = hands.execute(me, action, await forge(hands, permit, **changes))
        assert await reason(call) == (DENIED, why), changes
    assert await messages(me, thread_id) == []
    await hands.execute(me, action, await forge(hands, permit))


async def test_a_permit_for_one_executor_opens_no_other(me: Client, hands: Hands) -> None:
    _, action = await append(me)
    permit = (await hands.ask(me, action)).permit
    code, why = await reason(hands.execute(me, action, permit, executor="courier"))
    assert (code, why) == (DENIED, "PERMIT_AUDIENCE")
    # Nor does an action that says it is courier's, under that permit.
    renamed = replace(action, executor="courier")
    code, why = await reason(hands.execute(me, renamed, permit, executor="courier"))
    assert code == DENIED


async def test_without_a_permit_of_governances_nothing_is_executed(
    me: Client, hands: Hands
) -> None:
    thread_id, action = await append(me)
    real = (await hands.ask(me, action)).permit
    claims = jwt.decode(real, options={"verify_signature": False})
    delegation = await hands.delegation(me)
    for name, permit in {
        "any text": "x",
        "a delegation": delegation,
        "an access token": me.session.access_token,
        "signed by identity": hands.token_key.sign(claims, typ="permit+jwt", ttl=10),
        "of another type": hands.permit_key.sign(claims, typ="access+jwt", ttl=10),
        "unsigned": jwt.encode(claims, "", algorithm="none", headers={"typ": "permit+jwt"}),
    }.items():
        call = hands.execute(me, action, permit)
        assert await reason(call) == (DENIED, "PERMIT_INVALID"), name
    assert await messages(me, thread_id) == []


async def test_an_approval_is_not_burned_by_a_run_that_could_not_start(
    me: Client, fleet: Fleet
) -> None:
    run_id, at = await doomed(me)
    await fleet.stop("threads")
    try:
        await me.approve(at.checkpoint_id)
        await asyncio.sleep(0.5)  # the run is told, and meets an executor that is not there
        state = (await me.checkpoint(at.checkpoint_id)).execution_state
        assert state == ExecutionState.EXECUTION_STATE_NOT_STARTED
    finally:
        await fleet.start("threads")
    run = await me.go_on(run_id)
    assert run.actions[0].execution_state == ExecutionState.EXECUTION_STATE_SUCCEEDED
    assert "Doomed" not in await me.titles()


@pytest.mark.parametrize("executor", ["threads", "courier"])
async def test_no_role_uses_a_decision_twice_or_gives_it_back(
    me: Client, hands: Hands, executor: str
) -> None:
    insert = (
        f"INSERT INTO {executor}.executions (decision_id, permit_id, action_digest, tenant,"
        " identity, tool, state, finished_at)"
        " VALUES ($1, 'p', 'd', $2, $3, 't', 'SUCCEEDED', now())"
    )
    person, decision = person_of(me), str(uuid4())
    values = (decision, person.tenant, person.identity)
    async with hands.login(f"{executor}_app", person) as connection:
        await connection.execute(insert, *values)
        refusal = await refusal_of(connection, insert, *values)
        assert isinstance(refusal, asyncpg.UniqueViolationError)
    for role in LOGINS:
        async with hands.login(role, person) as connection:
            for change in (
                f"DELETE FROM {executor}.executions",
                f"TRUNCATE {executor}.executions",
                f"UPDATE {executor}.executions SET decision_id = uuidv7()",
                f"UPDATE {executor}.executions SET permit_id = ''",
            ):
                refusal = await refusal_of(connection, change)
                assert isinstance(refusal, asyncpg.InsufficientPrivilegeError), (role, change)
