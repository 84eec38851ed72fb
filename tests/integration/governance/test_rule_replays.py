"""Rules are compared with what was really decided, after it and beside it."""

from typing import Any

from chenu.governance.v1.authorization_service_pb2 import VerdictState
from chenu.governance.v1.rule_pb2 import VerdictChange
from chenu.governance.v1.rule_service_pb2 import (
    ListShadowVerdictsRequest,
    ReplayDecisionsRequest,
)
from chenu_gate.action import ActionKind
from tests.support.governance_client import GovernanceClient, allowed, gated
from tests.support.identity import Person
from tests.support.rules import a_counter, a_document, a_rule, make_live, put_in_shadow

NO_SEARCH = a_rule("no_search", "deny", kinds=["ACTION_KIND_SEARCH"])
FREE_EXPORT = a_rule(
    "free_export", "allow", kinds=["ACTION_KIND_EXPORT"], overrides=["data_export"]
)


def me(client: GovernanceClient, person: Person) -> Any:
    return client.identity.as_human(person)


async def test_what_the_shadow_says_is_noted_and_never_enforced(
    client: GovernanceClient, person: Person
) -> None:
    shadow = await put_in_shadow(client, person, NO_SEARCH)
    search, delete = await client.ask(person, allowed(person), gated(person))
    assert search.state == VerdictState.VERDICT_STATE_PERMITTED
    assert delete.state == VerdictState.VERDICT_STATE_BLOCKED
    listed = await client.rules.ListShadowVerdicts(
        ListShadowVerdictsRequest(), metadata=me(client, person)
    )
    (verdict,) = listed.verdicts
    assert verdict.revision == shadow
    assert verdict.decision.decision_id == search.decision.decision_id
    assert verdict.decision.change == VerdictChange.VERDICT_CHANGE_TIGHTENED
    assert verdict.decision.rule == "no_search"
    stranger = await client.rules.ListShadowVerdicts(
        ListShadowVerdictsRequest(), metadata=me(client, Person())
    )
    assert not stranger.verdicts


async def test_a_replay_tells_what_would_have_come_out_otherwise_the_widening_first(
    client: GovernanceClient, person: Person, superuser: Any
) -> None:
    another = Person(tenant=person.tenant)
    await client.ask(person, allowed(person), gated(person, kind=ActionKind.EXPORT))
    await client.ask(another, allowed(another), gated(another))
    request = ReplayDecisionsRequest(document=a_document(NO_SEARCH, FREE_EXPORT))
    answer = await client.rules.ReplayDecisions(request, metadata=me(client, person))
    replay = answer.replay
    assert (replay.replayed, replay.widened, replay.tightened, replay.unchanged) == (4, 1, 2, 1)
    changes = [one.change for one in replay.decisions]
    assert changes == sorted(changes)
    assert replay.decisions[0].recorded_rule == "data_export"
    assert replay.decisions[0].rule == "free_export"

    (erased,) = await client.ask(person, allowed(person))
    await superuser.execute(
        "DELETE FROM governance.actions WHERE decision_id = $1", erased.decision.decision_id
    )
    again = await client.rules.ReplayDecisions(request, metadata=me(client, person))
    assert again.replay.not_replayable == 1
    assert again.replay.decisions[-1].cause == "ACTION_ERASED"


async def test_replaying_what_holds_reproduces_every_verdict(
    client: GovernanceClient, person: Person
) -> None:
    counter = a_counter("searches", kinds=["ACTION_KIND_SEARCH"])
    limit = a_rule("often", "checkpoint", "counters.searches >= 2", kinds=["ACTION_KIND_SEARCH"])
    four_eyes = a_rule(
        "two", "checkpoint", kinds=["ACTION_KIND_EXECUTE"],
        approval={"stages": [{"required": 2, "approvers": {"roles": ["owner"]}}]},
    )  # fmt: skip
    await make_live(client, person, counter, limit, four_eyes)
    for kind in ActionKind:
        await client.ask(person, gated(person, kind=kind))
        await client.ask(person, allowed(person), requires(person))
    answer = await client.rules.ReplayDecisions(
        ReplayDecisionsRequest(), metadata=me(client, person)
    )
    assert answer.replay.replayed == 3 * len(ActionKind)
    assert answer.replay.unchanged == answer.replay.replayed
    assert not answer.replay.decisions


def requires(person: Person) -> Any:
    return allowed(person, target_sphere="business", source_sphere="personal")
