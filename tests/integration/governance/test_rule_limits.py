"""Limits over what was done so far: how much, how often, what came before."""

import asyncio
from collections import Counter as Tally
from datetime import timedelta
from typing import Any
from uuid import uuid4

from chenu.governance.v1.authorization_service_pb2 import Verdict, VerdictState
from chenu.governance.v1.rule_service_pb2 import EvaluateActionRequest
from chenu_gate.action import Action, ActionKind
from services.governance.clock import Clock
from tests.support.governance_client import GovernanceClient, a_request, allowed, gated
from tests.support.identity import Person
from tests.support.rules import a_counter, a_rule, make_live

PERMITTED = VerdictState.VERDICT_STATE_PERMITTED
BLOCKED = VerdictState.VERDICT_STATE_BLOCKED
DENIED = VerdictState.VERDICT_STATE_DENIED
# Changes that move something: an amount that no built-in rule gates.
SPENT = a_counter("spent", "amount", kinds=["ACTION_KIND_UPDATE"])
LIMIT = a_rule("limit", "deny", "counters.spent + action.amount > 100000000")
READS = a_counter("reads", per="run", kinds=["ACTION_KIND_SEARCH"])
NO_CHANGE_AFTER_READING = a_rule(
    "read_then_write", "checkpoint", "counters.reads > 0", kinds=["ACTION_KIND_UPDATE"]
)


def spend(person: Person, amount: int, **changes: Any) -> Action:
    return gated(
        person, kind=ActionKind.UPDATE, targets=(), arguments={"amount": amount}, **changes
    )


async def states(client: GovernanceClient, person: Person, *actions: Action) -> list[VerdictState]:
    return [verdict.state for verdict in await client.ask(person, *actions)]


async def test_what_was_spent_today_counts_towards_the_limit(
    client: GovernanceClient, person: Person, clock: Clock
) -> None:
    await make_live(client, person, SPENT, LIMIT)
    assert await states(client, person, spend(person, 60)) == [PERMITTED]
    assert await states(client, person, spend(person, 50)) == [DENIED]
    assert await states(client, person, spend(person, 40)) == [PERMITTED]
    assert await states(client, person, spend(person, 1)) == [DENIED]

    clock.offset = timedelta(days=1, seconds=5)
    assert await states(client, person, spend(person, 100)) == [PERMITTED]


async def test_a_plan_counts_its_own_actions_one_after_another(
    client: GovernanceClient, person: Person
) -> None:
    await make_live(client, person, SPENT, LIMIT)
    plan = [spend(person, amount) for amount in (60, 60, 40)]
    assert await states(client, person, *plan) == [PERMITTED, DENIED, PERMITTED]


async def test_a_sum_that_passes_what_numbers_of_json_hold_gates_like_any_other(
    client: GovernanceClient, person: Person
) -> None:
    at_last = a_rule("at_last", "checkpoint", "counters.spent > 9007199254740992")
    await make_live(client, person, SPENT, at_last)
    most = 9_000_000_000
    assert await states(client, person, spend(person, most), spend(person, most)) == [PERMITTED] * 2
    assert await states(client, person, spend(person, 1)) == [BLOCKED]


# So many times more than the decision did, almost as much as a condition holds.
NEARLY_ALL = """
    INSERT INTO governance.counted (tenant, decision_id, tally, amount)
    SELECT tenant, decision_id, tally, 9223372036854775000
    FROM governance.counted, generate_series(1, $2) WHERE decision_id = $1"""


async def test_a_sum_that_passes_what_conditions_hold_gates_like_any_other(
    client: GovernanceClient, person: Person, superuser: Any
) -> None:
    last = a_rule("last", "checkpoint", "counters.spent >= 9223372036854775807")
    await make_live(client, person, SPENT, last)
    (spent,) = await client.ask(person, spend(person, 9_000_000_000))
    await superuser.execute(NEARLY_ALL, spent.decision.decision_id, 2)
    plan = [spend(person, 1), spend(person, 9_000_000_000), allowed(person)]
    assert await states(client, person, *plan) == [BLOCKED] * 3


async def test_what_one_plan_adds_may_pass_what_conditions_hold(
    client: GovernanceClient, person: Person, superuser: Any
) -> None:
    last = a_rule("last", "checkpoint", "counters.spent >= 9223372036854775807")
    await make_live(client, person, SPENT, last)
    (spent,) = await client.ask(person, spend(person, 1))
    await superuser.execute(NEARLY_ALL, spent.decision.decision_id, 1)
    assert await states(client, person, spend(person, 1), spend(person, 1)) == [BLOCKED] * 2


async def test_asking_again_counts_once(client: GovernanceClient, person: Person) -> None:
    await make_live(client, person, SPENT, LIMIT)
    request = a_request(spend(person, 60))
    for _ in range(3):
        (verdict,) = await client.ask(person, request)
        assert verdict.state == PERMITTED
    assert await states(client, person, spend(person, 40)) == [PERMITTED]


async def test_what_a_plan_asks_for_again_is_not_counted_a_second_time_for_what_is_new_in_it(
    client: GovernanceClient, person: Person
) -> None:
    await make_live(client, person, SPENT, LIMIT)
    known, late = a_request(spend(person, 30)), a_request(spend(person, 80))
    assert [one.state for one in await client.ask(person, known, late)] == [PERMITTED, DENIED]

    verdicts = await client.ask(person, known, late, spend(person, 70), spend(person, 1))

    assert [one.state for one in verdicts] == [PERMITTED, DENIED, PERMITTED, DENIED]


async def test_of_many_who_act_at_once_nobody_slips_under_the_limit(
    client: GovernanceClient, person: Person
) -> None:
    await make_live(client, person, SPENT, LIMIT)
    asked = [client.ask(person, spend(person, 30)) for _ in range(12)]
    found = Tally(verdict.state for (verdict,) in await asyncio.gather(*asked))
    assert found == {PERMITTED: 3, DENIED: 9}


async def test_reading_and_then_writing_in_one_run_waits_for_a_person(
    client: GovernanceClient, person: Person
) -> None:
    await make_live(client, person, READS, NO_CHANGE_AFTER_READING)
    run = str(uuid4())
    write = {"kind": ActionKind.UPDATE, "targets": (), "run": run}
    assert await states(client, person, gated(person, **write)) == [PERMITTED]
    assert await states(client, person, allowed(person, run=run)) == [PERMITTED]
    assert await states(client, person, gated(person, **write)) == [BLOCKED]
    other_run = {**write, "run": str(uuid4())}
    assert await states(client, person, gated(person, **other_run)) == [PERMITTED]
    plan = (allowed(person, run=(third := str(uuid4()))), gated(person, **{**write, "run": third}))
    assert await states(client, person, *plan) == [PERMITTED, BLOCKED]


async def test_what_a_person_rejects_is_not_counted_any_more(
    client: GovernanceClient, person: Person
) -> None:
    ask = a_rule("ask", "checkpoint", "action.amount > 0", kinds=["ACTION_KIND_UPDATE"])
    await make_live(client, person, SPENT, LIMIT, ask)
    _, blocked = await client.blocked(person, spend(person, 90))
    assert await states(client, person, spend(person, 20)) == [DENIED]
    await client.reject(person, blocked)
    assert await states(client, person, spend(person, 20)) == [BLOCKED]


async def test_limits_are_each_persons_own_unless_they_are_the_tenants(
    client: GovernanceClient, person: Person
) -> None:
    another = Person(tenant=person.tenant)
    shared = a_counter("all", "amount", "tenant", kinds=["ACTION_KIND_UPDATE"])
    both = a_rule("both", "deny", "counters.all + action.amount > 150000000")
    await make_live(client, person, SPENT, LIMIT, shared, both)
    assert await states(client, person, spend(person, 100)) == [PERMITTED]
    assert await states(client, another, spend(another, 60)) == [DENIED]
    assert await states(client, another, spend(another, 50)) == [PERMITTED]


async def test_an_amount_that_cannot_be_told_is_not_under_any_limit(
    client: GovernanceClient, person: Person
) -> None:
    await make_live(client, person, SPENT, LIMIT)
    odd = gated(person, kind=ActionKind.UPDATE, targets=(), arguments={"amount": "a lot"})
    verdict: Verdict
    (verdict,) = await client.ask(person, odd)
    assert (verdict.state, verdict.decision.rule) == (DENIED, "limit")


async def test_a_dry_run_tells_the_sums_and_adds_nothing(
    client: GovernanceClient, person: Person
) -> None:
    await make_live(client, person, SPENT, LIMIT)
    await client.ask(person, spend(person, 60))
    for _ in range(2):
        answer = await client.rules.EvaluateAction(
            EvaluateActionRequest(action=spend(person, 50).canonical()),
            metadata=client.identity.as_human(person),
        )
        assert answer.evaluation.rule == "limit"
        assert "60000000" in answer.evaluation.facts
    assert await states(client, person, spend(person, 40)) == [PERMITTED]
