"""Edits under limits: what came before is shown, and nobody slips under a limit by editing."""

import asyncio
import json
from typing import Any

import grpc
import pytest

from chenu.governance.v1.review_service_pb2_grpc import ReviewServiceStub
from kernel.errors import reason_of
from tests.support.approvals import colleague
from tests.support.edits import edit, paying
from tests.support.governance_client import GovernanceClient
from tests.support.identity import Person, StandInIdentity
from tests.support.refusals import refused
from tests.support.rules import a_counter, a_rule, make_live

DENIED = grpc.StatusCode.PERMISSION_DENIED
LIMIT = a_rule("limit", "deny", "counters.spent + action.amount > 100000000")


def spent(**changes: Any) -> Any:
    return a_counter("spent", "amount", kinds=["ACTION_KIND_PAYMENT"], **changes)


@pytest.fixture
def reviews(channel: grpc.aio.Channel) -> ReviewServiceStub:
    return ReviewServiceStub(channel)


@pytest.fixture
def payer(identity: StandInIdentity, person: Person) -> Person:
    """Somebody whose payments somebody of finance can approve."""
    colleague(identity, person, "finance")
    return person


async def test_of_edits_at_once_nobody_slips_under_a_limit(
    client: GovernanceClient, reviews: ReviewServiceStub, payer: Person
) -> None:
    await make_live(client, payer, spent(), LIMIT)
    waiting = [(await paying(client, payer, amount=20))[1] for _ in range(3)]

    answers = await asyncio.gather(
        *(edit(client, reviews, payer, one, {"amount": 50}) for one in waiting),
        return_exceptions=True,
    )

    refusals = [one for one in answers if isinstance(one, grpc.aio.AioRpcError)]
    assert [reason_of(error) for error in refusals] == ["GOVERNANCE_DENIED"] * 2


async def test_what_waits_is_not_counted_against_its_own_edit_and_nothing_else_is_left_out(
    client: GovernanceClient, reviews: ReviewServiceStub, payer: Person
) -> None:
    _, before = await paying(client, payer, amount=60)
    await make_live(client, payer, spent(), LIMIT)
    await paying(client, payer, amount=75)
    _, own = await paying(client, payer, amount=20)

    # Sixty that was never counted is not taken off what others have spent.
    info = await refused(
        edit(client, reviews, payer, before, {"amount": 30}), DENIED, "GOVERNANCE_DENIED"
    )
    assert info.metadata["rule"] == "limit"
    assert (await edit(client, reviews, payer, own, {"amount": 25})).revision == 2


async def test_what_came_before_is_shown_with_every_amount_whatever_rule_stopped_it(
    client: GovernanceClient, reviews: ReviewServiceStub, payer: Person
) -> None:
    often = a_counter("often", per="person", window_seconds=604_800)
    reads = a_counter("reads", kinds=["ACTION_KIND_SEARCH"])
    await make_live(client, payer, spent(), often, reads)
    await paying(client, payer, amount=20)
    _, checkpoint = await paying(client, payer, amount=30)

    seen = await client.get(payer, checkpoint.checkpoint_id)
    assert not seen.rule.startswith("often")
    # The tenant's own after what every view tells of the day.
    assert json.loads(seen.view)["cumulative"][2:] == [
        "Within 7 days per person: 1 × before this, 2 × with it (often).",
        "Within 24 hours per identity: 20 before this, 50 with it (spent).",
    ]
    edited = await edit(client, reviews, payer, checkpoint, {"amount": 35})
    assert json.loads(edited.view)["cumulative"][3] == (
        "Within 24 hours per identity: 20 before this, 55 with it (spent)."
    )
