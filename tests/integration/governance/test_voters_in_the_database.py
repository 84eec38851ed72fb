"""Quorum held by the database alone, whoever has the connection: who sees, who votes, how many."""

import json
from typing import Any

import asyncpg
import pytest

from tests.support.approvals import colleague, waiting
from tests.support.governance_client import GovernanceClient
from tests.support.governance_roles import become, insert_vote
from tests.support.identity import Person, StandInIdentity

APPROVE = (
    "UPDATE governance.checkpoints SET state = 'approved', version = version + 1,"
    " resolve_time = now(), valid_until = now() WHERE checkpoint_id = $1"
)
TABLES = ("checkpoints", "decisions", "actions", "views")


async def stand_for(app: Any, person: Person, *, voters: str = "", roles: str = "") -> None:
    """Act for the person; `voters` and `roles` as a transaction of the service would say them."""
    await become(app, person)
    for name, value in (("voters", voters), ("voter_roles", roles)):
        await app.execute("SELECT set_config($1, $2, false)", f"chenu.{name}", value)


async def seen(app: Any) -> set[int]:
    return {await app.fetchval(f"SELECT count(*) FROM governance.{table}") for table in TABLES}


async def test_only_who_is_named_sees_it_and_only_in_the_tenant(
    client: GovernanceClient, identity: StandInIdentity, person: Person, app: Any
) -> None:
    fin = colleague(identity, person, "finance")
    colleague(identity, person, "finance")
    await waiting(client, person, "quorum")

    await stand_for(app, fin, voters=f"{{{fin.person}}}", roles="{finance}")
    assert await seen(app) == {1}
    for roles in ("{sales}", "{}", ""):
        await stand_for(app, fin, voters=f"{{{fin.person}}}", roles=roles)
        assert await seen(app) == {0}
    # Nobody stands for anybody: an agent's, Nova's or a service's transaction.
    await become(app, fin)
    await app.execute("SELECT set_config('chenu.voter_roles', '', false)")
    assert await seen(app) == {0}
    stranger = Person(roles=("finance",))
    await stand_for(app, stranger, voters=f"{{{stranger.person}}}", roles="{finance}")
    assert await seen(app) == {0}


async def test_one_vote_of_two_and_two_of_one_person_approve_nothing(
    client: GovernanceClient, identity: StandInIdentity, person: Person, app: Any
) -> None:
    bea, cem = colleague(identity, person, "finance"), colleague(identity, person, "finance")
    _, checkpoint = await waiting(client, person, "quorum")

    async def vote(who: Person, **changes: Any) -> None:
        await stand_for(app, who, voters=f"{{{who.person}}}", roles="{finance}")
        sql, values = insert_vote(who, checkpoint, identity=person.identity, **changes)
        await app.execute(sql, *values)

    for _ in range(2):
        await vote(bea)
        with pytest.raises(asyncpg.CheckViolationError, match="without votes"):
            await app.execute(APPROVE, checkpoint.checkpoint_id)
    # Another person in the seat that is taken is nobody more.
    await vote(cem, seat=bea.person, seat_identity=bea.identity)
    with pytest.raises(asyncpg.CheckViolationError, match="without votes"):
        await app.execute(APPROVE, checkpoint.checkpoint_id)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await vote(cem, person=person.person)
    await vote(cem)
    await app.execute(APPROVE, checkpoint.checkpoint_id)


async def test_votes_in_one_stage_are_none_in_another(
    client: GovernanceClient, identity: StandInIdentity, person: Person, app: Any
) -> None:
    bea, cem = colleague(identity, person, "finance"), colleague(identity, person, "board")
    _, checkpoint = await waiting(client, person, "stages")
    for who in (bea, cem):
        await stand_for(app, who, voters=f"{{{who.person}}}", roles="{finance,board}")
        sql, values = insert_vote(who, checkpoint, identity=person.identity, stage=1)
        await app.execute(sql, *values)
    with pytest.raises(asyncpg.CheckViolationError, match="without votes"):
        await app.execute(APPROVE, checkpoint.checkpoint_id)


async def test_nobody_who_does_not_see_it_votes_on_it(
    client: GovernanceClient, identity: StandInIdentity, person: Person, app: Any
) -> None:
    bea = colleague(identity, person, "sales")
    colleague(identity, person, "finance"), colleague(identity, person, "finance")
    _, checkpoint = await waiting(client, person, "quorum")
    await stand_for(app, bea, voters=f"{{{bea.person}}}", roles="{sales}")
    sql, values = insert_vote(bea, checkpoint, identity=person.identity)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.execute(sql, *values)


async def test_of_a_group_nobody_sees_what_the_one_before_may_decide(
    client: GovernanceClient, identity: StandInIdentity, person: Person, app: Any
) -> None:
    fin = colleague(identity, person, "finance")
    colleague(identity, person, "finance")
    _, checkpoint = await waiting(client, person, "quorum")

    def question(*roles: str, people: bool = True) -> str:
        return json.dumps(
            {
                "checkpoint": checkpoint.checkpoint_id,
                "token": "",
                "people": people,
                "roles": roles,
                "offset": "0 seconds",
            }
        )

    other = colleague(identity, person, "sales")
    asking = [fin, other, fin, fin, person]
    questions = [
        question("finance"),
        question("sales"),
        question("finance", people=False),
        question("finance"),
        question(people=False),
    ]
    found = await app.fetchval(
        "SELECT governance.before_vote_group($1, $2, $3, $4, '{}', '{}', '{}', '{}')",
        *([getattr(one, name) for one in asking] for name in ("tenant", "person", "identity")),
        questions,
    )

    seen = [json.loads(one) != {} for one in found]
    assert seen == [True, False, False, True, True]
