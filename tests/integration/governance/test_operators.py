"""The role `operator`: it stops everybody, in one tenant only, and does nothing else."""

import json
from dataclasses import replace

import grpc
import pytest

from chenu.governance.v1.authorization_service_pb2 import VerdictState
from chenu.governance.v1.checkpoint_pb2 import CheckpointState
from chenu.governance.v1.freeze_pb2 import Freeze
from chenu.governance.v1.freeze_service_pb2 import ListFreezesRequest
from chenu.governance.v1.rule_service_pb2 import CreateRuleRevisionRequest
from tests.integration.governance.conftest import OPERATOR_TENANT
from tests.support.governance_client import GovernanceClient, allowed
from tests.support.identity import Person
from tests.support.refusals import refused
from tests.support.rules import a_document, keepers
from tests.support.waiting import soon

DENIED = grpc.StatusCode.PERMISSION_DENIED
PERMITTED = VerdictState.VERDICT_STATE_PERMITTED


@pytest.fixture
def operator() -> Person:
    return Person(tenant=OPERATOR_TENANT, roles=("operator",))


async def frozen(client: GovernanceClient, person: Person) -> bool:
    (verdict,) = await client.ask(person, allowed(person))
    return verdict.reason.startswith("FROZEN")


async def test_an_operator_stops_everybody_and_two_owners_let_go_again(
    client: GovernanceClient, person: Person, operator: Person
) -> None:
    owners = [Person(tenant=OPERATOR_TENANT) for _ in range(2)]
    keepers(client, *owners)
    freeze = await client.freeze(operator, "ALL")
    try:
        assert await frozen(client, person)
        assert await frozen(client, operator)
        await refused(client.lift(person, freeze), DENIED, "FORBIDDEN")
        await refused(client.lift(owners[0], freeze), DENIED, "FORBIDDEN")
    finally:
        asked = (await client.lift(operator, freeze)).verdict.checkpoint
        states = [(await client.approve(owner, asked)).state for owner in owners]
    assert states[-1] == CheckpointState.CHECKPOINT_STATE_APPROVED
    assert await soon(lambda: lifted(client, operator, freeze), "it is lifted")
    assert not await frozen(client, person)


async def lifted(client: GovernanceClient, by: Person, freeze: Freeze) -> bool:
    answer = await client.freezes.ListFreezes(
        ListFreezesRequest(), metadata=client.identity.as_human(by)
    )
    return freeze.freeze_id not in {one.freeze_id for one in answer.freezes}


async def test_the_role_counts_in_no_other_tenant_and_no_other_role_does(
    client: GovernanceClient, person: Person
) -> None:
    """Whoever owns a tenant can give this role, and must not stop anybody else by it."""
    for somebody in (
        person,
        replace(person, roles=("owner", "operator")),
        Person(tenant=OPERATOR_TENANT, roles=("owner", "auditor")),
    ):
        await refused(client.freeze(somebody, "ALL"), DENIED, "FORBIDDEN")


async def test_an_operator_may_do_nothing_else_that_others_may_not(
    client: GovernanceClient, person: Person, operator: Person
) -> None:
    """Neither look at other people's checkpoints, nor decide them, nor keep rules."""
    _, checkpoint = await client.blocked(person)
    for whose in (operator, Person(tenant=person.tenant, roles=("operator",))):
        await refused(client.get(whose, checkpoint.checkpoint_id), DENIED, "FORBIDDEN")
        await refused(client.approve(whose, checkpoint), DENIED, "FORBIDDEN")
        await refused(
            client.rules.CreateRuleRevision(
                CreateRuleRevisionRequest(document=a_document()),
                metadata=client.identity.as_human(whose),
            ),
            DENIED,
            "NOT_A_RULE_KEEPER",
        )


async def test_whoever_lifts_a_freeze_sees_by_name_as_well_who_made_it(
    client: GovernanceClient, person: Person
) -> None:
    keepers(client, person)
    client.identity.names[person.person] = "Ada\u200b"
    asked = await client.lift(person, await client.freeze(person))

    checkpoint = await client.get(person, asked.verdict.checkpoint.checkpoint_id)
    view = json.loads(checkpoint.view)
    told = {one["path"]: one["value"] for one in view["arguments"]}
    assert (told["frozen_by"], told["frozen_by_name"]) == (person.person, "Ada⟦U+200B⟧")
    assert [warning["flag"] for warning in view["warnings"]] == ["INVISIBLE"]
