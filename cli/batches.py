"""`chenu approve … --batch …`: many decisions by one confirmation, each for a view of its own."""

import sys
from collections.abc import Sequence

import typer
from rich.console import RenderableType

from chenu.governance.v1.checkpoint_pb2 import Checkpoint
from chenu.governance.v1.checkpoint_service_pb2 import (
    BatchDecideCheckpointsRequest,
    BatchDecideCheckpointsResponse,
    CheckpointDecision,
)
from chenu.governance.v1.checkpoint_service_pb2_grpc import CheckpointServiceStub
from cli.checkpoint_lookup import checkpoint_id
from cli.here import Here
from cli.problems import FAILED, OK, Problem
from cli.rendering import safe, short, state, table, word
from cli.view import checkpoint_view
from cli.view_check import checked_view
from cli.voting import get_checkpoint


async def approve_batch(here: Here, typed: Sequence[str], comment: str, yes: bool) -> int:
    """Show every view, ask once, and approve exactly what was shown."""
    shown = [await _show(here, one) for one in dict.fromkeys(typed)]
    asks = not (yes or here.json) and sys.stdin.isatty()
    if asks and not typer.confirm(f"Approve exactly these {len(shown)}?"):
        raise Problem("nothing was decided", reason="NOT_CONFIRMED")
    ballots = [(one.checkpoint_id, one.etag) for one in shown]
    token = await here.connection.credentials.batch_token(ballots)
    answer = await here.connection.stub(CheckpointServiceStub, token=token).BatchDecideCheckpoints(
        BatchDecideCheckpointsRequest(
            decisions=[
                CheckpointDecision(
                    checkpoint_id=identifier, etag=etag, option_id="approve", comment=comment
                )
                for identifier, etag in ballots
            ]
        )
    )
    here.show(answer, outcomes_table)
    return FAILED if any(one.reason for one in answer.outcomes) else OK


async def _show(here: Here, typed: str) -> Checkpoint:
    found = await get_checkpoint(here.connection, await checkpoint_id(here.connection, typed))
    here.tell(checkpoint_view(found, checked_view(found)))
    return found


def outcomes_table(answer: BatchDecideCheckpointsResponse) -> RenderableType:
    """What became of each, one line each."""
    return table(
        ("checkpoint", "state", "reason", "message"),
        (
            (
                short(one.checkpoint_id),
                state(word(one.checkpoint, "state")) if one.HasField("checkpoint") else "",
                safe(one.reason),
                safe(one.message),
            )
            for one in answer.outcomes
        ),
        empty="Nothing was decided.",
    )
