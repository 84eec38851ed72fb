"""What approval systems are compared by, in the matter of rules; each test bears its row."""

import json
from uuid import uuid4

import grpc

from chenu.governance.v1.authorization_service_pb2 import VerdictState
from chenu.governance.v1.review_service_pb2 import EditCheckpointRequest
from chenu.governance.v1.review_service_pb2_grpc import ReviewServiceStub
from chenu.governance.v1.rule_service_pb2 import (
    GetRuleRevisionRequest,
    ListShadowVerdictsRequest,
    ReplayDecisionsRequest,
)
from chenu_gate.action import ActionKind, Target
from tests.support.governance_client import GovernanceClient, allowed, gated
from tests.support.identity import Person
from tests.support.refusals import refused
from tests.support.rules import a_document, a_rule, ask_for, make_live, put_in, put_in_shadow

NO_SEARCH = a_rule("no_search", "deny", kinds=["ACTION_KIND_SEARCH"])
NO_DELETE = a_rule("no_delete", "deny", kinds=["ACTION_KIND_DELETE"])
PERMITTED = VerdictState.VERDICT_STATE_PERMITTED
BLOCKED = VerdictState.VERDICT_STATE_BLOCKED
DENIED = VerdictState.VERDICT_STATE_DENIED


async def test_row_21_a_decision_and_what_people_see_of_it_are_bound_to_a_revision_of_the_rules(
    client: GovernanceClient, person: Person
) -> None:
    revision = await make_live(client, person, NO_SEARCH)
    _, blocked = await client.blocked(person)
    checkpoint = await client.get(person, blocked.checkpoint_id)
    assert checkpoint.rule_revision == revision
    # The revision is part of the view, whose digest every vote must carry.
    assert json.loads(checkpoint.view)["stopped_by"]["revision"] == revision
    told = await client.rules.GetRuleRevision(
        GetRuleRevisionRequest(revision=revision), metadata=client.identity.as_human(person)
    )
    assert [rule.code for rule in told.revision.document.rules] == ["no_search"]


async def test_row_27_what_waits_stays_with_the_rules_that_it_was_asked_under(
    client: GovernanceClient, person: Person
) -> None:
    request, blocked = await client.blocked(person)
    before = await client.get(person, blocked.checkpoint_id)
    await make_live(client, person, NO_DELETE)

    (later,) = await client.ask(person, gated(person))
    assert later.state == DENIED
    after = await client.get(person, blocked.checkpoint_id)
    assert (after.rule, after.rule_revision) == (before.rule, before.rule_revision)
    assert after.etag == before.etag
    await client.approve(person, blocked)
    (verdict,) = await client.ask(person, request)
    assert verdict.state == PERMITTED
    assert verdict.decision.rule_revision == before.rule_revision


async def test_row_28_rules_are_declared_in_a_language_of_their_own(
    client: GovernanceClient, person: Person
) -> None:
    condition = 'action.targets.exists(t, t.name.startsWith("Secret")) || size(action.tool) > 40'
    await make_live(client, person, a_rule("secrets", "deny", condition))
    secret = Target("thread", str(uuid4()), "v1", "Secret plans")
    verdicts = await client.ask(person, allowed(person, targets=(secret,)), allowed(person))
    assert [verdict.state for verdict in verdicts] == [DENIED, PERMITTED]


async def test_row_29_rules_in_the_shadow_are_judged_beside_those_that_hold(
    client: GovernanceClient, person: Person
) -> None:
    await put_in_shadow(client, person, NO_SEARCH)
    (verdict,) = await client.ask(person, allowed(person))
    assert verdict.state == PERMITTED
    listed = await client.rules.ListShadowVerdicts(
        ListShadowVerdictsRequest(), metadata=client.identity.as_human(person)
    )
    assert [one.decision.rule for one in listed.verdicts] == ["no_search"]


async def test_row_30_a_candidate_is_replayed_over_what_was_really_decided(
    client: GovernanceClient, person: Person
) -> None:
    await client.ask(person, *(allowed(person) for _ in range(3)), gated(person))
    candidate = a_document(NO_SEARCH)
    answer = await client.rules.ReplayDecisions(
        ReplayDecisionsRequest(document=candidate), metadata=client.identity.as_human(person)
    )
    assert (answer.replay.tightened, answer.replay.unchanged) == (3, 1)
    same = await client.rules.ReplayDecisions(
        ReplayDecisionsRequest(), metadata=client.identity.as_human(person)
    )
    assert same.replay.unchanged == same.replay.replayed == 4


async def test_row_31_what_no_rule_knows_and_what_cannot_be_judged_waits_or_is_refused(
    client: GovernanceClient, person: Person
) -> None:
    unknown = allowed(person, kind=ActionKind.EXECUTE)
    (verdict,) = await client.ask(person, unknown)
    assert (verdict.state, verdict.decision.rule) == (BLOCKED, "unmatched")

    await make_live(client, person, a_rule("broken", "deny", "action.arguments.missing > 1"))
    (verdict,) = await client.ask(person, allowed(person))
    assert (verdict.state, verdict.decision.rule) == (DENIED, "broken")


async def test_nobody_edits_what_governance_found_out_about_a_promotion(
    client: GovernanceClient, person: Person, channel: grpc.aio.Channel
) -> None:
    asked = await ask_for(client, person, (await put_in(client, person, NO_SEARCH)).revision)
    waiting = asked.verdict.checkpoint
    edit = EditCheckpointRequest(
        checkpoint_id=waiting.checkpoint_id,
        etag=waiting.view_digest,
        arguments=json.dumps({"required_approvals": 0}),
    )
    await refused(
        ReviewServiceStub(channel).EditCheckpoint(edit, metadata=client.identity.as_human(person)),
        grpc.StatusCode.INVALID_ARGUMENT,
        "EDIT_REFUSED",
    )
