"""Many decisions at once: one token for exactly these views, each counted by itself."""

from typing import Any
from uuid import uuid4

import grpc

from chenu.governance.v1.approval_pb2 import RiskClass
from chenu.governance.v1.checkpoint_pb2 import BlockedCheckpoint, CheckpointState
from chenu.governance.v1.checkpoint_service_pb2 import (
    BatchDecideCheckpointsRequest,
    CheckpointDecision,
    CheckpointOutcome,
    ListCheckpointsRequest,
)
from chenu_gate.action import ActionKind
from tests.support.governance_client import GovernanceClient, gated
from tests.support.identity import Person
from tests.support.refusals import refused

DENIED = grpc.StatusCode.PERMISSION_DENIED


def decision(at: BlockedCheckpoint, option: str = "approve", **changes: Any) -> CheckpointDecision:
    fields = {"checkpoint_id": at.checkpoint_id, "etag": at.view_digest, "option_id": option}
    return CheckpointDecision(**{**fields, **changes})


async def decide(
    client: GovernanceClient,
    person: Person,
    *decisions: CheckpointDecision,
    metadata: Any = None,
) -> list[CheckpointOutcome]:
    ballots = [(one.checkpoint_id, one.etag) for one in decisions]
    answer = await client.checkpoints.BatchDecideCheckpoints(
        BatchDecideCheckpointsRequest(decisions=decisions),
        metadata=metadata or client.identity.as_batch_voter(person, ballots),
    )
    return list(answer.outcomes)


async def test_row_17_per_item_decisions_in_a_batch_addressed_by_id(
    client: GovernanceClient, person: Person
) -> None:
    """Approve, reject, a stale view, somebody else's and a missing one, in one batch."""
    waiting = [(await client.blocked(person))[1] for _ in range(4)]
    foreign = (await client.blocked(Person()))[1]
    await client.reject(person, waiting[3])
    stale = "sha256:" + "0" * 64

    outcomes = await decide(
        client,
        person,
        decision(waiting[1], "reject", comment="not this"),
        decision(waiting[0]),
        decision(waiting[2], etag=stale),
        decision(foreign),
        decision(waiting[3]),
    )

    assert [one.reason for one in outcomes] == [
        "", "", "ETAG_MISMATCH", "FORBIDDEN", "CHECKPOINT_NOT_PENDING",
    ]  # fmt: skip
    states = [(await client.get(person, one.checkpoint_id)).state for one in waiting]
    assert states == [
        CheckpointState.CHECKPOINT_STATE_APPROVED,
        CheckpointState.CHECKPOINT_STATE_REJECTED,
        CheckpointState.CHECKPOINT_STATE_PENDING,
        CheckpointState.CHECKPOINT_STATE_REJECTED,
    ]
    assert outcomes[1].checkpoint.state == CheckpointState.CHECKPOINT_STATE_APPROVED


async def test_the_token_is_good_for_exactly_these_views_and_once(
    client: GovernanceClient, person: Person
) -> None:
    first, second = [(await client.blocked(person))[1] for _ in range(2)]
    bought = client.identity.as_batch_voter(person, [(first.checkpoint_id, first.view_digest)])

    for given in (
        [decision(second)],
        [decision(first), decision(second)],
        [decision(first, etag=second.view_digest)],
    ):
        await refused(decide(client, person, *given, metadata=bought), DENIED, "NOT_ENTITLED")
    single = client.vote(person, first)
    await refused(decide(client, person, decision(first), metadata=single), DENIED, "NOT_ENTITLED")
    await refused(client.approve(person, first, metadata=bought), DENIED, "NOT_ENTITLED")
    (counted,) = await decide(client, person, decision(first), metadata=bought)
    (again,) = await decide(client, person, decision(first), metadata=bought)
    assert counted.reason == again.reason == ""
    assert len(again.checkpoint.votes) == 1
    (another,) = await decide(client, person, decision(first, "reject"), metadata=bought)
    assert another.reason == "VOTE_TOKEN_USED"


async def test_an_agent_or_nova_decides_no_batch(client: GovernanceClient, person: Person) -> None:
    at = (await client.blocked(person))[1]

    for metadata in (
        client.identity.as_human(person),
        client.identity.as_agent(person, str(uuid4())),
        client.identity.as_nova(person),
    ):
        await refused(
            decide(client, person, decision(at), metadata=metadata), DENIED, "CALLER_NOT_ALLOWED"
        )


async def test_the_top_class_is_never_approved_from_a_list_but_may_be_rejected(
    client: GovernanceClient, person: Person
) -> None:
    first, second = [
        (await client.blocked(person, gated(person, kind=ActionKind.PAYMENT)))[1] for _ in range(2)
    ]

    outcomes = await decide(client, person, decision(first), decision(second, "reject"))

    assert [one.reason for one in outcomes] == ["RISK_TOO_HIGH", ""]


async def test_a_checkpoint_is_named_once_in_a_batch(
    client: GovernanceClient, person: Person
) -> None:
    at = (await client.blocked(person))[1]

    await refused(
        decide(client, person, decision(at), decision(at, "reject")),
        grpc.StatusCode.INVALID_ARGUMENT,
        "BATCH_INVALID",
    )


async def test_the_list_shows_the_risk_filters_by_it_and_stays_in_the_order_of_time(
    client: GovernanceClient, person: Person
) -> None:
    kinds = (ActionKind.PAYMENT, ActionKind.CONFIGURE, ActionKind.DELETE)
    made = [
        (await client.blocked(person, gated(person, kind=kind)))[1].checkpoint_id for kind in kinds
    ]

    async def listed(**fields: Any) -> list[tuple[str, str]]:
        answer = await client.checkpoints.ListCheckpoints(
            ListCheckpointsRequest(include_total=True, **fields),
            metadata=client.identity.as_human(person),
        )
        assert answer.total_size == len(answer.checkpoints)
        return [
            (one.checkpoint_id, RiskClass.Name(one.risk).removeprefix("RISK_CLASS_"))
            for one in answer.checkpoints
        ]

    everything = list(zip(made, ("CRITICAL", "MEDIUM", "HIGH"), strict=True))[::-1]
    assert await listed() == everything
    assert await listed(min_risk=RiskClass.RISK_CLASS_HIGH) == [everything[0], everything[2]]
