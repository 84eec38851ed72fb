"""What counts towards a limit is what waits or was approved, in whatever order that came about."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import grpc
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from chenu.governance.v1.checkpoint_pb2 import BlockedCheckpoint
from chenu.governance.v1.review_service_pb2_grpc import ReviewServiceStub
from services.governance.clock import Clock
from services.governance.review.endings import Sweeper
from tests.integration.governance.test_rule_limits import BLOCKED, DENIED, LIMIT, SPENT, spend
from tests.support.approvals import colleague
from tests.support.edits import a_payment, as_blocked, edit
from tests.support.governance_client import GovernanceClient
from tests.support.identity import Person
from tests.support.refusals import refused
from tests.support.rules import a_counter, a_rule, make_live

MOST, MICROS = 100, 1_000_000
COUNTERS = (
    a_counter("spent", "amount", kinds=["ACTION_KIND_PAYMENT"]),
    a_counter("often", "count", kinds=["ACTION_KIND_PAYMENT"]),
)
steps = st.lists(
    st.tuples(
        st.sampled_from(["ask", "ask", "edit", "edit", "approve", "reject", "expire"]),
        st.integers(0, 3),
        st.integers(1, 70),
    ),
    min_size=3,
    max_size=9,
)


class Payer:
    """A person, their payments that wait or were approved, and what must come out of the next."""

    def __init__(
        self, client: GovernanceClient, reviews: ReviewServiceStub, sweeper: Sweeper, clock: Clock
    ) -> None:
        self.client, self.reviews, self.sweeper, self.clock = client, reviews, sweeper, clock
        self.person = Person()
        self.finance = colleague(client.identity, self.person, "finance")
        self.waiting: list[tuple[BlockedCheckpoint, int]] = []
        self.approved: list[int] = []

    @property
    def amounts(self) -> list[int]:
        return [*self.approved, *(amount for _, amount in self.waiting)]

    async def step(self, what: str, which: int, amount: int) -> None:
        if what == "ask":
            await self._ask(amount)
        elif self.waiting and what == "edit":
            await self._edit(which % len(self.waiting), amount)
        elif self.waiting and what == "expire":
            self.clock.offset += timedelta(minutes=61)
            await self.sweeper.sweep()
            self.waiting = []
        elif self.waiting:
            checkpoint, paid = self.waiting.pop(which % len(self.waiting))
            if what == "reject":
                await self.client.reject(self.person, checkpoint)
            else:
                await self.client.approve(self.person, checkpoint)
                await self.client.approve(self.finance, checkpoint)
                self.approved.append(paid)

    async def _ask(self, amount: int) -> None:
        # A note of its own: the like of a rejected payment would be refused for that.
        payment = a_payment(self.person, amount=amount, note=str(uuid4()))
        (verdict,) = await self.client.ask(self.person, payment)
        if sum(self.amounts) + amount > MOST:
            assert verdict.state == DENIED
        else:
            assert verdict.state == BLOCKED
            self.waiting.append((verdict.checkpoint, amount))

    async def _edit(self, which: int, amount: int) -> None:
        checkpoint, before = self.waiting[which]
        wanted = {"amount": amount, "note": str(uuid4())}
        edited = edit(self.client, self.reviews, self.person, checkpoint, wanted)
        if sum(self.amounts) - before + amount > MOST:
            await refused(edited, grpc.StatusCode.PERMISSION_DENIED, "GOVERNANCE_DENIED")
        else:
            self.waiting[which] = (as_blocked(await edited), amount)


@settings(
    max_examples=6, deadline=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(taken=steps)
@example(
    taken=[
        ("ask", 0, 70), ("edit", 0, 10), ("edit", 0, 60), ("edit", 0, 60), ("ask", 0, 40),
        ("edit", 1, 50), ("edit", 1, 30), ("approve", 0, 1), ("reject", 0, 1), ("ask", 0, 41),
        ("ask", 0, 40), ("edit", 0, 20), ("expire", 0, 1), ("ask", 0, 40),
    ],
)  # fmt: skip
async def test_what_counts_is_what_waits_or_was_approved_whatever_came_before(
    client: GovernanceClient,
    channel: grpc.aio.Channel,
    superuser: Any,
    sweeper: Sweeper,
    clock: Clock,
    taken: list[tuple[str, int, int]],
) -> None:
    clock.offset = timedelta(0)
    payer = Payer(client, ReviewServiceStub(channel), sweeper, clock)
    limit = a_rule("limit", "deny", f"counters.spent + action.amount > {MOST * MICROS}")
    never = a_rule("never", "deny", "counters.often > 1000")
    await make_live(client, payer.person, *COUNTERS, limit, never)

    for what, which, amount in taken:
        await payer.step(what, which, amount)
        rows = await superuser.fetch(
            "SELECT split_part(tally, '/', 1) AS measure, sum(amount)::bigint AS value"
            " FROM governance.counted WHERE tenant = $1 GROUP BY 1",
            payer.person.tenant,
        )
        sums = {row["measure"]: row["value"] for row in rows}
        assert sums.get("amount", 0) == sum(payer.amounts) * MICROS
        assert sums.get("count", 0) == len(payer.amounts)


async def test_what_is_refused_besides_the_rules_does_not_count_for_the_rest_of_its_plan(
    client: GovernanceClient, person: Person
) -> None:
    ask = a_rule("ask", "checkpoint", "action.amount > 0", kinds=["ACTION_KIND_UPDATE"])
    await make_live(client, person, SPENT, LIMIT, ask)
    _, rejected = await client.blocked(person, spend(person, 60))
    await client.reject(person, rejected)

    refused_one, other, too_much = await client.ask(
        person, spend(person, 60), spend(person, 90), spend(person, 20)
    )

    assert refused_one.reason.startswith("REJECTED_BEFORE")
    assert [other.state, too_much.state] == [BLOCKED, DENIED]
    assert too_much.decision.rule == "limit"
