"""Standing grants: approved once, used within their bounds, recorded each time, revocable."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest

from chenu.governance.v1.authorization_service_pb2 import Verdict, VerdictState
from chenu.governance.v1.decision_pb2 import ExecutionState
from chenu.governance.v1.grant_pb2 import ArgumentConstraint, Grant, GrantTerms
from chenu.governance.v1.grant_service_pb2 import (
    CreateGrantRequest,
    CreateGrantResponse,
    ListGrantsRequest,
    RevokeGrantRequest,
)
from chenu_gate.action import Action, ActionKind, Tool
from services.governance.clock import Clock
from tests.integration.governance.conftest import Events
from tests.support.actions import DEFINITION
from tests.support.approvals import colleague, tool
from tests.support.governance_client import GovernanceClient, a_request, gated, principal
from tests.support.identity import Person, StandInIdentity
from tests.support.refusals import refused
from tests.support.waiting import soon

PERMITTED = VerdictState.VERDICT_STATE_PERMITTED
BLOCKED = VerdictState.VERDICT_STATE_BLOCKED
DENIED = VerdictState.VERDICT_STATE_DENIED
TOOL = "report.create"


def terms(**changes: Any) -> GrantTerms:
    given: dict[str, Any] = {
        "tool": TOOL,
        "action_kind": "ACTION_KIND_CREATE",
        "constraints": [
            ArgumentConstraint(argument="format", values=["pdf", "txt"]),
            ArgumentConstraint(argument="pages", at_most=10),
            ArgumentConstraint(argument="title", anything=True),
        ],
        "uses": 3,
    }
    made = GrantTerms(**given | {k: v for k, v in changes.items() if k != "hours"})
    made.end_time.FromDatetime(datetime.now(UTC) + timedelta(hours=changes.get("hours", 2)))
    return made


def report(person: Person, **changes: Any) -> Action:
    """A report into another sphere: gated, and nothing that cannot be brought back."""
    arguments = {"format": "pdf", "pages": 5, "title": "Any", **changes.pop("arguments", {})}
    given: dict[str, Any] = {
        "kind": ActionKind.CREATE,
        "tool": Tool(TOOL, DEFINITION),
        "targets": (),
        "target_sphere": "personal",
        "arguments": arguments,
    }
    return gated(person, **given | changes)


async def ask(client: GovernanceClient, person: Person, **changes: Any) -> CreateGrantResponse:
    request = CreateGrantRequest(terms=terms(**changes), request_id=str(uuid4()))
    return await client.grants.CreateGrant(request, metadata=client.identity.as_human(person))


async def listed(client: GovernanceClient, person: Person) -> list[Grant]:
    answer = await client.grants.ListGrants(
        ListGrantsRequest(), metadata=client.identity.as_human(person)
    )
    return list(answer.grants)


async def granted(client: GovernanceClient, person: Person, **changes: Any) -> Grant:
    asked = await ask(client, person, **changes)
    await client.approve(person, asked.verdict.checkpoint)
    (grant,) = await soon(lambda: listed(client, person), "it is granted")
    return grant


async def told(client: GovernanceClient, person: Person, action: Any) -> Verdict:
    (verdict,) = await client.ask(person, action)
    return verdict


async def test_row_18_a_bounded_standing_grant_of_scope_count_and_time(
    client: GovernanceClient, person: Person, clock: Clock, events: Events
) -> None:
    """Within its bounds nobody is asked; each use is a decision; then people are asked again."""
    grant = await granted(client, person)

    verdicts = [await told(client, person, report(person)) for _ in range(4)]

    assert [one.state for one in verdicts] == [PERMITTED] * 3 + [BLOCKED]
    assert (await listed(client, person))[0].uses_left == 0
    for one in verdicts[:3]:
        assert one.permit
        (made,) = await events(f"decision/{one.decision.decision_id}")
        assert made["data"]["details"]["grant"] == grant.grant_id
    (created,) = await events(f"grant/{grant.grant_id}")
    assert created["type"] == "chenu.governance.grant.created"
    later = await granted_again(client, person)
    clock.offset = timedelta(hours=3)
    assert (await told(client, person, report(person))).state == BLOCKED
    assert later.uses_left == 3


async def granted_again(client: GovernanceClient, person: Person) -> Grant:
    asked = await ask(client, person)
    await client.approve(person, asked.verdict.checkpoint)

    async def second() -> list[Grant]:
        found = await listed(client, person)
        return found if len(found) == 2 else []

    return (await soon(second, "there are two"))[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"arguments": {"format": "exe"}},
        {"arguments": {"pages": 11}},
        {"arguments": {"pages": -1}},
        {"arguments": {"pages": "5"}},
        {"arguments": {"copies": 2}},
        {"tool": Tool("report.delete", DEFINITION)},
        {"kind": ActionKind.UPDATE},
        {"kind": ActionKind.DELETE},
    ],
)
async def test_what_the_terms_do_not_name_is_asked(
    client: GovernanceClient, person: Person, changes: dict[str, Any]
) -> None:
    await granted(client, person)

    assert (await told(client, person, report(person, **changes))).state == BLOCKED


async def test_targets_agents_other_identities_and_asked_for_checkpoints_are_not_covered(
    client: GovernanceClient, person: Person
) -> None:
    await granted(client, person, agent_id=(agent := str(uuid4())))
    other = Person(tenant=person.tenant)

    assert (await told(client, person, report(person))).state == BLOCKED
    assert (await told(client, other, report(other))).state == BLOCKED
    mine = report(person, principal=principal(person, agent))
    asked = a_request(mine, requires_checkpoint=True)
    by_agent = client.identity.as_nova(person, agent)
    (cautious,) = await client.ask(person, asked, metadata=by_agent)
    (covered,) = await client.ask(person, mine, metadata=by_agent)
    assert (cautious.state, covered.state) == (BLOCKED, PERMITTED)


@pytest.mark.parametrize("takes", ["plain", "quorum", "stages", "four-eyes", "veto"])
async def test_what_others_have_a_say_in_is_not_the_owners_to_grant(
    client: GovernanceClient, identity: StandInIdentity, person: Person, takes: str
) -> None:
    for role in ("finance", "finance", "board"):
        colleague(identity, person, role)
    asked = replace(report(person, tool=tool(takes)), arguments={})
    await granted(client, person, tool=asked.tool.name, constraints=[])

    verdict = await told(client, person, asked)

    assert verdict.state == (PERMITTED if takes == "plain" else BLOCKED)


async def test_the_total_is_never_exceeded_however_many_ask_at_once(
    client: GovernanceClient, person: Person
) -> None:
    await granted(client, person, uses=10, amount_argument="pages", total=12)

    verdicts = await asyncio.gather(*(told(client, person, report(person)) for _ in range(6)))

    assert sorted(one.state for one in verdicts) == [PERMITTED] * 2 + [BLOCKED] * 4
    (grant,) = await listed(client, person)
    assert (grant.total_left, grant.uses_left) == (2, 8)


async def test_asked_again_the_same_use_is_not_counted_twice_and_is_executed_once(
    client: GovernanceClient, person: Person
) -> None:
    await granted(client, person)
    request = a_request(report(person))

    first = await told(client, person, request)
    again = await told(client, person, request)
    await client.report(first, ExecutionState.EXECUTION_STATE_SUCCEEDED)

    assert again.permit
    assert first.decision == again.decision
    assert (await client.found(person, request.request_id)).state == (
        VerdictState.VERDICT_STATE_EXECUTED
    )
    assert (await listed(client, person))[0].uses_left == 2


async def test_a_revoked_grant_covers_nothing_more(
    client: GovernanceClient, person: Person, events: Events
) -> None:
    grant = await granted(client, person)
    request = RevokeGrantRequest(grant_id=grant.grant_id)

    for _ in range(2):
        answer = await client.grants.RevokeGrant(request, metadata=client.identity.as_human(person))

    assert answer.grant.HasField("revoke_time")
    assert (await told(client, person, report(person))).state == BLOCKED
    assert [one["type"] for one in await events(f"grant/{grant.grant_id}")] == [
        "chenu.governance.grant.created",
        "chenu.governance.grant.revoked",
    ]
    for who in (client.identity.as_human(Person()), client.identity.as_human(
        Person(tenant=person.tenant)
    )):  # fmt: skip
        await refused(
            client.grants.RevokeGrant(request, metadata=who),
            grpc.StatusCode.PERMISSION_DENIED,
            "FORBIDDEN",
        )


async def test_a_freeze_stops_what_a_grant_covers(client: GovernanceClient, person: Person) -> None:
    await granted(client, person)
    await client.freeze(person, "TOOL", TOOL)

    assert (await told(client, person, report(person))).state == DENIED


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"action_kind": "ACTION_KIND_DELETE"}, "IRREVERSIBLE"),
        ({"action_kind": "ACTION_KIND_SEND"}, "IRREVERSIBLE"),
        ({"action_kind": "ACTION_KIND_PAYMENT"}, "IRREVERSIBLE"),
        ({"hours": -1}, "END_TIME"),
        ({"hours": 24 * 31}, "END_TIME"),
        ({"total": 5}, "TOTAL"),
        ({"amount_argument": "pages"}, "TOTAL"),
        ({"constraints": [ArgumentConstraint(argument="format")]}, "CONSTRAINT"),
    ],
)
async def test_terms_without_bounds_or_for_what_cannot_be_brought_back_are_refused(
    client: GovernanceClient, person: Person, changes: dict[str, Any], cause: str
) -> None:
    info = await refused(
        ask(client, person, **changes), grpc.StatusCode.INVALID_ARGUMENT, "GRANT_INVALID"
    )

    assert info.metadata["cause"] == cause


async def test_a_rejected_grant_and_one_that_nobody_decided_cover_nothing(
    client: GovernanceClient, person: Person
) -> None:
    asked = await ask(client, person)
    assert (await told(client, person, report(person))).state == BLOCKED

    await client.reject(person, asked.verdict.checkpoint)

    assert not await listed(client, person)


async def test_the_database_lets_the_serving_role_make_and_enlarge_no_grant(
    client: GovernanceClient, person: Person, app: Any, superuser: Any
) -> None:
    grant = await granted(client, person)

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.execute("INSERT INTO governance.grants DEFAULT VALUES")
    for change in ("uses_left = uses_left + 1", "total_left = total_left + 1"):
        with pytest.raises(asyncpg.CheckViolationError, match="only ever used up"):
            await superuser.execute(
                f"UPDATE governance.grants SET {change} WHERE grant_id = $1", grant.grant_id
            )
