"""Governance's own operations wait for people like anything else, and happen once."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import grpc
import pytest

from chenu.governance.v1.authorization_service_pb2 import Verdict, VerdictState
from chenu.governance.v1.decision_pb2 import ExecutionState
from chenu.identity.v1.eligibility_service_pb2_grpc import EligibilityServiceStub
from chenu_gate.action import ActionKind
from chenu_gate.tools import Tool
from kernel.caller import Caller
from kernel.context import background
from kernel.database import Transaction
from kernel.service import Service
from kernel.watching import Changes
from services.governance.authorization import Authorization
from services.governance.clock import Clock
from services.governance.decisions import Decisions
from services.governance.holds.tombstones import Tombstones
from services.governance.judging import Judging
from services.governance.operations import (
    Approved,
    Found,
    Operation,
    OperationRefused,
    Operations,
)
from services.governance.permits import PermitKeys
from services.governance.policy.counting import Counting
from services.governance.policy.rule_book import RuleBook
from services.governance.review.asking import Asking
from services.governance.review.eligibility import Eligibility
from services.governance.review.endings import Endings
from services.governance.review.requirements import Requirements
from services.governance.review.transitions import Transitions
from services.governance.settings import GovernanceSettings
from services.governance.tool_definitions import ToolDefinitions
from services.governance.verdicts import Verdicts
from tests.support.governance_client import GovernanceClient, gated
from tests.support.identity import Person
from tests.support.refusals import refused

TOOL = Tool.declare(
    name="lamp.switch",
    description="Switches a lamp.",
    input_schema={
        "type": "object",
        "properties": {"lamp": {"type": "string"}, "not_before": {"type": "string"}},
        "required": ["lamp"],
        "additionalProperties": False,
    },
    kind=ActionKind.CONFIGURE,
    executor="governance",
)


class Lamps:
    """What the operation of one person changes, and whether it is refused."""

    def __init__(self, person: Person) -> None:
        self.person, self.switched = person.person, list[str]()
        self.refuses = ""

    async def switch(self, tx: Transaction, approved: Approved) -> None:
        if approved.caller.person != self.person:
            return  # what another test has left
        if self.refuses:
            raise OperationRefused(self.refuses)
        self.switched.append(str(approved.action.arguments["lamp"]))


@pytest.fixture
def lamps(person: Person) -> Lamps:
    return Lamps(person)


@pytest.fixture
async def operations(
    service: Service[GovernanceSettings], lamps: Lamps, clock: Clock, keys_dir: Any
) -> Operations:
    changes, book = Changes(), RuleBook(service.database)
    transitions = Transitions(service.database, service.messaging, changes, clock)
    requirements = Requirements(timedelta(minutes=5), timedelta(hours=24))
    eligibility = Eligibility(EligibilityServiceStub(service.channels.channel("identity")))
    decisions = Decisions(requirements, clock)
    authorization = Authorization(
        database=service.database,
        decisions=decisions,
        judging=Judging(decisions, book, Counting(service.database, clock), eligibility),
        verdicts=Verdicts(book, PermitKeys.open(keys_dir / "permits"), "{checkpoint_id}"),
        eligibility=eligibility,
        transitions=transitions,
        changes=changes,
        clock=clock,
        tombstones=Tombstones(
            service.database,
            ToolDefinitions(service.channels, {}),
            service.page_tokens,
            clock,
            timedelta(hours=1),
        ),
        endings=Endings(service.database, transitions),
        asking=Asking(service.database, clock, 60),
    )
    return Operations(
        database=service.database,
        worker=service.worker,
        authorization=authorization,
        changes=changes,
        clock=clock,
        operations=[Operation(TOOL, lamps.switch)],
    )


async def ask(
    operations: Operations, person: Person, request_id: str = "", **arguments: str
) -> Verdict:
    caller = Caller(person.tenant, person.person, person.identity, "human")
    with background("test", caller):
        wanted = {"lamp": person.person, **arguments}
        return await operations.ask(caller, TOOL, request_id or str(uuid4()), wanted, find_nothing)


async def find_nothing() -> Found:
    return Found()


async def test_an_operation_waits_for_a_person_and_is_applied_once_when_it_is_approved(
    operations: Operations, lamps: Lamps, client: GovernanceClient, person: Person
) -> None:
    verdict = await ask(operations, person)
    assert verdict.state == VerdictState.VERDICT_STATE_BLOCKED
    await operations.sweep()
    assert lamps.switched == []

    await client.approve(person, verdict.checkpoint)
    await operations.sweep()
    await operations.sweep()

    assert lamps.switched == [person.person]
    checkpoint = await client.get(person, verdict.checkpoint.checkpoint_id)
    assert checkpoint.execution_state == ExecutionState.EXECUTION_STATE_SUCCEEDED


async def test_an_operation_that_was_rejected_never_happens(
    operations: Operations, lamps: Lamps, client: GovernanceClient, person: Person
) -> None:
    verdict = await ask(operations, person)
    await client.reject(person, verdict.checkpoint)
    await operations.sweep()
    assert lamps.switched == []


async def test_an_operation_is_held_back_until_its_time(
    operations: Operations, lamps: Lamps, client: GovernanceClient, person: Person, clock: Clock
) -> None:
    later = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    verdict = await ask(operations, person, not_before=later)
    await client.approve(person, verdict.checkpoint)
    await operations.sweep()
    assert lamps.switched == []

    clock.offset = timedelta(hours=2, seconds=5)
    await operations.sweep()
    assert lamps.switched == [person.person]


async def test_what_cannot_be_done_any_more_has_failed_for_ever(
    operations: Operations, lamps: Lamps, client: GovernanceClient, person: Person
) -> None:
    lamps.refuses = "TARGET_CHANGED"
    request_id = str(uuid4())
    verdict = await ask(operations, person, request_id)
    await client.approve(person, verdict.checkpoint)
    await operations.sweep()
    lamps.refuses = ""
    await operations.sweep()

    assert lamps.switched == []
    again = await ask(operations, person, request_id)
    assert again.decision.execution_state == ExecutionState.EXECUTION_STATE_FAILED


async def test_an_operation_is_not_applied_once_its_approver_is_not_entitled_any_more(
    operations: Operations, lamps: Lamps, client: GovernanceClient, person: Person
) -> None:
    verdict = await ask(operations, person)
    await client.approve(person, verdict.checkpoint)
    client.identity.not_eligible[person.person] = "DEACTIVATED"
    try:
        await operations.sweep()
    finally:
        del client.identity.not_eligible[person.person]
    assert lamps.switched == []


async def test_what_an_operation_changes_is_taken_back_with_its_consumption(
    operations: Operations, client: GovernanceClient, person: Person
) -> None:
    async def broken(tx: Transaction, approved: Approved) -> None:
        raise RuntimeError("the lamp exploded")

    operations._operations[TOOL.name] = Operation(TOOL, broken)
    verdict = await ask(operations, person)
    await client.approve(person, verdict.checkpoint)
    await operations.sweep()

    checkpoint = await client.get(person, verdict.checkpoint.checkpoint_id)
    assert checkpoint.execution_state == ExecutionState.EXECUTION_STATE_NOT_STARTED


async def test_nobody_asks_for_an_operation_as_if_it_were_any_action(
    client: GovernanceClient, person: Person
) -> None:
    forged = gated(
        person, tool=TOOL.pinned, kind=TOOL.kind, executor="governance", targets=(),
        arguments={"lamp": "x"},
    )  # fmt: skip
    for call in (client.ask(person, forged), client.ask_one(person, forged)):
        await refused(call, grpc.StatusCode.PERMISSION_DENIED, "OPERATION_RESERVED")
