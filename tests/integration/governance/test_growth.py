"""What is asked all the time reads what waits or holds, and not what is only kept."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import pytest

from kernel.service import Service
from kernel.statement import Statement
from kernel.watching import Changes
from services.governance import operations
from services.governance.clock import Clock
from services.governance.holds import freezes, tombstones
from services.governance.operations import Operations
from services.governance.review import (
    checkpoints,
    deputies,
    edits,
    endings,
    resolutions,
    transitions,
)
from tests.support.governance_client import GovernanceClient
from tests.support.governance_roles import become
from tests.support.identity import Person
from tests.support.plans import rows_read, telling_plans
from tests.support.rules import a_rule, ask_for, put_in

KEPT: Final = 2_000
NOW: Final = timedelta(0)
# Beside a tenant that has much, many that have little: the planner goes by what most have.
FILL: Final = """
CREATE TEMP TABLE old ON COMMIT DROP AS SELECT uuidv7() AS id, n,
    CASE WHEN n % 2 = 0 THEN '{tenant}'::uuid ELSE uuidv4() END AS tenant,
    CASE WHEN n % 2 = 0 THEN '{identity}'::uuid ELSE uuidv4() END AS identity,
    clock_timestamp() - interval '40 days' + n * interval '1 minute' AS at
    FROM generate_series(1, 2 * {kept}) AS n;
INSERT INTO governance.decisions (decision_id, tenant, identity, person, agent, request_id,
    action_digest, requires_checkpoint, kind, tool, executor, run, thread, sphere, effect, rule,
    rule_revision, warnings, refusal, facts, create_time)
SELECT id, tenant, identity, '{person}', 'a', gen_random_uuid(), '', false, 'delete', 't',
    CASE WHEN n % 4 < 2 THEN 'governance' ELSE 'threads' END, '', 'thread', '', 'checkpoint', 'r',
    'r', '{{}}', '', '{{}}', at FROM old;
INSERT INTO governance.checkpoints (checkpoint_id, decision_id, tenant, identity, type, state,
    revision, priority, etag, required_approvals, run, thread, expire_time, valid_until,
    create_time, resolve_time, executed, version, approval, voter_persons, voter_roles)
SELECT id, id, tenant, identity, 'cross_sphere',
    CASE WHEN n % 4 < 2 THEN 'approved' ELSE 'rejected' END, 1, 'high', '', 1, '', 'thread', at,
    CASE WHEN n % 4 < 2 THEN at END, at, at, n % 4 < 2, 2, '{{}}', '{{}}', '{{}}' FROM old;
INSERT INTO governance.freezes (freeze_id, tenant, person, scope, value, reason, epoch,
    create_time, effective_time, lift_time, lift_decision)
SELECT id, tenant, '{person}', 'tool', id, '', 1, at, at, at, id FROM old;
INSERT INTO governance.deputies (deputy_id, tenant, person, identity, roles, deputy, end_time)
SELECT id, tenant, id, id, '{{}}', '{person}', at FROM old;
ANALYZE governance.decisions, governance.checkpoints, governance.freezes, governance.deputies"""
ITEM: Final = {"executor": "x", "agent": "a", "tool": "t", "kind": "delete"}
PLAN: Final = {"offset": "0 seconds", "tombstone_life": "3600 seconds"}
BEFORE: Final = {
    "of": [{"kind": "delete", "tool": "t"}], "offset": "0 seconds", "agent": "a",
    "window": "3600 seconds",
}  # fmt: skip


def filled(person: Person) -> str:
    return FILL.format(
        kept=KEPT, tenant=person.tenant, identity=person.identity, person=person.person
    )


def asked(person: Person) -> dict[str, tuple[str, str, list[Any]]]:
    """By what is asked: the role, the statement and its arguments."""
    last = {"before_time": datetime.max.replace(tzinfo=UTC), "before_id": str(UUID(int=2**128 - 1))}
    first = {"after_time": datetime.min.replace(tzinfo=UTC), "after_id": str(UUID(int=0))}
    filters = {"state": "pending", "type": "", "run": "", "thread": "", "risks": []}
    own = {"tenant": person.tenant, "identity": person.identity}

    def bound(role: str, statement: Statement, **given: Any) -> tuple[str, str, list[Any]]:
        return f"governance_{role}", *statement.bind(given)

    def called(function: str, *given: dict[str, Any]) -> tuple[str, str, list[Any]]:
        marks = ", ".join(f"${n}::jsonb" for n in range(1, len(given) + 1))
        return "governance_app", f"SELECT governance.{function}({marks})", list(given)

    request_ids = [str(uuid4())]
    since = datetime.now(UTC).isoformat()
    return {
        "what stands": called("standing", ITEM | {"request_id": request_ids[0]}, PLAN),
        "what came before": called("before", BEFORE | {"request_ids": request_ids, "since": since}),
        "deputies": ("governance_app", "SELECT look(true, '{}', interval '0')", []),
        "deputies, listed": bound("app", deputies._LIST, offset=NOW),
        "what waits": bound("app", checkpoints._LIST[True], **filters, **last, offset=NOW, size=51),
        "what waits, watched": bound("app", checkpoints._PENDING, offset=NOW),
        "rejections": bound(
            "app", tombstones._LIST, **own, **last, offset=NOW, life=timedelta(1), size=51
        ),
        "older proposals": bound(
            "app", endings._OLDER, decision_id=str(uuid4()), siblings=[str(uuid4())]
        ),
        "overdue": bound("worker", endings._OVERDUE, offset=NOW, at_once=200),
        "approved operations": bound("worker", operations._APPROVED, **first, at_once=200),
        "freezes": bound("worker", freezes._STATE),
        "resolutions": bound("worker", resolutions._LIST, size=200),
    }


def by_key(checkpoint_id: str) -> dict[str, tuple[str, str, list[Any]]]:
    """What is asked of one checkpoint."""
    vote = {"people": True, "roles": [], "offset": "0 seconds", "token": ""}
    return {
        "before a vote": (
            "governance_app", "SELECT governance.before_vote($1::jsonb)",
            [vote | {"checkpoint": checkpoint_id}],
        ),
        "locked": ("governance_app", *transitions._LOCK.bind({"checkpoint_id": checkpoint_id})),
        "to edit": ("governance_app", *edits._FIND.bind({"checkpoint_id": checkpoint_id})),
        "stopped": ("governance_app", "SELECT governance.stopped($1::jsonb)", [ITEM]),
    }  # fmt: skip


@pytest.mark.usefixtures("service")
async def test_what_is_asked_all_the_time_reads_nothing_that_is_only_kept(
    superuser: Any, person: Person
) -> None:
    questions = asked(person)
    async with telling_plans(superuser, "governance"):
        await become(superuser, person)
        # What other tests left in force is read, and rightly.
        before = await rows_read(superuser, questions)
        await superuser.execute(filled(person))
        after = await rows_read(superuser, questions)
    assert {what: rows for what, rows in after.items() if rows > before[what] + KEPT // 4} == {}


@pytest.mark.parametrize("stands_for_others", [True, False])
@pytest.mark.parametrize("own", [True, False])
async def test_whether_a_row_may_be_seen_is_found_without_reading_the_rest_of_its_tenant(
    client: GovernanceClient, superuser: Any, person: Person, *, own: bool, stands_for_others: bool
) -> None:
    _, blocked = await client.blocked(person)
    await client.approve(person, blocked, comment="seen")
    keys = {
        "decisions": "decision_id", "actions": "decision_id",
        "views": "checkpoint_id", "votes": "checkpoint_id",
    }  # fmt: skip
    async with telling_plans(superuser, "governance"):
        await become(superuser, person)
        await superuser.execute(filled(person))
        (row,) = await superuser.fetch(
            "SELECT decision_id, checkpoint_id FROM checkpoints WHERE checkpoint_id = $1",
            UUID(blocked.checkpoint_id),
        )
        questions = {
            table: ("governance_app", f"SELECT * FROM {table} WHERE {key} = $1", [row[key]])
            for table, key in keys.items()
        } | by_key(blocked.checkpoint_id)
        if not own:
            await become(superuser, Person(tenant=person.tenant))
        if stands_for_others:
            await superuser.execute(f"SET LOCAL chenu.voters = '{{{person.person}}}'")
        read = await rows_read(superuser, questions)
    assert {table: rows for table, rows in read.items() if rows > KEPT // 4} == {}


async def test_operations_that_are_held_back_hold_up_nobody_elses(
    client: GovernanceClient, service: Service[Any], clock: Clock, person: Person
) -> None:
    held = set()
    for keeper in (person, Person()):
        rule = a_rule("quiet", "allow", kinds=["ACTION_KIND_EXECUTE"])
        asked_for = await ask_for(client, keeper, (await put_in(client, keeper, rule)).revision)
        assert asked_for.HasField("not_before")
        await client.approve(keeper, asked_for.verdict.checkpoint)
        held.add(asked_for.verdict.decision.decision_id)
    seen = []

    class Looking(Operations):
        async def _proceed(self, caller: Any, row: Any) -> None:
            seen.append(row["decision_id"])

    looking = Looking(
        database=service.database, worker=service.worker, authorization=None,  # type: ignore[arg-type]
        changes=Changes(), clock=clock, at_once=1,
    )  # fmt: skip
    while len(seen) == len(set(seen)):
        await looking.sweep()
    assert held <= set(seen)
