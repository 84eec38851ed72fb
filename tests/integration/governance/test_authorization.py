"""Asking for actions: permits and blocks."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import grpc
import pytest

from chenu.governance.v1.authorization_service_pb2 import VerdictState
from chenu.governance.v1.decision_pb2 import Effect
from chenu_gate.action import Target
from chenu_gate.block import block_of
from chenu_gate.permit import PermitKeys, verify
from tests.integration.governance.conftest import Events
from tests.support.governance_client import (
    GovernanceClient,
    a_request,
    allowed,
    gated,
    principal,
)
from tests.support.identity import Person, StandInIdentity

PERMITTED = VerdictState.VERDICT_STATE_PERMITTED
BLOCKED = VerdictState.VERDICT_STATE_BLOCKED
DENIED = VerdictState.VERDICT_STATE_DENIED


async def test_an_allowed_action_gets_a_permit_that_its_executor_can_check_offline(
    client: GovernanceClient, person: Person, permit_key_set: PermitKeys, superuser: Any
) -> None:
    action = allowed(person)
    epoch = await superuser.fetchval("SELECT epoch FROM governance.freeze")

    verdict = await client.ask_one(person, action)

    assert verdict.state == PERMITTED
    assert (verdict.decision.effect, verdict.decision.rule) == (Effect.EFFECT_ALLOW, "reading")
    permitted = verify(
        verdict.permit,
        permit_key_set,
        audience="threads",
        action_bytes=action.canonical(),
        now=datetime.now(UTC),
    )
    assert permitted.permit.decision == verdict.decision.decision_id
    assert permitted.permit.freeze_epoch == epoch
    assert permitted.permit.expires_at == verdict.permit_expire_time.ToDatetime(UTC)


async def test_a_gated_action_waits_for_its_person_and_then_gets_its_permit(
    client: GovernanceClient, person: Person
) -> None:
    request, checkpoint = await client.blocked(person)

    await client.approve(person, checkpoint)
    (verdict,) = await client.ask(person, request)

    assert verdict.state == PERMITTED
    assert verdict.permit
    assert verdict.decision.checkpoint_id == checkpoint.checkpoint_id


async def test_whoever_asks_for_one_gated_action_gets_the_block_as_an_error(
    client: GovernanceClient, person: Person
) -> None:
    action = gated(person)

    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await client.ask_one(person, action)

    assert failure.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    block = block_of(failure.value)
    assert block is not None
    assert block.run_id == action.run
    (checkpoint,) = block.checkpoints
    assert checkpoint.action == "thread.delete (delete)"
    assert checkpoint.action_digest == action.digest
    assert checkpoint.review_uri.endswith(checkpoint.checkpoint_id)
    assert [option.id for option in checkpoint.options] == ["approve", "reject"]
    assert checkpoint.view_digest == (await client.get(person, checkpoint.checkpoint_id)).etag
    assert "le projet est clos" in checkpoint.preview


async def test_a_plan_gets_a_verdict_for_each_action_in_its_order(
    client: GovernanceClient, person: Person
) -> None:
    forbidden = gated(person, targets=(Target("identity", client.identity.somebody_elses()),))

    verdicts = await client.ask(person, gated(person), allowed(person), forbidden, gated(person))

    assert [verdict.state for verdict in verdicts] == [BLOCKED, PERMITTED, DENIED, BLOCKED]
    assert verdicts[2].decision.rule == "identity_boundary"
    assert len({verdict.decision.decision_id for verdict in verdicts}) == 4


async def test_an_agent_may_ask_for_what_it_does_itself(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    agent = str(uuid4())
    action = allowed(person, principal=principal(person, agent))

    as_agent = await client.ask_one(person, action, identity.as_agent(person, agent))
    (for_nova,) = await client.ask(person, action, metadata=identity.as_nova(person, agent))

    assert (as_agent.state, for_nova.state) == (PERMITTED, PERMITTED)


async def test_asking_for_a_checkpoint_gates_what_the_rules_allow(
    client: GovernanceClient, person: Person
) -> None:
    (verdict,) = await client.ask(person, a_request(allowed(person), requires_checkpoint=True))

    assert verdict.state == BLOCKED
    assert verdict.decision.rule == "requested_checkpoint"


async def test_a_plan_of_32_actions_that_all_wait_is_decided_at_once(
    client: GovernanceClient, person: Person
) -> None:
    verdicts = await client.ask(person, *[gated(person) for _ in range(32)])

    assert {verdict.state for verdict in verdicts} == {BLOCKED}
    assert len({verdict.checkpoint.checkpoint_id for verdict in verdicts}) == 32


@pytest.mark.parametrize("text", ["x" * 30_000, "\u202e" * 9_000, "é" * 15_000])
async def test_a_block_stays_below_six_kilobytes_whatever_the_action_holds(
    client: GovernanceClient, person: Person, text: str
) -> None:
    action = gated(
        person,
        arguments={"text": text},
        targets=tuple(Target("thread", f"{n}{text[:1000]}") for n in range(1)),
    )

    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await client.ask_one(person, a_request(action, agent_words="trust me " * 400))

    trailers = dict(failure.value.trailing_metadata() or ())
    assert len(trailers["grpc-status-details-bin"]) < 6 * 1024
    block = block_of(failure.value)
    assert block is not None
    assert len(block.checkpoints) == 1


async def test_an_allowed_plan_asks_nothing_of_identity(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    await client.ask(person, allowed(person), allowed(person))

    assert not [r for r in identity.eligibility_asked if r.tenant_id == person.tenant]


async def test_row_33_a_decision_and_its_checkpoint_leave_one_audit_event_each_without_content(
    client: GovernanceClient, person: Person, events: Events
) -> None:
    action = gated(person)
    request, checkpoint = await client.blocked(person, action, agent_words="because I say so")
    (verdict,) = await client.ask(person, request)

    (made,) = await events(f"decision/{verdict.decision.decision_id}")
    (created,) = await events(f"checkpoint/{checkpoint.checkpoint_id}")

    assert made["type"] == "chenu.governance.decision.made"
    assert made["data"]["reason"] == "CHECKPOINT"
    assert made["data"]["details"]["action_digest"] == action.digest
    assert made["data"]["details"]["rule"] == "destructive_action"
    assert made["data"]["actor"]["service"] == "nova"
    assert made["identity"] == created["identity"] == person.identity
    assert created["type"] == "chenu.governance.checkpoint.created"
    assert (created["data"]["stream"], created["data"]["version"]) == (
        f"checkpoint/{checkpoint.checkpoint_id}",
        "1",
    )
    told = json.dumps([made, created], ensure_ascii=False)
    for content in ("le projet est clos", "because I say so", "Delete thread"):
        assert content not in told
