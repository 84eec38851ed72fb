"""Rules for one sphere: no spelling, and no silence, is a way round them."""

from typing import Any

import grpc
import pytest

from chenu.governance.v1.authorization_service_pb2 import VerdictState
from chenu.governance.v1.review_service_pb2_grpc import ReviewServiceStub
from chenu_gate.action import ActionKind
from tests.support.approvals import colleague
from tests.support.edits import ARGUMENTS, edit, paying
from tests.support.governance_client import GovernanceClient, allowed
from tests.support.identity import Person
from tests.support.refusals import refused
from tests.support.rules import a_rule, keepers, make_live, put_in

INVALID = grpc.StatusCode.INVALID_ARGUMENT
DENIED = VerdictState.VERDICT_STATE_DENIED
PERMITTED = VerdictState.VERDICT_STATE_PERMITTED


@pytest.mark.parametrize("named", ["Business", "BUSINESS", "buisness", "business.", "unspecified"])
async def test_an_action_in_a_sphere_that_there_is_not_is_refused(
    client: GovernanceClient, person: Person, named: str
) -> None:
    for place in ("source_sphere", "target_sphere"):
        spheres = {"source_sphere": "personal", "target_sphere": "personal", place: named}
        info = await refused(
            client.ask(person, allowed(person, **spheres)), INVALID, "ACTION_INVALID"
        )
        assert info.metadata["cause"] == "BAD_VALUE"


@pytest.mark.parametrize(
    ("spheres", "state"),
    [
        ({"source_sphere": "business", "target_sphere": "business"}, DENIED),
        ({"source_sphere": "personal", "target_sphere": "business"}, DENIED),
        ({"source_sphere": "personal", "target_sphere": ""}, DENIED),
        ({"source_sphere": "", "target_sphere": ""}, DENIED),
        ({"source_sphere": "personal", "target_sphere": "personal"}, PERMITTED),
    ],
    ids=["in it", "into it", "looking everywhere", "in none", "in another"],
)
async def test_a_rule_that_closes_a_sphere_is_not_slipped_past_by_not_naming_it(
    client: GovernanceClient, person: Person, spheres: dict[str, str], state: Any
) -> None:
    keepers(client, person)
    await make_live(client, person, a_rule("closed", "deny", spheres=["business"]))
    action = allowed(person, kind=ActionKind.SEARCH, **spheres)
    (verdict,) = await client.ask(person, action)
    assert verdict.state == state


async def test_a_rule_for_a_sphere_that_there_is_not_is_refused_with_those_that_there_are(
    client: GovernanceClient, person: Person
) -> None:
    keepers(client, person)
    misspelt = a_rule("closed", "deny", spheres=["buisness", "business"])
    await refused(put_in(client, person, misspelt), INVALID, "RULE_INVALID")


async def test_nothing_is_edited_into_a_sphere_that_there_is_not(
    client: GovernanceClient, channel: grpc.aio.Channel, person: Person
) -> None:
    reviews = ReviewServiceStub(channel)
    colleague(client.identity, person, "finance")
    _, checkpoint = await paying(client, person)
    changed = edit(client, reviews, person, checkpoint, ARGUMENTS, target_sphere="Business")
    info = await refused(changed, INVALID, "EDIT_REFUSED")
    assert info.metadata["cause"] == "BAD_VALUE"
