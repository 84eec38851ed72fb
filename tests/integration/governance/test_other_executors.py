"""Executors of nobody's fleet: they report, their tools are known, people settle for them."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest

from chenu.governance.v1.authorization_service_pb2 import Verdict
from chenu.governance.v1.checkpoint_pb2 import BlockedCheckpoint
from chenu.governance.v1.decision_pb2 import ExecutionState
from chenu.governance.v1.notice_service_pb2 import NoticeEvent
from chenu.governance.v1.outcome_service_pb2 import ReconcileOutcomeRequest
from chenu.governance.v1.review_service_pb2 import EditCheckpointRequest
from chenu.governance.v1.review_service_pb2_grpc import ReviewServiceStub
from chenu_gate.action import Action, ActionKind
from chenu_gate.permit import PermitForAnotherAudience, PermitKeys, verify
from kernel.errors import reason_of
from tests.integration.governance.conftest import Events
from tests.integration.governance.test_notices import waiting
from tests.support.executor import FAKED, SHIP, StandInExecutor
from tests.support.governance_client import GovernanceClient, gated
from tests.support.identity import Metadata, Person, StandInIdentity
from tests.support.refusals import refused

SUCCEEDED = ExecutionState.EXECUTION_STATE_SUCCEEDED
FAILED = ExecutionState.EXECUTION_STATE_FAILED
UNKNOWN = ExecutionState.EXECUTION_STATE_UNKNOWN
DENIED = grpc.StatusCode.PERMISSION_DENIED
CONFLICT = (grpc.StatusCode.FAILED_PRECONDITION, "OUTCOME_CONFLICT")


def shipping(person: Person, **changes: Any) -> Action:
    given: dict[str, Any] = {
        "kind": ActionKind.SEND, "tool": SHIP.pinned, "executor": "warehouse", "targets": (),
        "arguments": {"count": 2}, **changes,
    }  # fmt: skip
    return gated(person, **given)


async def permitted(
    client: GovernanceClient, person: Person, action: Action | None = None
) -> Verdict:
    request, checkpoint = await client.blocked(person, action or shipping(person))
    await client.approve(person, checkpoint)
    (verdict,) = await client.ask(person, request)
    return verdict


async def reconcile(
    client: GovernanceClient, by: Person | Metadata, decision: str, state: ExecutionState
) -> ExecutionState:
    answer = await client.outcomes.ReconcileOutcome(
        ReconcileOutcomeRequest(decision_id=decision, state=state),
        metadata=client.identity.as_human(by) if isinstance(by, Person) else by,
    )
    return answer.state


async def test_whatever_service_an_action_names_reports_it_and_no_other_does(
    client: GovernanceClient, person: Person, permit_key_set: PermitKeys
) -> None:
    action = shipping(person)
    verdict = await permitted(client, person, action)
    given: dict[str, Any] = {"action_bytes": action.canonical(), "now": datetime.now(UTC)}
    verify(verdict.permit, permit_key_set, audience="warehouse", **given)
    with pytest.raises(PermitForAnotherAudience):
        verify(verdict.permit, permit_key_set, audience="threads", **given)

    for another in ("threads", "nova", "elsewhere"):
        await refused(client.report(verdict, SUCCEEDED, executor=another), DENIED, "FORBIDDEN")
    await client.report(verdict, SUCCEEDED, executor="warehouse")
    found = await client.found(person, verdict.request_id)
    assert found.decision.execution_state == SUCCEEDED


async def test_a_person_settles_what_no_executor_knows_once_and_for_good(
    client: GovernanceClient, person: Person, events: Events
) -> None:
    verdict = await permitted(client, person)
    decision = verdict.decision.decision_id
    await refused(reconcile(client, person, decision, FAILED), *CONFLICT)
    assert await client.report(verdict, UNKNOWN, executor="warehouse") == []

    answers = await asyncio.gather(
        *(reconcile(client, person, decision, state) for state in (SUCCEEDED, FAILED)),
        return_exceptions=True,
    )

    (lost,) = [one for one in answers if isinstance(one, grpc.aio.AioRpcError)]
    (settled,) = [one for one in answers if not isinstance(one, BaseException)]
    assert reason_of(lost) == "OUTCOME_CONFLICT"
    found = await client.found(person, verdict.request_id)
    assert found.decision.execution_state == settled
    told = (await events(f"decision/{decision}"))[-1]
    assert told["type"] == "chenu.governance.decision.reconciled"
    assert told["data"]["actor"]["person"] == person.person
    assert told["data"]["details"]["executor"] == "warehouse"
    # The executor, which still does not know, is told, and it may agree.
    (heard,) = await client.report(verdict, UNKNOWN, executor="warehouse")
    assert (heard.decision_id, heard.state, heard.reason) == (decision, settled, "RECONCILED")
    assert await client.report(verdict, settled, executor="warehouse") == []


async def test_an_executor_that_says_otherwise_turns_no_persons_word_over_and_people_hear_of_it(
    client: GovernanceClient, person: Person, events: Events, superuser: Any
) -> None:
    verdict = await permitted(client, person)
    decision, checkpoint = verdict.decision.decision_id, verdict.decision.checkpoint_id
    await client.report(verdict, UNKNOWN, executor="warehouse")
    await reconcile(client, person, decision, SUCCEEDED)
    assert (await client.get(person, checkpoint)).contradicted_by == 0

    for _ in range(2):
        told = await client.report(verdict, FAILED, executor="warehouse", reason="RECONCILED")
        assert told == []

    seen = await client.get(person, checkpoint)
    assert (seen.execution_state, seen.contradicted_by) == (SUCCEEDED, FAILED)
    happened = await events(f"decision/{decision}")
    assert [one["type"].rpartition(".")[2] for one in happened][-2:] == [
        "reconciled", "contradicted",
    ]  # fmt: skip
    assert happened[-1]["data"]["details"] == {
        "state": "FAILED", "cause": "RECONCILED", "executor": "warehouse",
    }  # fmt: skip
    heard = [notice.event for notice in await waiting(client, checkpoint)]
    assert heard.count(NoticeEvent.NOTICE_EVENT_CONTRADICTED) == 1
    # It is noted once, and only against a person's word, whoever holds the connection.
    known = await permitted(client, person)
    await client.report(known, SUCCEEDED, executor="warehouse")
    for one, state in ((decision, "succeeded"), (known.decision.decision_id, "failed")):
        with pytest.raises(asyncpg.CheckViolationError):
            await superuser.execute(
                "UPDATE governance.executions SET contradicted_by = $1 WHERE decision_id = $2",
                state,
                one,
            )
    stranger = {"action_digest": "sha256:" + "0" * 64}
    await refused(client.report(verdict, FAILED, executor="warehouse", **stranger), *CONFLICT)


async def test_nobody_else_settles_it(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    verdict = await permitted(client, person)
    await client.report(verdict, UNKNOWN, executor="warehouse")
    decision = verdict.decision.decision_id

    for somebody in (Person(), Person(tenant=person.tenant)):
        await refused(reconcile(client, somebody, decision, FAILED), DENIED, "FORBIDDEN")
    await refused(reconcile(client, person, str(uuid4()), FAILED), DENIED, "FORBIDDEN")
    for metadata in (
        identity.as_agent(person, str(uuid4())),
        identity.as_nova(person),
        identity.as_service("warehouse"),
    ):
        await refused(reconcile(client, metadata, decision, FAILED), DENIED, "CALLER_NOT_ALLOWED")
    found = await client.found(person, verdict.request_id)
    assert found.decision.execution_state == UNKNOWN


@pytest.mark.parametrize("state", [0, 1, 2, 5])
async def test_it_is_settled_to_an_end_only(
    client: GovernanceClient, person: Person, state: Any
) -> None:
    await refused(
        reconcile(client, person, str(uuid4()), state),
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_REQUEST",
    )


async def edit(
    client: GovernanceClient,
    channel: grpc.aio.Channel,
    person: Person,
    at: BlockedCheckpoint,
    arguments: str,
) -> Any:
    return await ReviewServiceStub(channel).EditCheckpoint(
        EditCheckpointRequest(
            checkpoint_id=at.checkpoint_id, etag=at.view_digest, arguments=arguments
        ),
        metadata=client.identity.as_human(person),
    )


async def test_an_edit_is_typed_by_the_tool_of_an_executor_that_is_told_no_token(
    client: GovernanceClient, channel: grpc.aio.Channel, person: Person, warehouse: StandInExecutor
) -> None:
    _, checkpoint = await client.blocked(person, shipping(person))

    invalid = grpc.StatusCode.INVALID_ARGUMENT
    wrong = edit(client, channel, person, checkpoint, '{"count": "2"}')
    info = await refused(wrong, invalid, "EDIT_REFUSED")
    assert info.metadata["tool"] == "goods.ship"
    edited = await edit(client, channel, person, checkpoint, '{"count": 3}')
    assert edited.checkpoint.revision == 2
    assert warehouse.heard
    assert not any("authorization" in name for name in warehouse.heard)


async def test_no_executor_says_what_the_tool_of_another_one_is(
    client: GovernanceClient, channel: grpc.aio.Channel, person: Person
) -> None:
    for action in (shipping(person), shipping(person, tool=FAKED.pinned, executor="threads")):
        _, checkpoint = await client.blocked(person, action)
        edited = edit(client, channel, person, checkpoint, '{"count": 3}')
        if action.executor == "warehouse":
            await edited  # by now the warehouse has told its tools
        else:
            info = await refused(edited, grpc.StatusCode.INVALID_ARGUMENT, "EDIT_REFUSED")
            assert info.metadata["cause"] == "TOOL_UNKNOWN"
