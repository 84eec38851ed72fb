"""A replay counts as was counted then, and adds up what nobody counted."""

from random import Random
from typing import Any
from uuid import uuid4

import grpc
import pytest

from chenu.governance.v1.checkpoint_service_pb2 import CancelCheckpointRequest
from chenu.governance.v1.review_service_pb2_grpc import ReviewServiceStub
from chenu.governance.v1.rule_pb2 import Counter, Replay, Rule
from chenu.governance.v1.rule_service_pb2 import ReplayDecisionsRequest
from chenu_gate.action import ActionKind
from services.governance.policy import past
from tests.integration.governance.test_rule_limits import spend
from tests.support.approvals import colleague, with_roles
from tests.support.edits import a_payment, edit
from tests.support.governance_client import GovernanceClient, allowed
from tests.support.identity import Person
from tests.support.rules import a_counter, a_document, a_rule, make_live


async def replayed(client: GovernanceClient, person: Person, *parts: Rule | Counter) -> Replay:
    """What these rules, or those that hold, make of all that the person's tenant decided."""
    request = ReplayDecisionsRequest(document=a_document(*parts) if parts else None)
    answer = await client.rules.ReplayDecisions(request, metadata=client.identity.as_human(person))
    return answer.replay


SEARCHES = (
    a_counter("reads", kinds=["ACTION_KIND_SEARCH"]),
    a_rule("many", "deny", "counters.reads >= 2", kinds=["ACTION_KIND_SEARCH"]),
)
MOVED = (
    a_counter("moved", "amount", "tenant"),
    a_rule("much", "deny", "counters.moved + action.amount > 100000000"),
)


async def test_what_nobody_counted_then_is_added_up_from_the_decisions(
    client: GovernanceClient, person: Person, superuser: Any
) -> None:
    for _ in range(3):
        await client.ask(person, allowed(person), spend(person, 40))
    replay = await replayed(client, person, *SEARCHES, *MOVED)
    assert (replay.tightened, replay.not_replayable) == (2, 0)
    assert {one.rule for one in replay.decisions} == {"many", "much"}

    # Once its content is gone an action still counts as one; what it moved nobody knows.
    await superuser.execute(
        "DELETE FROM governance.actions WHERE decision_id IN (SELECT decision_id"
        " FROM governance.decisions WHERE tenant = $1 ORDER BY decision_id LIMIT 2)",
        person.tenant,
    )
    replay = await replayed(client, person, *SEARCHES, *MOVED)
    causes = [one.cause for one in replay.decisions if one.cause]
    assert sorted(causes) == [*["ACTION_ERASED"] * 2, *["COUNTED_ACTION_ERASED"] * 4]
    assert (await replayed(client, person, *SEARCHES)).tightened == 1


async def test_what_would_have_to_be_added_up_from_too_much_is_said_not_guessed(
    client: GovernanceClient, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        await client.ask(person, allowed(person))
    monkeypatch.setattr(past, "MOST_COUNTED", 1)
    replay = await replayed(client, person, *SEARCHES)
    assert {one.cause for one in replay.decisions} == {"HISTORY_TOO_LONG"}


@pytest.mark.parametrize("seed", [3, 4, 11])
async def test_whatever_happened_the_rules_that_hold_find_it_again_counted_anew_or_not(
    client: GovernanceClient, channel: grpc.aio.Channel, person: Person, seed: int
) -> None:
    """Plans, rejections, withdrawals and edits in any order, nearly all judged by sums."""
    await make_live(client, person, *by_sums(86_400))
    await happen(Random(seed), client, ReviewServiceStub(channel), person)

    live = await replayed(client, person)
    assert live.replayed >= 8
    assert (live.unchanged, list(live.decisions)) == (live.replayed, [])
    # The same rules, by counters that nobody has counted by: their windows are others.
    anew = await replayed(client, person, *by_sums(86_401))
    assert (anew.unchanged, list(anew.decisions)) == (live.replayed, [])


def by_sums(window: int) -> list[Rule | Counter]:
    """Rules under which it matters what was before."""
    spent = a_counter("spent", "amount", kinds=["ACTION_KIND_UPDATE"], window_seconds=window)
    paid = a_counter("paid", "amount", "tenant", tools=["test.*"], window_seconds=window)
    seen = a_counter("seen", per="run", window_seconds=window)
    update, payment = ["ACTION_KIND_UPDATE"], ["ACTION_KIND_PAYMENT"]
    over = "counters.spent + action.amount >"
    return [
        spent, paid, seen,
        a_rule("much", "deny", f"{over} 90000000", kinds=update),
        a_rule("some", "checkpoint", f"{over} 30000000", kinds=update),
        a_rule("often", "deny", "counters.seen > 3", kinds=update),
        a_rule("paid", "checkpoint", "counters.paid > 90000000", kinds=payment, priority=9_000),
    ]  # fmt: skip


async def happen(
    random: Random, client: GovernanceClient, reviews: ReviewServiceStub, person: Person
) -> None:
    """Two people of one tenant ask, reject, withdraw and edit."""
    # Both pay with the other's consent: what nobody could approve is refused, and counts in a plan.
    with_roles(client.identity, person, *person.roles, "finance")
    bea = colleague(client.identity, person, "finance")
    runs = [str(uuid4()) for _ in range(2)]
    waiting: list[tuple[Person, Any, ActionKind]] = []
    for _ in range(8):
        who = random.choice([person, bea])
        plan = [
            a_payment(who, amount=random.randint(1, 60))
            if random.random() < 0.3
            else spend(who, random.randint(5, 25), run=random.choice(runs))
            for _ in range(random.randint(1, 3))
        ]
        for one, action in zip(await client.ask(who, *plan), plan, strict=True):
            if one.HasField("checkpoint"):
                waiting.append((who, one.checkpoint, action.kind))
        for _ in range(min(len(waiting), random.randint(0, 2))):
            whose, blocked, kind = waiting.pop(random.randrange(len(waiting)))
            if kind is ActionKind.PAYMENT and random.random() < 0.7:
                amount = {"amount": random.choice([random.randint(61, 90), 1])}
                await edit(client, reviews, whose, blocked, amount)
            elif random.random() < 0.5:
                await client.reject(whose, blocked)
            else:
                request = CancelCheckpointRequest(checkpoint_id=blocked.checkpoint_id)
                await client.checkpoints.CancelCheckpoint(
                    request, metadata=client.identity.as_human(whose)
                )
