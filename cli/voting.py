"""Deciding: a vote on exactly one view, with a token that the session's secret bought."""

from typing import Final

from chenu.governance.v1.checkpoint_pb2 import Checkpoint
from chenu.governance.v1.checkpoint_service_pb2 import (
    ApproveCheckpointRequest,
    GetCheckpointRequest,
    RejectCheckpointRequest,
)
from chenu.governance.v1.checkpoint_service_pb2_grpc import CheckpointServiceStub
from cli.connection import Connection
from cli.problems import UsageProblem

_DIGEST: Final = len("sha256:") + 64
_SHORTEST: Final = len("sha256:") + 8


async def get_checkpoint(connection: Connection, checkpoint_id: str) -> Checkpoint:
    """The checkpoint with its action, view and votes."""
    request = GetCheckpointRequest(checkpoint_id=checkpoint_id)
    return (await connection.stub(CheckpointServiceStub).GetCheckpoint(request)).checkpoint


async def approve_checkpoint(
    connection: Connection, checkpoint_id: str, view_digest: str, comment: str = ""
) -> Checkpoint:
    """Approve what this view shows."""
    request = ApproveCheckpointRequest(
        checkpoint_id=checkpoint_id, etag=view_digest, comment=comment
    )
    voting = await _voting(connection, checkpoint_id, view_digest)
    return (await voting.ApproveCheckpoint(request)).checkpoint


async def reject_checkpoint(
    connection: Connection, checkpoint_id: str, view_digest: str, comment: str = ""
) -> Checkpoint:
    """Reject it."""
    request = RejectCheckpointRequest(
        checkpoint_id=checkpoint_id, etag=view_digest, comment=comment
    )
    voting = await _voting(connection, checkpoint_id, view_digest)
    return (await voting.RejectCheckpoint(request)).checkpoint


def digest_to_vote_on(checkpoint: Checkpoint, insisted: str, seen: str) -> str:
    """The digest that was insisted on, else that of the view last shown here, else the present one.

    An older one is sent all the same: governance then refuses the vote.
    """
    if not insisted:
        return seen or checkpoint.etag
    if not insisted.startswith("sha256:"):
        insisted = f"sha256:{insisted}"
    if len(insisted) == _DIGEST:
        return insisted
    if len(insisted) >= _SHORTEST and checkpoint.etag.startswith(insisted):
        return checkpoint.etag
    raise UsageProblem(
        "this --etag is not the beginning of the view's digest", f"chenu show {checkpoint.etag}"
    )


async def _voting(
    connection: Connection, checkpoint_id: str, view_digest: str
) -> CheckpointServiceStub:
    token = await connection.credentials.vote_token(checkpoint_id, view_digest)
    return connection.stub(CheckpointServiceStub, token=token)
