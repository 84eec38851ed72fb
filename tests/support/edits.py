"""Payments that wait, and other versions of them."""

import json
from typing import Any

from chenu.governance.v1.authorization_service_pb2 import ActionRequest
from chenu.governance.v1.checkpoint_pb2 import BlockedCheckpoint, Checkpoint
from chenu.governance.v1.review_service_pb2 import EditCheckpointRequest
from chenu.governance.v1.review_service_pb2_grpc import ReviewServiceStub
from chenu_gate.action import Action, ActionKind, Target
from tests.support.executor import PAY
from tests.support.governance_client import GovernanceClient, gated
from tests.support.identity import Person

ARGUMENTS = {"account": "acc-1", "amount": 100, "note": "rent", "express": False}


def a_payment(person: Person, **arguments: Any) -> Action:
    """100 euros of rent to a landlord; `arguments` replace what is said of it."""
    return gated(
        person,
        kind=ActionKind.PAYMENT,
        tool=PAY.pinned,
        targets=(Target("account", "acc-1", "v1", "Landlord"),),
        arguments=ARGUMENTS | arguments,
    )


async def edit(
    client: GovernanceClient,
    reviews: ReviewServiceStub,
    by: Person,
    at: BlockedCheckpoint | Checkpoint,
    arguments: dict[str, Any] | str,
    **changes: Any,
) -> Checkpoint:
    """Another version of what waits, by somebody; `changes` are other fields of the request."""
    text = arguments if isinstance(arguments, str) else json.dumps(ARGUMENTS | arguments)
    etag = at.view_digest if isinstance(at, BlockedCheckpoint) else at.etag
    given = {"checkpoint_id": at.checkpoint_id, "etag": etag, "arguments": text, **changes}
    answer = await reviews.EditCheckpoint(
        EditCheckpointRequest(**given), metadata=client.identity.as_human(by)
    )
    return answer.checkpoint


def as_blocked(checkpoint: Checkpoint) -> BlockedCheckpoint:
    """What the next vote is for."""
    return BlockedCheckpoint(checkpoint_id=checkpoint.checkpoint_id, view_digest=checkpoint.etag)


async def paying(
    client: GovernanceClient, person: Person, **arguments: Any
) -> tuple[ActionRequest, BlockedCheckpoint]:
    """A payment that waits."""
    return await client.blocked(person, a_payment(person, **arguments))
