"""The day's use of the like is in every question, whether or not anybody counts it by a rule."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from chenu.governance.v1.checkpoint_pb2 import BlockedCheckpoint
from chenu.governance.v1.decision_pb2 import ExecutionState
from chenu.governance.v1.review_service_pb2_grpc import ReviewServiceStub
from chenu_gate.action import Action, ActionKind, Target, Tool
from chenu_gate.canonical_json import digest
from services.governance.clock import Clock
from tests.integration.governance.test_endings import cancel
from tests.support.actions import DEFINITION
from tests.support.approvals import colleague
from tests.support.edits import as_blocked, edit, paying
from tests.support.governance_client import GovernanceClient, a_request, gated
from tests.support.identity import Person, StandInIdentity

NOON = 12


@pytest.fixture
def noon(clock: Clock) -> Clock:
    """It is noon, so that no test is surprised by midnight."""
    now = datetime.now(UTC)
    clock.offset = now.replace(hour=NOON, minute=0) - now
    return clock


@pytest.fixture
def reviews(channel: grpc.aio.Channel) -> ReviewServiceStub:
    return ReviewServiceStub(channel)


def ship(person: Person, name: str = "ship", **arguments: Any) -> Action:
    """Something that a person is asked about, which can be brought back."""
    tool = Tool(name if "." in name else f"goods.{name}", DEFINITION)
    return gated(
        person, kind=ActionKind.EXECUTE, tool=tool, arguments=arguments,
        targets=(Target("parcel", f"parcel-{arguments.get('number', 1)}", "v1", "Parcel"),),
    )  # fmt: skip


async def told(client: GovernanceClient, person: Person, checkpoint: BlockedCheckpoint) -> Any:
    """What the view says of use, which its etag covers."""
    seen = await client.get(person, checkpoint.checkpoint_id)
    assert digest(seen.view.encode()) == seen.etag
    return json.loads(seen.view)["cumulative"]


def use(of_tool: int, of_kind: int, *, day: datetime, tool: str = "goods.ship") -> str:
    return (
        f"Permitted for this identity today ({day.date()}, UTC), before this:"
        f" {of_tool} × {tool}, {of_kind} × execute in all."
    )


async def test_every_view_tells_how_much_of_its_like_was_permitted_today(
    client: GovernanceClient, person: Person, superuser: Any, noon: Clock
) -> None:
    today = noon.at(datetime.now(UTC))
    _, first = await client.blocked(person, ship(person))
    assert await told(client, person, first) == [use(0, 0, day=today)]
    await client.approve(person, first)
    _, other = await client.blocked(person, ship(person, "store"))
    assert await told(client, person, other) == [use(0, 1, day=today, tool="goods.store")]
    await client.approve(person, other)

    # Two of one plan: neither was permitted before the other.
    plan = [a_request(ship(person, number=number)) for number in (2, 3)]
    verdicts = await client.ask(person, *plan)

    for verdict in verdicts:
        assert await told(client, person, verdict.checkpoint) == [use(1, 2, day=today)]
        assert use(1, 2, day=today) in verdict.checkpoint.preview
    decision_id = verdicts[0].decision.decision_id
    facts = await superuser.fetchval(
        "SELECT facts FROM governance.decisions WHERE decision_id = $1", decision_id
    )
    assert facts["today"] == {
        "since": f"{today.date()}T00:00:00+00:00", "of_tool": "1", "of_kind": "2", "amounts": {},
    }  # fmt: skip


async def test_what_a_rule_permits_counts_as_well_and_other_identities_do_not(
    client: GovernanceClient, identity: StandInIdentity, person: Person, noon: Clock
) -> None:
    made = gated(person, kind=ActionKind.CREATE, tool=Tool("notes.make", DEFINITION))
    await client.ask(person, made)
    other = colleague(identity, person)
    theirs = gated(other, kind=ActionKind.CREATE, tool=Tool("notes.make", DEFINITION))

    _, own = await client.blocked(person, made, requires_checkpoint=True)
    _, of_other = await client.blocked(other, theirs, requires_checkpoint=True)

    assert "1 × notes.make, 1 × create" in (await told(client, person, own))[0]
    assert "0 × notes.make, 0 × create" in (await told(client, other, of_other))[0]


async def test_what_waits_or_came_to_nothing_does_not_count(
    client: GovernanceClient, identity: StandInIdentity, person: Person, noon: Clock
) -> None:
    today = noon.at(datetime.now(UTC))
    lapsing, ran, rejected, cancelled, *_ = [
        await client.blocked(person, ship(person, name, number=number))
        for number, name in enumerate(("test.clocks", *["ship"] * 4))
    ]
    for _, checkpoint in (lapsing, ran):
        await client.approve(person, checkpoint)
    (permitted,) = await client.ask(person, ran[0])
    await client.report(permitted, ExecutionState.EXECUTION_STATE_FAILED)
    await client.reject(person, rejected[1])
    await cancel(client, identity.as_human(person), cancelled[1].checkpoint_id)

    _, before = await client.blocked(person, ship(person, number=8))
    # An approval that nobody used in time is none, whether or not anybody has swept.
    noon.offset += timedelta(seconds=1830)
    _, after = await client.blocked(person, ship(person, number=9))

    assert await told(client, person, before) == [use(1, 2, day=today)]
    assert await told(client, person, after) == [use(1, 1, day=today)]


async def test_amounts_of_the_day_are_added_up_by_unit(
    client: GovernanceClient, person: Person, noon: Clock
) -> None:
    for number, (amount, unit) in enumerate([("10.5", "EUR"), ("3", "USD"), ("0.000001", "eur")]):
        action = ship(person, number=number, amount=amount, currency=unit)
        _, checkpoint = await client.blocked(person, action)
        await client.approve(person, checkpoint)

    _, next_one = await client.blocked(person, ship(person, amount=2, currency="EUR"))

    assert (await told(client, person, next_one))[1] == (
        "Amounts of execute today: 10.500001 EUR before this, 12.500001 EUR with it."
        " Besides: 3 USD."
    )


async def test_an_edit_is_shown_what_it_would_make_of_the_day_and_counts_once(
    client: GovernanceClient,
    reviews: ReviewServiceStub,
    identity: StandInIdentity,
    person: Person,
    superuser: Any,
    noon: Clock,
) -> None:
    bea = colleague(identity, person, "finance")

    def amounts(before: int, after: int) -> str:
        unit = "without a unit"
        return f"Amounts of payment today: {before} {unit} before this, {after} {unit} with it."

    _, first = await paying(client, person, amount=100)
    _, second = await paying(client, person, amount=50)
    for voter in (bea, person):
        await client.approve(voter, first)

    assert (await told(client, person, second))[1] == amounts(0, 50)
    # Whoever edits sees it although it is another identity's.
    edited = await edit(client, reviews, bea, second, {"amount": 90})
    assert (await told(client, person, as_blocked(edited)))[1] == amounts(100, 190)
    stored = await superuser.fetchval(
        "SELECT facts FROM governance.edits WHERE checkpoint_id = $1", edited.checkpoint_id
    )
    assert stored["today"]["of_tool"] == "1"
    assert stored["amount"] == {"unit": "", "micros": "90000000"}
    for voter in (bea, person):
        await client.approve(voter, as_blocked(edited))
    _, third = await paying(client, person, amount=1)
    assert (await told(client, person, third))[1] == amounts(190, 191)


async def test_at_midnight_of_utc_the_day_begins_anew(
    client: GovernanceClient, person: Person, noon: Clock
) -> None:
    today = noon.at(datetime.now(UTC))
    _, yesterdays = await client.blocked(person, ship(person, number=1))
    await client.approve(person, yesterdays)
    noon.offset += timedelta(hours=11, minutes=58)
    _, before = await client.blocked(person, ship(person, number=3))
    assert await told(client, person, before) == [use(1, 1, day=today)]
    noon.offset += timedelta(minutes=3)

    # What was asked for yesterday and approved today was permitted today.
    await client.approve(person, before)
    _, after = await client.blocked(person, ship(person, number=4))

    assert await told(client, person, after) == [use(1, 1, day=today + timedelta(days=1))]
