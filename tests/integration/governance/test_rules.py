"""What governance goes by, told to whoever is governed."""

from uuid import uuid4

import grpc
import pytest

from chenu.governance.v1.checkpoint_pb2 import CheckpointType
from chenu.governance.v1.decision_pb2 import ActionKind, Effect
from chenu.governance.v1.rule_service_pb2 import ListRulesRequest
from tests.support.approvals import RULES
from tests.support.governance_client import GovernanceClient, allowed
from tests.support.identity import Person, StandInIdentity, bearer
from tests.support.refusals import refused


@pytest.mark.parametrize("who", ["human", "agent", "nova"])
async def test_the_rules_in_force_are_told_by_priority_with_their_revision(
    client: GovernanceClient, identity: StandInIdentity, person: Person, who: str
) -> None:
    metadata = {
        "human": identity.as_human(person),
        "agent": identity.as_agent(person, str(uuid4())),
        "nova": identity.as_nova(person),
    }[who]

    told = await client.rules.ListRules(ListRulesRequest(), metadata=metadata)

    assert {rule.code for rule in told.rules} == {rule.code for rule in RULES}
    priorities = [rule.priority for rule in told.rules]
    assert priorities == sorted(priorities, reverse=True)
    delete = next(rule for rule in told.rules if rule.code == "destructive_action")
    assert delete.effect == Effect.EFFECT_CHECKPOINT
    assert delete.checkpoint_type == CheckpointType.CHECKPOINT_TYPE_DESTRUCTIVE_ACTION
    assert list(delete.kinds) == [ActionKind.ACTION_KIND_DELETE]
    assert all(rule.name and rule.description and rule.condition for rule in told.rules)
    verdict = await client.ask_one(person, allowed(person))
    assert verdict.decision.rule_revision == told.revision


async def test_nobody_reads_the_rules_without_a_token(client: GovernanceClient) -> None:
    await refused(
        client.rules.ListRules(ListRulesRequest(), metadata=bearer("")),
        grpc.StatusCode.UNAUTHENTICATED,
        "TOKEN_INVALID",
    )
