"""`chenu inbox`, `show`, `approve`, `reject`: where a person decides."""

import sys
from typing import Annotated

import typer

from chenu.governance.v1.checkpoint_pb2 import Checkpoint, CheckpointState
from chenu.governance.v1.checkpoint_service_pb2 import (
    ApproveCheckpointResponse,
    GetCheckpointResponse,
    ListCheckpointsRequest,
    RejectCheckpointResponse,
)
from chenu.governance.v1.checkpoint_service_pb2_grpc import CheckpointServiceStub
from chenu_gate.view import short_digest
from cli.batches import approve_batch
from cli.checkpoint_lookup import checkpoint_id
from cli.command import PageOption, command
from cli.here import Here
from cli.problems import OK, Problem
from cli.rendering import safe, short, word
from cli.view import checkpoint_view, inbox_table
from cli.view_check import checked_view
from cli.voting import approve_checkpoint, digest_to_vote_on, get_checkpoint, reject_checkpoint
from cli.watching import follow_run
from cli.words import RISKS, listed, number

Which = Annotated[str, typer.Argument(metavar="CHECKPOINT", help="Its id, or an end of it.")]
Comment = Annotated[str, typer.Option("--comment", "-c", help="Why; it is kept with your vote.")]
Etag = Annotated[
    str,
    typer.Option("--etag", help="Vote only if the view still has this digest (or start of it)."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask once more.")]


async def inbox(
    here: Here,
    everything: Annotated[
        bool, typer.Option("--all", help="Decided ones as well, whatever became of them.")
    ] = False,
    risk: Annotated[str, typer.Option(help=f"Only of this risk or above: {listed(RISKS)}.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many.")] = 50,
    page: PageOption = "",
) -> None:
    """List what waits for your decision, the latest first.

    [bold]chenu inbox[/bold]
    [bold]chenu inbox --all --output json[/bold]
    """
    answer = await here.connection.stub(CheckpointServiceStub).ListCheckpoints(
        ListCheckpointsRequest(
            page_size=limit,
            page_token=page,
            all_states=everything,
            min_risk=number(RISKS, risk, "--risk"),  # type: ignore[arg-type]
        )
    )
    here.show(answer, lambda found: inbox_table(list(found.checkpoints)))
    if answer.checkpoints and not everything:
        here.tell("Next: chenu show CHECKPOINT, then chenu approve or reject CHECKPOINT.")


async def show(here: Here, which: Which) -> None:
    """Show exactly what would run, and what a vote would be bound to.

    Digests and bytes are checked here, not believed. What you were shown is noted: a later
    [bold]approve[/bold] is for this view, and fails if it has changed since.
    """
    found = await get_checkpoint(here.connection, await checkpoint_id(here.connection, which))
    checked = checked_view(found)
    here.connection.credentials.file.note_seen(found.checkpoint_id, found.etag)
    here.show(GetCheckpointResponse(checkpoint=found), lambda _: checkpoint_view(found, checked))
    if found.state == CheckpointState.CHECKPOINT_STATE_PENDING:
        end = short(found.checkpoint_id)
        here.tell(f"Next: chenu approve {end} --comment … or chenu reject {end} --comment …")


async def approve(  # noqa: PLR0917 - each is an option of the command
    here: Here,
    which: Which,
    comment: Comment = "",
    etag: Etag = "",
    batch: Annotated[
        list[str] | None,
        typer.Option("--batch", metavar="CHECKPOINT", help="And this one; may be repeated."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Then follow the run to its end.")] = False,
    yes: Yes = False,
) -> int:
    """Approve exactly what the view shows; the run then goes on by itself.

    [bold]chenu approve 3f9a2b41 --comment "yes, that one" --wait[/bold]
    [bold]chenu approve 3f9a2b41 --etag sha256:9d0c…[/bold]
    [bold]chenu approve 3f9a2b41 --batch 77c01e5d --batch 0a94be2f[/bold]
    """
    if batch:
        return await approve_batch(here, [which, *batch], comment, yes)
    found, digest = await _prepare(here, which, etag, "Approve", yes)
    decided = await approve_checkpoint(here.connection, found.checkpoint_id, digest, comment)
    if not wait or not decided.run_id:
        here.show(ApproveCheckpointResponse(checkpoint=decided), lambda _: _told(decided))
        return OK
    here.tell(_told(decided))
    return await follow_run(here, decided.run_id, past_checkpoints={decided.checkpoint_id})


async def reject(
    here: Here, which: Which, comment: Comment = "", etag: Etag = "", yes: Yes = False
) -> None:
    """Reject it: nothing of its plan is done. Nova hears your comment, and answers.

    [bold]chenu reject 3f9a2b41 --comment "the wrong thread"[/bold]
    """
    found, digest = await _prepare(here, which, etag, "Reject", yes)
    decided = await reject_checkpoint(here.connection, found.checkpoint_id, digest, comment)
    here.show(RejectCheckpointResponse(checkpoint=decided), lambda _: _told(decided))


async def _prepare(
    here: Here, which: str, etag: str, verb: str, yes: bool
) -> tuple[Checkpoint, str]:
    """The checkpoint and the digest to vote on, once the person has seen what it is."""
    found = await get_checkpoint(here.connection, await checkpoint_id(here.connection, which))
    session = here.connection.credentials.file.load()
    seen = session.seen.get(found.checkpoint_id, "")
    digest = digest_to_vote_on(found, etag, seen)
    if verb == "Approve":
        checked = checked_view(found)
        if not (etag or seen):
            here.tell(checkpoint_view(found, checked))
            pending = found.state == CheckpointState.CHECKPOINT_STATE_PENDING
            if pending and not (yes or here.json) and sys.stdin.isatty():
                _ask(f"{verb} exactly this?")
    here.tell(
        f"{safe(found.question)}\nThis vote is for the view {short_digest(digest)} ({digest})."
    )
    return found, digest


def _ask(question: str) -> None:
    if not typer.confirm(question):
        raise Problem("nothing was decided", reason="NOT_CONFIRMED")


def _told(decided: Checkpoint) -> str:
    told = f"Checkpoint {short(decided.checkpoint_id)} is {word(decided, 'state')}."
    missing = sum(stage.missing for stage in decided.stages)
    if decided.state == CheckpointState.CHECKPOINT_STATE_PENDING and missing:
        return f"{told} Your vote counts; {missing} more must approve."
    return told


def register_commands(app: typer.Typer) -> None:
    """Add them to the application."""
    panel = "Deciding"
    command(app, "inbox", rich_help_panel=panel)(inbox)
    command(app, "show", rich_help_panel=panel)(show)
    command(app, "approve", rich_help_panel=panel)(approve)
    command(app, "reject", rich_help_panel=panel)(reject)
