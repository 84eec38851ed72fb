"""An edit that another rule stops goes by that rule's clocks; no end is ever put off."""

from datetime import timedelta
from typing import Any

import asyncpg
import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from chenu.governance.v1.approval_pb2 import ApprovalRequirement
from chenu.governance.v1.review_service_pb2_grpc import ReviewServiceStub
from services.governance.clock import Clock
from services.governance.review.endings import Sweeper
from tests.support.approvals import colleague
from tests.support.edits import edit, paying
from tests.support.governance_client import GovernanceClient
from tests.support.governance_roles import become
from tests.support.identity import Person, StandInIdentity
from tests.support.rules import a_rule, make_live


def stops(code: str, condition: str, **clocks: int | dict[str, Any]) -> Any:
    """A rule over payments with these clocks, in seconds, before all others."""
    given: dict[str, Any] = {
        name: Duration(seconds=one) if isinstance(one, int) else one for name, one in clocks.items()
    }
    return a_rule(
        code,
        "checkpoint",
        condition,
        kinds=["ACTION_KIND_PAYMENT"],
        priority=5_000,
        approval=ApprovalRequirement(**given),
    )


SLOW = stops("slow", "action.arguments.amount >= 100", remind_after=600, execute_within=80_000)
QUIET = stops("quiet", "action.arguments.amount < 50", expire_after=1200, execute_within=3_000)
LOUD = stops(
    "loud",
    "action.arguments.amount >= 50 && action.arguments.amount < 100",
    remind_after=300,
    escalate_after=900,
    fallback={"roles": ["board"]},
)


@pytest.fixture
def reviews(channel: grpc.aio.Channel) -> ReviewServiceStub:
    return ReviewServiceStub(channel)


@pytest.fixture
async def payer(client: GovernanceClient, identity: StandInIdentity, person: Person) -> Person:
    colleague(identity, person, "board")
    await make_live(client, person, SLOW, QUIET, LOUD)
    return person


async def test_nobody_is_reminded_of_an_edit_whose_rule_reminds_nobody(
    client: GovernanceClient,
    reviews: ReviewServiceStub,
    payer: Person,
    clock: Clock,
    sweeper: Sweeper,
) -> None:
    _, checkpoint = await paying(client, payer, amount=100)

    edited = await edit(client, reviews, payer, checkpoint, {"amount": 40})

    assert (edited.rule, edited.HasField("remind_time")) == ("quiet", False)
    assert edited.expire_time.seconds - edited.create_time.seconds == pytest.approx(1200, abs=60)
    assert edited.execute_by.seconds - edited.create_time.seconds == pytest.approx(3000, abs=60)
    clock.offset = timedelta(seconds=700)
    for _ in range(3):
        await sweeper.sweep()
    assert (await client.get(payer, edited.checkpoint_id)).reminders == 0


async def test_an_edit_is_reminded_of_and_escalated_as_its_rule_says(
    client: GovernanceClient, reviews: ReviewServiceStub, payer: Person
) -> None:
    _, checkpoint = await paying(client, payer, amount=40)
    before = await client.get(payer, checkpoint.checkpoint_id)
    assert not before.HasField("escalate_time")

    edited = await edit(client, reviews, payer, checkpoint, {"amount": 60})

    asked = before.create_time.seconds
    assert edited.remind_time.seconds - asked == pytest.approx(300, abs=60)
    assert edited.escalate_time.seconds - asked == pytest.approx(900, abs=60)
    # What was asked first ends when it would have.
    assert (edited.expire_time, edited.execute_by) == (before.expire_time, before.execute_by)


@pytest.mark.parametrize(
    "change",
    [
        "expire_time = expire_time + interval '1 second'",
        "execute_by = execute_by + interval '1 second'",
        "execute_by = NULL",
    ],
)
async def test_the_database_itself_puts_no_end_off(
    client: GovernanceClient, payer: Person, app: Any, change: str
) -> None:
    _, checkpoint = await paying(client, payer, amount=100)
    await become(app, payer)
    with pytest.raises(asyncpg.CheckViolationError):
        await app.execute(
            f"UPDATE governance.checkpoints SET version = version + 1, {change}"
            " WHERE checkpoint_id = $1",
            checkpoint.checkpoint_id,
        )
