"""Deputies: who votes in whose place, until when, and what they see."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import grpc
import pytest

from chenu.governance.v1.authorization_service_pb2 import VerdictState
from chenu.governance.v1.checkpoint_pb2 import CheckpointState
from chenu.governance.v1.deputy_service_pb2 import (
    AppointDeputyRequest,
    AppointDeputyResponse,
    Deputy,
    DismissDeputyRequest,
    ListDeputiesRequest,
)
from chenu.governance.v1.deputy_service_pb2_grpc import DeputyServiceStub
from chenu_gate.action import Action
from chenu_gate.view import view_digest
from services.governance.clock import Clock
from tests.support.approvals import colleague, inbox, waiting
from tests.support.governance_client import GovernanceClient
from tests.support.identity import Person, StandInIdentity
from tests.support.refusals import refused
from tests.support.waiting import soon

PENDING = CheckpointState.CHECKPOINT_STATE_PENDING
APPROVED = CheckpointState.CHECKPOINT_STATE_APPROVED
REJECTED = CheckpointState.CHECKPOINT_STATE_REJECTED
DENIED = grpc.StatusCode.PERMISSION_DENIED
FAILED = grpc.StatusCode.FAILED_PRECONDITION


@pytest.fixture
def deputies(channel: grpc.aio.Channel) -> DeputyServiceStub:
    return DeputyServiceStub(channel)


async def appoint(
    client: GovernanceClient, deputies: DeputyServiceStub, by: Person, whom: Person, **left: float
) -> Any:
    """The appointment, once the person has approved it."""
    answer = await ask(client, deputies, by, whom, **left)
    await client.approve(by, answer.verdict.checkpoint)
    return await appointed(client, deputies, by, answer.verdict.decision.decision_id)


async def ask(
    client: GovernanceClient, deputies: DeputyServiceStub, by: Person, whom: Person, **left: float
) -> AppointDeputyResponse:
    request = AppointDeputyRequest(deputy_person_id=whom.person, request_id=str(uuid4()))
    request.end_time.FromDatetime(datetime.now(UTC) + timedelta(**left or {"days": 7}))
    return await deputies.AppointDeputy(request, metadata=client.identity.as_human(by))


async def appointed(
    client: GovernanceClient, deputies: DeputyServiceStub, by: Person, deputy_id: str
) -> Deputy:
    async def there() -> list[Deputy]:
        listed = await deputies.ListDeputies(
            ListDeputiesRequest(), metadata=client.identity.as_human(by)
        )
        return [deputy for deputy in listed.deputies if deputy.deputy_id == deputy_id]

    (deputy,) = await soon(there, "the deputy is appointed")
    return deputy


async def test_row_13_a_deputy_votes_in_somebodys_place_until_the_day_that_was_said(
    client: GovernanceClient,
    deputies: DeputyServiceStub,
    identity: StandInIdentity,
    person: Person,
    clock: Clock,
) -> None:
    bea, cem = colleague(identity, person, "finance"), colleague(identity, person, "finance")
    dan = colleague(identity, person)
    _, checkpoint = await waiting(client, person, "quorum")
    assert await inbox(client, dan) == []
    deputy = await appoint(client, deputies, bea, dan)
    assert await inbox(client, dan) == [checkpoint.checkpoint_id]
    seen = await client.approve(dan, checkpoint)
    assert (seen.votes[0].person_id, seen.votes[0].on_behalf_of) == (dan.person, bea.person)
    info = await refused(client.approve(bea, checkpoint), DENIED, "NOT_ENTITLED")
    assert info.metadata["cause"] == "SEAT_TAKEN"
    assert (await client.approve(cem, checkpoint)).state == APPROVED

    _, later = await waiting(client, person, "quorum")
    clock.offset = timedelta(days=8)
    assert await inbox(client, dan) == []
    clock.offset = timedelta(0)
    dismissed = await deputies.DismissDeputy(
        DismissDeputyRequest(deputy_id=deputy.deputy_id), metadata=identity.as_human(bea)
    )
    assert dismissed.deputy.HasField("dismiss_time")
    await refused(client.approve(dan, later), DENIED, "FORBIDDEN")
    listed = await deputies.ListDeputies(ListDeputiesRequest(), metadata=identity.as_human(dan))
    assert not listed.deputies


async def test_nobody_votes_in_ones_place_before_one_has_approved_it(
    client: GovernanceClient,
    deputies: DeputyServiceStub,
    identity: StandInIdentity,
    person: Person,
) -> None:
    dan = colleague(identity, person)
    _, checkpoint = await client.blocked(person)
    request = AppointDeputyRequest(deputy_person_id=dan.person, request_id=str(uuid4()))
    request.end_time.FromDatetime(datetime.now(UTC) + timedelta(days=7))
    me = identity.as_human(person)

    asked = (await deputies.AppointDeputy(request, metadata=me)).verdict

    assert asked.state == VerdictState.VERDICT_STATE_BLOCKED
    assert not (await deputies.ListDeputies(ListDeputiesRequest(), metadata=me)).deputies
    for vote in (checkpoint, asked.checkpoint):
        await refused(client.approve(dan, vote), DENIED, "FORBIDDEN")
        await refused(client.approve(person, vote, metadata=me), DENIED, "CALLER_NOT_ALLOWED")
    again = (await deputies.AppointDeputy(request, metadata=me)).verdict
    assert again.checkpoint.checkpoint_id == asked.checkpoint.checkpoint_id
    request.end_time.FromDatetime(datetime.now(UTC) + timedelta(days=8))
    call = deputies.AppointDeputy(request, metadata=me)
    await refused(call, grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED")


async def test_the_owners_deputy_approves_what_the_owner_would(
    client: GovernanceClient,
    deputies: DeputyServiceStub,
    identity: StandInIdentity,
    person: Person,
) -> None:
    dan = colleague(identity, person)
    request, checkpoint = await client.blocked(person)
    await refused(client.approve(dan, checkpoint), DENIED, "FORBIDDEN")
    await appoint(client, deputies, person, dan)

    assert (await client.approve(dan, checkpoint)).state == APPROVED
    (verdict,) = await client.ask(person, request)
    assert verdict.state == VerdictState.VERDICT_STATE_PERMITTED


async def test_a_deputy_is_somebody_else_who_lives_for_a_time_to_come(
    client: GovernanceClient,
    deputies: DeputyServiceStub,
    identity: StandInIdentity,
    person: Person,
) -> None:
    dan = colleague(identity, person)
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    await refused(appoint(client, deputies, person, person), invalid, "DEPUTY_INVALID")
    for left in ({"days": 91}, {"seconds": -1}):
        await refused(appoint(client, deputies, person, dan, **left), invalid, "DEPUTY_INVALID")
    identity.not_eligible[dan.person] = "DEACTIVATED"
    try:
        await refused(appoint(client, deputies, person, dan), DENIED, "NOT_ENTITLED")
    finally:
        identity.not_eligible.clear()
    deputy = await appoint(client, deputies, person, dan)
    await refused(
        deputies.DismissDeputy(
            DismissDeputyRequest(deputy_id=deputy.deputy_id), metadata=identity.as_human(dan)
        ),
        DENIED,
        "FORBIDDEN",
    )


async def test_whoever_approves_a_deputy_sees_the_name_beside_the_id_and_nothing_disguised(
    client: GovernanceClient,
    deputies: DeputyServiceStub,
    identity: StandInIdentity,
    person: Person,
) -> None:
    dan = colleague(identity, person)
    identity.names[dan.person] = "An\u202ena” and everybody else"
    asked = await ask(client, deputies, person, dan)
    checkpoint = await client.get(person, asked.verdict.checkpoint.checkpoint_id)
    view = json.loads(checkpoint.view)
    assert "person “An⟦U+202E⟧na⟦U+201D⟧ and everybody else”" in view["headline"]
    (target,) = view["targets"]
    assert (target["type"], target["id"]) == ("person", dan.person)
    assert [warning["flag"] for warning in view["warnings"]] == ["BIDIRECTIONAL"]
    assert view_digest(view) == checkpoint.etag
    assert Action.parse(checkpoint.action).digest == view["action_digest"]


async def test_an_id_in_other_letters_is_the_same_deputy(
    client: GovernanceClient,
    deputies: DeputyServiceStub,
    identity: StandInIdentity,
    person: Person,
) -> None:
    dan = colleague(identity, person)
    shouted = replace(dan, person=dan.person.upper())
    assert (await appoint(client, deputies, person, shouted)).deputy_person_id == dan.person
    myself = replace(person, person=person.person.upper())
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    await refused(ask(client, deputies, person, myself), invalid, "DEPUTY_INVALID")
