"""Other rules hold only after people have decided so, knowing what they would have changed."""

import asyncio
import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest

from chenu.governance.v1.authorization_service_pb2 import VerdictState
from chenu.governance.v1.decision_pb2 import ExecutionState
from chenu.governance.v1.rule_service_pb2 import (
    GetRuleRevisionRequest,
    ListRulesRequest,
    PromoteRulesRequest,
    SetRuleLabelRequest,
)
from chenu_gate.action import ActionKind
from services.governance.clock import Clock
from tests.support.approvals import colleague
from tests.support.governance_client import GovernanceClient, allowed, gated
from tests.support.identity import Person
from tests.support.refusals import refused
from tests.support.rules import a_rule, applied, ask_for, keepers, make_live, put_in

NO_SEARCH = a_rule("no_search", "deny", kinds=["ACTION_KIND_SEARCH"])
FREE_EXECUTION = a_rule("free_execution", "allow", kinds=["ACTION_KIND_EXECUTE"])
PERMITTED = VerdictState.VERDICT_STATE_PERMITTED
BLOCKED = VerdictState.VERDICT_STATE_BLOCKED
DENIED = VerdictState.VERDICT_STATE_DENIED


async def state(client: GovernanceClient, person: Person, kind: ActionKind) -> VerdictState:
    (verdict,) = await client.ask(person, allowed(person, kind=kind))
    return verdict.state


async def promotions(events: Any, person: Person, revision: str) -> list[dict[str, Any]]:
    """What the log tells of the revision's promotions in the person's tenant."""
    told = await events(f"rule_revision/{revision}")
    promoted = "chenu.governance.rule_revision.promoted"
    return [one for one in told if one["type"] == promoted and one["tenant"] == person.tenant]


async def test_a_revision_holds_from_the_moment_that_people_have_approved_it(
    client: GovernanceClient, person: Person, events: Any
) -> None:
    revision = (await put_in(client, person, NO_SEARCH)).revision
    asked = await ask_for(client, person, revision)
    assert asked.verdict.state == BLOCKED
    assert await state(client, person, ActionKind.SEARCH) == PERMITTED

    await client.approve(person, asked.verdict.checkpoint)
    assert await applied(client, person, asked)

    (verdict,) = await client.ask(person, allowed(person))
    assert (verdict.state, verdict.decision.rule) == (DENIED, "no_search")
    assert verdict.decision.rule_revision == revision
    assert verdict.reason == "no_search!"
    told = await client.rules.ListRules(
        ListRulesRequest(), metadata=client.identity.as_human(person)
    )
    assert told.revision == revision
    (event,) = await promotions(events, person, revision)
    assert event["identity"] == person.identity


async def test_rules_hold_for_their_tenant_and_no_other(
    client: GovernanceClient, person: Person
) -> None:
    await make_live(client, person, NO_SEARCH)
    another = Person(tenant=person.tenant)
    assert await state(client, another, ActionKind.SEARCH) == DENIED
    assert await state(client, Person(), ActionKind.SEARCH) == PERMITTED


async def test_what_was_rejected_never_holds(client: GovernanceClient, person: Person) -> None:
    asked = await ask_for(client, person, (await put_in(client, person, NO_SEARCH)).revision)
    await client.reject(person, asked.verdict.checkpoint)
    assert await state(client, person, ActionKind.SEARCH) == PERMITTED


async def test_the_view_shows_what_changes_and_what_a_replay_found(
    client: GovernanceClient, person: Person
) -> None:
    await client.ask(person, allowed(person), allowed(person), gated(person))
    asked = await ask_for(client, person, (await put_in(client, person, NO_SEARCH)).revision)
    checkpoint = await client.get(person, asked.verdict.checkpoint.checkpoint_id)
    shown = {one["path"]: one["value"] for one in json.loads(checkpoint.view)["arguments"]}
    assert asked.replay.tightened == 2
    assert shown["replay.tightened"] == "2"
    assert shown["replay.digest"] == asked.replay.digest
    assert "no_search" in shown.values()


async def test_one_person_is_enough_where_the_replay_shows_that_nothing_is_stopped_less(
    client: GovernanceClient, person: Person
) -> None:
    keepers(client, person, Person(tenant=person.tenant))
    await client.ask(person, allowed(person))
    asked = await ask_for(client, person, (await put_in(client, person, NO_SEARCH)).revision)
    assert asked.required_approvals == 1
    assert not asked.HasField("not_before")


async def test_two_must_agree_where_anything_would_be_stopped_less(
    client: GovernanceClient, person: Person
) -> None:
    keepers(client, person, Person(tenant=person.tenant))
    await client.ask(person, allowed(person, kind=ActionKind.EXECUTE))
    asked = await ask_for(client, person, (await put_in(client, person, FREE_EXECUTION)).revision)
    assert asked.replay.widened == 1
    assert asked.required_approvals == 2
    approved = await client.approve(person, asked.verdict.checkpoint)
    assert approved.required_approvals == 2
    assert await state(client, person, ActionKind.EXECUTE) == BLOCKED


async def test_when_two_who_keep_the_rules_have_agreed_what_is_looser_holds(
    client: GovernanceClient, person: Person
) -> None:
    second = Person(tenant=person.tenant)
    keepers(client, person, second)
    await client.ask(person, allowed(person, kind=ActionKind.EXECUTE))
    asked = await ask_for(client, person, (await put_in(client, person, FREE_EXECUTION)).revision)
    await client.approve(person, asked.verdict.checkpoint)
    await client.approve(second, asked.verdict.checkpoint)
    assert await applied(client, person, asked)
    assert await state(client, person, ActionKind.EXECUTE) == PERMITTED


async def test_without_any_decision_to_replay_what_may_loosen_needs_two(
    client: GovernanceClient, person: Person
) -> None:
    keepers(client, Person(tenant=person.tenant))
    asked = await ask_for(client, person, (await put_in(client, person, FREE_EXECUTION)).revision)
    assert asked.replay.replayed == 0
    assert asked.required_approvals == 2


async def test_the_only_one_who_keeps_the_rules_needs_somebody_else_of_the_tenant(
    client: GovernanceClient, person: Person
) -> None:
    """One owner among several people is not a tenant with one human."""
    member = colleague(client.identity, person)
    await client.ask(person, allowed(person, kind=ActionKind.EXECUTE))
    asked = await ask_for(client, person, (await put_in(client, person, FREE_EXECUTION)).revision)
    assert (asked.required_approvals, asked.HasField("not_before")) == (2, False)
    checkpoint = await client.approve(person, asked.verdict.checkpoint)
    assert [stage.missing for stage in checkpoint.stages] == [0, 1]
    assert await state(client, person, ActionKind.EXECUTE) == BLOCKED
    await client.approve(member, asked.verdict.checkpoint)
    assert await applied(client, person, asked)
    assert await state(client, person, ActionKind.EXECUTE) == PERMITTED


async def test_a_person_who_keeps_the_rules_alone_loosens_them_after_a_delay(
    client: GovernanceClient, person: Person, clock: Clock, events: Any
) -> None:
    await client.ask(person, allowed(person, kind=ActionKind.EXECUTE))
    revision = (await put_in(client, person, FREE_EXECUTION)).revision
    asked = await ask_for(client, person, revision)
    assert asked.required_approvals == 1
    assert asked.HasField("not_before")
    await client.approve(person, asked.verdict.checkpoint)
    await asyncio.sleep(0)
    assert await state(client, person, ActionKind.EXECUTE) == BLOCKED

    clock.offset = timedelta(minutes=61)
    assert await applied(client, person, asked)
    assert await state(client, person, ActionKind.EXECUTE) == PERMITTED
    (event,) = await promotions(events, person, revision)
    assert "one person keeps the rules alone" in json.dumps(event)


async def test_a_promotion_is_refused_once_something_else_holds_than_people_saw(
    client: GovernanceClient, person: Person
) -> None:
    first = await ask_for(client, person, (await put_in(client, person, NO_SEARCH)).revision)
    no_query = a_rule("no_query", "deny", kinds=["ACTION_KIND_QUERY"])
    await make_live(client, person, no_query)

    await client.approve(person, first.verdict.checkpoint)
    assert not await applied(client, person, first)
    assert await state(client, person, ActionKind.SEARCH) == PERMITTED
    assert await state(client, person, ActionKind.QUERY) == DENIED


async def test_the_live_rules_can_be_taken_back(client: GovernanceClient, person: Person) -> None:
    await make_live(client, person, NO_SEARCH)
    keepers(client, Person(tenant=person.tenant))
    assert await state(client, person, ActionKind.SEARCH) == DENIED
    asked = await ask_for(client, person, "")
    assert asked.replay.widened == 1
    assert asked.required_approvals == 2


async def test_asking_again_by_the_same_id_tells_how_it_stands(
    client: GovernanceClient, person: Person
) -> None:
    request_id = str(uuid4())
    revision = (await put_in(client, person, NO_SEARCH)).revision
    asked = await ask_for(client, person, revision, request_id)
    await client.ask(person, allowed(person))
    again = await ask_for(client, person, revision, request_id)
    assert again.verdict.checkpoint.checkpoint_id == asked.verdict.checkpoint.checkpoint_id
    await client.approve(person, asked.verdict.checkpoint)
    await applied(client, person, asked)
    done = await ask_for(client, person, revision, request_id)
    assert done.verdict.decision.execution_state == ExecutionState.EXECUTION_STATE_SUCCEEDED
    assert not done.verdict.permit

    other = (await put_in(client, person, FREE_EXECUTION)).revision
    await refused(
        ask_for(client, person, other, request_id),
        grpc.StatusCode.INVALID_ARGUMENT,
        "REQUEST_ID_REUSED",
    )


async def test_what_holds_already_is_not_promoted(client: GovernanceClient, person: Person) -> None:
    revision = await make_live(client, person, NO_SEARCH)
    await refused(
        ask_for(client, person, revision), grpc.StatusCode.FAILED_PRECONDITION, "ALREADY_LIVE"
    )


async def test_nobody_promotes_a_revision_of_another_tenant(
    client: GovernanceClient, person: Person
) -> None:
    revision = (await put_in(client, Person(), a_rule("theirs", "deny"))).revision
    await refused(ask_for(client, person, revision), grpc.StatusCode.PERMISSION_DENIED, "FORBIDDEN")


async def test_only_who_keeps_the_rules_asks_for_other_ones(
    client: GovernanceClient, person: Person
) -> None:
    revision = (await put_in(client, person, NO_SEARCH)).revision
    member = Person(tenant=person.tenant, roles=("member",))
    await refused(
        ask_for(client, member, revision), grpc.StatusCode.PERMISSION_DENIED, "NOT_A_RULE_KEEPER"
    )
    await refused(
        client.rules.PromoteRules(
            PromoteRulesRequest(revision=revision, request_id=str(uuid4())),
            metadata=client.identity.as_agent(person, str(uuid4())),
        ),
        grpc.StatusCode.PERMISSION_DENIED,
        "CALLER_NOT_ALLOWED",
    )


async def test_live_is_no_label_that_one_person_moves(
    client: GovernanceClient, person: Person
) -> None:
    revision = (await put_in(client, person, NO_SEARCH)).revision
    await refused(
        client.rules.SetRuleLabel(
            SetRuleLabelRequest(label="live", revision=revision),
            metadata=client.identity.as_human(person),
        ),
        grpc.StatusCode.INVALID_ARGUMENT,
        "LABEL_RESERVED",
    )


async def test_no_connection_of_the_service_moves_what_is_live_without_a_promotion(
    client: GovernanceClient, person: Person, app: Any, worker: Any
) -> None:
    revision = await make_live(client, person, NO_SEARCH)
    for name, value in (
        ("tenant", person.tenant), ("person", person.person), ("identity", person.identity),
    ):  # fmt: skip
        await app.execute(f"SELECT set_config('chenu.{name}', $1, false)", value)
    await put_in(client, person, FREE_EXECUTION)
    moved = await app.execute(
        "UPDATE governance.rule_labels SET revision = NULL, version = version + 1"
        " WHERE label = 'live'"
    )
    assert moved == "UPDATE 0"
    with pytest.raises(asyncpg.CheckViolationError):
        await worker.execute(
            "UPDATE governance.rule_labels SET revision = NULL, version = version + 1"
            " WHERE tenant = $1 AND label = 'live'",
            person.tenant,
        )
    found = await client.rules.GetRuleRevision(
        GetRuleRevisionRequest(revision="live"), metadata=client.identity.as_human(person)
    )
    assert found.revision.revision == revision
