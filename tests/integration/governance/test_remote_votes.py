"""Votes from a mail or a chat: up to the risk class that the rule names, and known as such."""

from typing import Any
from uuid import uuid4

import grpc
import pytest

from chenu.governance.v1.checkpoint_pb2 import BlockedCheckpoint, CheckpointState
from chenu.governance.v1.checkpoint_service_pb2 import GetCheckpointRequest
from chenu_gate.action import ActionKind
from services.governance.settings import GovernanceSettings
from tests.support.approvals import tool
from tests.support.governance_client import GovernanceClient, gated
from tests.support.identity import Metadata, Person, bearer
from tests.support.refusals import refused

FAILED = grpc.StatusCode.FAILED_PRECONDITION
DENIED = grpc.StatusCode.PERMISSION_DENIED
LOW, MEDIUM, HIGH, CRITICAL = (
    ActionKind.UPDATE,
    ActionKind.EXECUTE,
    ActionKind.DELETE,
    ActionKind.PAYMENT,
)


def from_afar(
    client: GovernanceClient, person: Person, at: BlockedCheckpoint, *amr: str
) -> Metadata:
    token = client.identity.vote(
        person, at.checkpoint_id, at.view_digest, amr=list(amr or ("mail",))
    )
    return bearer(token, client.identity.service("gateway"))


async def waiting(
    client: GovernanceClient, person: Person, name: str, kind: ActionKind
) -> BlockedCheckpoint:
    _, at = await client.blocked(person, gated(person, tool=tool(name), kind=kind))
    return at


async def test_row_8_a_decision_from_a_mail_or_a_chat_counts_and_is_known_as_such(
    client: GovernanceClient, person: Person
) -> None:
    for means in ("mail", "chat"):
        at = await waiting(client, person, "plain", LOW)
        seen = await client.approve(person, at, metadata=from_afar(client, person, at, means))
        assert seen.state == CheckpointState.CHECKPOINT_STATE_APPROVED
        assert [vote.authentication for vote in seen.votes] == [means]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("plain", MEDIUM), ("plain", HIGH), ("remote", HIGH), ("remote", CRITICAL), ("log-in", LOW)],
)
async def test_above_the_class_that_the_rule_names_only_a_log_in_decides(
    client: GovernanceClient, person: Person, name: str, kind: ActionKind
) -> None:
    at = await waiting(client, person, name, kind)
    for means in (("mail",), ("chat",), ("pwd", "mail")):
        call = client.approve(person, at, metadata=from_afar(client, person, at, *means))
        await refused(call, FAILED, "LOGIN_REQUIRED")
    assert not (await client.get(person, at.checkpoint_id)).votes
    assert (await client.approve(person, at)).votes


async def test_a_rule_lets_more_be_decided_from_afar(
    client: GovernanceClient, person: Person
) -> None:
    at = await waiting(client, person, "remote", MEDIUM)
    seen = await client.approve(person, at, metadata=from_afar(client, person, at))
    assert seen.state == CheckpointState.CHECKPOINT_STATE_APPROVED


async def test_a_ballot_votes_once_however_many_tokens_it_was_redeemed_for(
    client: GovernanceClient, person: Person
) -> None:
    at = await waiting(client, person, "plain", LOW)
    claims: dict[str, Any] = {"amr": ["mail"], "jti": str(uuid4())}
    first = client.identity.vote(person, at.checkpoint_id, at.view_digest, **claims)
    await client.approve(person, at, metadata=bearer(first))
    again = client.identity.vote(person, at.checkpoint_id, at.view_digest, ttl=61, **claims)
    seen = await client.approve(person, at, metadata=bearer(again))
    assert len(seen.votes) == 1
    call = client.approve(person, at, metadata=bearer(again), comment="another")
    await refused(call, grpc.StatusCode.ABORTED, "VOTE_TOKEN_USED")


async def test_a_vote_token_shows_the_checkpoint_that_it_was_bought_for_and_no_other(
    client: GovernanceClient, person: Person
) -> None:
    at = await waiting(client, person, "plain", LOW)
    other = await waiting(client, person, "plain", LOW)
    metadata = from_afar(client, person, at)

    shown = await client.checkpoints.GetCheckpoint(
        GetCheckpointRequest(checkpoint_id=at.checkpoint_id), metadata=metadata
    )

    assert (shown.checkpoint.etag, shown.checkpoint.view != "") == (at.view_digest, True)
    call = client.checkpoints.GetCheckpoint(
        GetCheckpointRequest(checkpoint_id=other.checkpoint_id), metadata=metadata
    )
    await refused(call, DENIED, "FORBIDDEN")
    batch = client.identity.as_batch_voter(person, [(at.checkpoint_id, at.view_digest)])
    call = client.checkpoints.GetCheckpoint(
        GetCheckpointRequest(checkpoint_id=at.checkpoint_id), metadata=batch
    )
    await refused(call, DENIED, "FORBIDDEN")
    call = client.checkpoints.GetCheckpoint(
        GetCheckpointRequest(checkpoint_id=at.checkpoint_id),
        metadata=from_afar(client, Person(tenant=person.tenant), at),
    )
    await refused(call, DENIED, "FORBIDDEN")


def test_a_service_may_be_set_to_take_no_decision_from_afar() -> None:
    words = ("none", "low", "medium", "high")
    urls: dict[str, Any] = {"database_url": "x", "worker_database_url": "x"}
    found = [GovernanceSettings(remote_risk_class=one, **urls).remote for one in words]
    assert found == [0, 1, 2, 3]
