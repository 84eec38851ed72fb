"""Times that are none are refused like any other mistake, whoever says them."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from chenu.governance.v1.decision_pb2 import ExecutionState
from chenu.governance.v1.deputy_service_pb2 import AppointDeputyRequest
from chenu.governance.v1.deputy_service_pb2_grpc import DeputyServiceStub
from chenu.governance.v1.grant_pb2 import GrantTerms
from chenu.governance.v1.grant_service_pb2 import CreateGrantRequest
from chenu.governance.v1.rule_service_pb2 import ReplayDecisionsRequest
from tests.support.governance_client import GovernanceClient, allowed
from tests.support.identity import Person
from tests.support.refusals import refused

BAD = (
    Timestamp(seconds=10**18),
    Timestamp(seconds=-(10**18)),
    Timestamp(seconds=253_402_300_800),
    Timestamp(nanos=-5),
)
Said = Callable[[Timestamp], Awaitable[Any]]


@pytest.fixture
async def said(channel: grpc.aio.Channel, client: GovernanceClient, person: Person) -> list[Said]:
    """Every way in which somebody names a time."""
    me = client.identity.as_human(person)
    deputies = DeputyServiceStub(channel)
    (verdict,) = await client.ask(person, allowed(person))

    def appoint(time: Timestamp) -> Any:
        request = AppointDeputyRequest(
            deputy_person_id=str(uuid4()), end_time=time, request_id=str(uuid4())
        )
        return deputies.AppointDeputy(request, metadata=me)

    def grant(time: Timestamp) -> Any:
        terms = GrantTerms(tool="a", action_kind="ACTION_KIND_CREATE", uses=1, end_time=time)
        request = CreateGrantRequest(terms=terms, request_id=str(uuid4()))
        return client.grants.CreateGrant(request, metadata=me)

    def replay(time: Timestamp) -> Any:
        return client.rules.ReplayDecisions(ReplayDecisionsRequest(start_time=time), metadata=me)

    def replay_until(time: Timestamp) -> Any:
        return client.rules.ReplayDecisions(ReplayDecisionsRequest(end_time=time), metadata=me)

    def report(time: Timestamp) -> Any:
        return client.report(verdict, ExecutionState.EXECUTION_STATE_SUCCEEDED, finish_time=time)

    return [appoint, grant, replay, replay_until, report]


async def test_what_is_no_time_is_refused_with_what_was_said(said: list[Said]) -> None:
    for say in said:
        for time in BAD:
            await refused(say(time), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
