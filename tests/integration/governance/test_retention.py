"""What only serves for a while goes, and nothing that could still be asked for."""

from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from kernel.context import background
from kernel.service import Service
from services.governance.clock import Clock
from services.governance.retention import Retention
from tests.integration.governance.conftest import Events
from tests.integration.governance.test_rule_limits import (
    DENIED,
    LIMIT,
    PERMITTED,
    SPENT,
    spend,
    states,
)
from tests.support.governance_client import GovernanceClient
from tests.support.governance_roles import become
from tests.support.identity import Person
from tests.support.rules import make_live

TABLES = ("counted", "shadow_verdicts", "notices")
OLD = {
    "counted": "INSERT INTO governance.counted (tenant, decision_id, tally, amount, create_time)"
    " SELECT d.tenant, d.decision_id, 'old', 1, clock_timestamp() - $2::interval"
    " FROM governance.decisions AS d WHERE d.decision_id = $1",
    "shadow_verdicts": "INSERT INTO governance.shadow_verdicts SELECT d.decision_id, d.tenant,"
    " 'r', d.kind, d.tool, 'widened', 'deny', 'a', 'allow', 'b', clock_timestamp() - $2::interval"
    " FROM governance.decisions AS d WHERE d.decision_id = $1",
    "notices": "INSERT INTO governance.notices SELECT decision_id, decision_id, tenant, identity,"
    " 'created', 1, clock_timestamp() - $2::interval FROM governance.decisions"
    " WHERE decision_id = $1",
}


async def left(superuser: Any, person: Person) -> dict[str, int]:
    return {
        table: await superuser.fetchval(
            f"SELECT count(*) FROM governance.{table} WHERE tenant = $1", person.tenant
        )
        for table in TABLES
    }


async def test_what_is_over_goes_step_by_step_and_the_log_tells_of_it(
    client: GovernanceClient, service: Service[Any], person: Person, superuser: Any, events: Events
) -> None:
    verdicts = await client.ask(person, *(spend(person, 1) for _ in range(3)))
    ages = [timedelta(days=days) for days in (92, 91, 89)]
    for verdict, age in zip(verdicts, ages, strict=True):
        for insert in OLD.values():
            await superuser.execute(insert, verdict.decision.decision_id, age)
    retention = Retention(service.worker, Clock(), timedelta(days=90), step=1_000_000)
    with background("governance.retention"):
        assert await retention.prune() == 6
        assert await retention.prune() == 0
    assert await left(superuser, person) == dict.fromkeys(TABLES, 1)
    for table in TABLES:
        (told,) = await events(f"{table}/{person.tenant}")
        assert told["type"] == f"chenu.governance.{table}.pruned"
        assert told["data"]["details"] == {"rows": "2", "days": "90"}


async def test_a_step_holds_nobody_up(
    client: GovernanceClient, service: Service[Any], person: Person, superuser: Any
) -> None:
    (verdict,) = await client.ask(person, spend(person, 1))
    # The first of all, and so the first that are looked at.
    for number in range(3):
        await superuser.execute(
            "INSERT INTO governance.counted (counted_id, tenant, decision_id, tally, amount,"
            " create_time) OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, 'old', 1,"
            " clock_timestamp() - interval '100 days')",
            number - 10,
            person.tenant,
            verdict.decision.decision_id,
        )
    retention = Retention(service.worker, Clock(), timedelta(days=90), step=2)
    with background("governance.retention"):
        assert [await retention.prune() for _ in range(3)] == [2, 1, 0]


async def test_what_a_limit_still_looks_at_stays(
    client: GovernanceClient, service: Service[Any], person: Person
) -> None:
    await make_live(client, person, SPENT, LIMIT)
    assert await states(client, person, spend(person, 60)) == [PERMITTED]
    with background("governance.retention"):
        await Retention(service.worker, Clock(), timedelta(days=32)).prune()
    assert await states(client, person, spend(person, 50)) == [DENIED]


@pytest.mark.parametrize("table", ["counted", "shadow_verdicts"])
async def test_the_worker_alone_lets_go_and_nobody_of_what_a_window_may_reach(
    client: GovernanceClient, person: Person, superuser: Any, app: Any, worker: Any, table: str
) -> None:
    (verdict,) = await client.ask(person, spend(person, 1))
    await superuser.execute(OLD[table], verdict.decision.decision_id, timedelta(days=30))
    await become(app, person)
    for connection in (app, worker, superuser):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(
                f"DELETE FROM governance.{table} WHERE decision_id = $1",
                verdict.decision.decision_id,
            )
