"""A freeze stops at once what it covers, and nothing else; only people who agree lift it."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import grpc
import pytest

from chenu.governance.v1.authorization_service_pb2 import VerdictState
from chenu.governance.v1.freeze_service_pb2 import GetFreezeStateRequest, ListFreezesRequest
from chenu_gate.action import ActionKind, Tool
from chenu_gate.permit import LIFETIME, MAX_LEEWAY
from services.governance.clock import Clock
from tests.integration.governance.conftest import Events
from tests.support.actions import DEFINITION
from tests.support.approvals import colleague
from tests.support.governance_client import GovernanceClient, a_request, allowed, gated, principal
from tests.support.identity import Person, StandInIdentity
from tests.support.refusals import refused
from tests.support.waiting import soon

DENIED = VerdictState.VERDICT_STATE_DENIED
PERMITTED = VerdictState.VERDICT_STATE_PERMITTED
AGENT = str(uuid4())


@pytest.mark.parametrize(
    ("scope", "value"),
    [("TENANT", ""), ("AGENT", AGENT), ("TOOL", "thread.search"), ("KIND", "search")],
)
async def test_what_a_freeze_covers_is_denied_and_nothing_waits_for_a_person(
    client: GovernanceClient, identity: StandInIdentity, person: Person, scope: str, value: str
) -> None:
    freeze = await client.freeze(person, scope, value)
    action = allowed(
        person, principal=principal(person, AGENT), tool=Tool("thread.search", DEFINITION)
    )
    asked = a_request(action, requires_checkpoint=True)

    (verdict,) = await client.ask(person, asked, metadata=identity.as_nova(person, AGENT))

    assert (verdict.state, verdict.permit) == (DENIED, "")
    assert verdict.reason.startswith(f"FROZEN: by freeze {freeze.freeze_id} since ")
    assert not verdict.decision.checkpoint_id
    await refused(
        client.ask_one(person, asked, metadata=identity.as_agent(person, AGENT)),
        grpc.StatusCode.FAILED_PRECONDITION,
        "FROZEN",
    )


@pytest.mark.parametrize(
    ("scope", "value"), [("AGENT", AGENT), ("TOOL", "thread.other"), ("KIND", "send")]
)
async def test_what_a_freeze_does_not_cover_goes_on(
    client: GovernanceClient, person: Person, scope: str, value: str
) -> None:
    await client.freeze(person, scope, value)

    (verdict,) = await client.ask(person, allowed(person))

    assert verdict.state == PERMITTED


async def test_a_freeze_of_one_tenant_does_not_stop_another(
    client: GovernanceClient, person: Person
) -> None:
    await client.freeze(Person())

    (verdict,) = await client.ask(person, allowed(person))

    assert verdict.state == PERMITTED


async def test_what_was_permitted_or_approved_before_gets_no_permit_while_it_is_frozen(
    client: GovernanceClient, person: Person
) -> None:
    free = a_request(allowed(person))
    await client.ask(person, free)
    approved, checkpoint = await client.blocked(person)
    await client.approve(person, checkpoint)

    await client.freeze(person)
    verdicts = await client.ask(person, free, approved)

    assert [verdict.state for verdict in verdicts] == [DENIED, DENIED]
    assert not any(verdict.permit for verdict in verdicts)


async def test_a_permit_from_before_is_void_for_an_executor_that_has_heard_of_it(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    freeze = await client.freeze(person, "KIND", "delete")

    answer = await client.freezes.GetFreezeState(
        GetFreezeStateRequest(), metadata=identity.as_service("threads")
    )

    (told,) = [one for one in answer.freezes if one.tenant_id == person.tenant]
    assert (told.value, told.epoch) == ("delete", freeze.epoch)
    (verdict,) = await client.ask(person, allowed(person))
    assert verdict.permit


async def test_freezing_twice_is_one_freeze_and_every_freeze_raises_the_epoch(
    client: GovernanceClient, person: Person, events: Events
) -> None:
    first, *others = await asyncio.gather(*(client.freeze(person, "TOOL", "x") for _ in range(5)))
    later = await client.freeze(person)

    assert {one.freeze_id for one in others} == {first.freeze_id}
    assert later.epoch > first.epoch
    (event,) = await events(f"freeze/{first.freeze_id}")
    assert event["type"] == "chenu.governance.freeze.created"


async def test_no_permit_from_before_a_freeze_outlives_its_effective_time(
    client: GovernanceClient, person: Person
) -> None:
    freeze = await client.freeze(person)

    lasts = freeze.effective_time.ToDatetime() - freeze.create_time.ToDatetime()
    assert lasts >= LIFETIME + MAX_LEEWAY


def keeper(identity: StandInIdentity) -> Person:
    """Somebody who keeps a tenant, as identity knows too."""
    person = Person()
    identity.roles[person.person] = person.roles
    identity.tenants[person.person] = person.tenant
    return person


async def is_lifted(client: GovernanceClient, person: Person) -> bool:
    listed = await client.freezes.ListFreezes(
        ListFreezesRequest(include_lifted=True), metadata=client.identity.as_human(person)
    )
    return bool(listed.freezes[0].HasField("lift_time"))


@pytest.mark.parametrize("roles", [["owner"], []], ids=["two keepers", "one, and somebody else"])
async def test_a_freeze_is_lifted_by_two_who_keep_the_tenant_and_by_no_one_alone(
    client: GovernanceClient, identity: StandInIdentity, roles: list[str]
) -> None:
    ada = keeper(identity)
    bob = colleague(identity, ada, *roles)
    freeze = await client.freeze(ada)
    asked = await client.lift(ada, freeze)

    await client.approve(ada, asked.verdict.checkpoint)
    (held,) = await client.ask(ada, allowed(ada))
    await client.approve(bob, asked.verdict.checkpoint)

    await soon(lambda: is_lifted(client, ada), "it is lifted")
    (verdict,) = await client.ask(ada, allowed(ada))
    assert (held.state, verdict.state) == (DENIED, PERMITTED)


async def test_whoever_keeps_a_tenant_alone_lifts_its_freeze_and_not_before_its_time(
    client: GovernanceClient, identity: StandInIdentity, clock: Clock, events: Events
) -> None:
    person = keeper(identity)
    freeze, request_id = await client.freeze(person), str(uuid4())
    asked = await client.lift(person, freeze, request_id)
    assert (await client.lift(person, freeze, request_id)).verdict.checkpoint.checkpoint_id

    await client.approve(person, asked.verdict.checkpoint)
    (held,) = await client.ask(person, allowed(person))
    clock.offset = timedelta(minutes=11)

    await soon(lambda: is_lifted(client, person), "it is lifted")
    (verdict,) = await client.ask(person, allowed(person))
    assert (held.state, verdict.state) == (DENIED, PERMITTED)
    assert (await events(f"freeze/{freeze.freeze_id}"))[-1]["type"] == (
        "chenu.governance.freeze.lifted"
    )
    await refused(client.lift(person, freeze), grpc.StatusCode.FAILED_PRECONDITION, "FREEZE_LIFTED")


async def test_a_freeze_stays_when_its_lifting_is_rejected(
    client: GovernanceClient, identity: StandInIdentity
) -> None:
    person = keeper(identity)
    freeze = await client.freeze(person)
    asked = await client.lift(person, freeze)

    await client.reject(person, asked.verdict.checkpoint)

    (verdict,) = await client.ask(person, allowed(person))
    assert verdict.state == DENIED


async def test_nobody_lifts_or_sees_the_freeze_of_another_tenant(
    client: GovernanceClient, person: Person
) -> None:
    freeze = await client.freeze(Person())

    await refused(client.lift(person, freeze), grpc.StatusCode.PERMISSION_DENIED, "FORBIDDEN")
    listed = await client.freezes.ListFreezes(
        ListFreezesRequest(), metadata=client.identity.as_human(person)
    )
    assert list(listed.freezes) == []


@pytest.mark.parametrize(
    ("scope", "value"), [("AGENT", ""), ("TENANT", "x"), ("KIND", "dance"), ("TOOL", "a b")]
)
async def test_a_freeze_of_nothing_in_particular_is_refused(
    client: GovernanceClient, person: Person, scope: str, value: str
) -> None:
    await refused(
        client.freeze(person, scope, value), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"
    )


async def test_freezes_are_listed_page_by_page_the_latest_first(
    client: GovernanceClient, person: Person
) -> None:
    made = [(await client.freeze(person, "TOOL", f"tool.{n}")).freeze_id for n in range(3)]
    request, listed = ListFreezesRequest(page_size=2), []

    for _ in range(2):
        answer = await client.freezes.ListFreezes(
            request, metadata=client.identity.as_human(person)
        )
        listed += [one.freeze_id for one in answer.freezes]
        request.page_token = answer.next_page_token

    assert listed == made[::-1]
    assert not request.page_token


@pytest.mark.parametrize(
    "change",
    [
        "lift_time = now(), lift_decision = decision_id",
        "effective_time = now() - interval '1 hour'",
    ],
)
async def test_the_database_lifts_no_freeze_without_an_executed_decision(
    client: GovernanceClient, person: Person, superuser: Any, change: str
) -> None:
    freeze = await client.freeze(person)
    await client.ask(person, gated(person, kind=ActionKind.DELETE))
    sql = (
        f"UPDATE governance.freezes AS f SET {change} FROM governance.decisions AS d"
        " WHERE f.freeze_id = $1 AND d.tenant = f.tenant"
    )

    with pytest.raises(Exception, match="lifted once"):
        await superuser.execute(sql, freeze.freeze_id)


async def test_a_request_id_asks_for_the_lifting_of_one_freeze_and_of_nothing_else(
    client: GovernanceClient, person: Person
) -> None:
    one, other = [await client.freeze(person, "TOOL", name) for name in ("a.one", "an.other")]
    request, lifting = a_request(allowed(person)), str(uuid4())
    await client.ask(person, request)
    await client.lift(person, one, lifting)

    for freeze, request_id in ((one, request.request_id), (other, lifting)):
        await refused(
            client.lift(person, freeze, request_id),
            grpc.StatusCode.INVALID_ARGUMENT,
            "REQUEST_ID_REUSED",
        )
    assert (await client.lift(person, one, lifting)).verdict.request_id == lifting


async def test_a_tenant_has_so_many_freezes_in_force_and_can_always_be_frozen_whole(
    client: GovernanceClient, person: Person, superuser: Any
) -> None:
    await superuser.execute(
        "INSERT INTO governance.freezes (freeze_id, tenant, person, scope, value, reason, epoch)"
        " SELECT uuidv7(), $1, $2, 'agent', 'a' || n, '', 0 FROM generate_series(1, 500) AS n",
        *(person.tenant, person.person),
    )
    await refused(
        client.freeze(person, "TOOL", "one.more"),
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "TOO_MANY_FREEZES",
    )
    assert (await client.freeze(person, "AGENT", "a500")).value == "a500"
    assert (await client.freeze(person)).epoch
    await client.freeze(Person(), "TOOL", "another.tenants")
