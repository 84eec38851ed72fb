"""`chenu claim`, `release`, `assign`, `comment`, `ask`, `edit`: before a checkpoint is decided."""

import json
from typing import Annotated, Any

import typer

from chenu.governance.v1.checkpoint_pb2 import Checkpoint
from chenu.governance.v1.review_service_pb2 import (
    AssignCheckpointRequest,
    ClaimCheckpointRequest,
    CommentCheckpointRequest,
    EditCheckpointRequest,
    ReleaseCheckpointRequest,
)
from chenu.governance.v1.review_service_pb2_grpc import ReviewServiceStub
from chenu_gate.view import short_digest
from cli.checkpoint_lookup import checkpoint_id
from cli.command import command
from cli.here import Here
from cli.people import person_id
from cli.problems import UsageProblem
from cli.rendering import safe, short, when
from cli.view import checkpoint_view
from cli.view_check import checked_view
from cli.voting import get_checkpoint

Which = Annotated[str, typer.Argument(metavar="CHECKPOINT", help="Its id, or an end of it.")]
Minutes = Annotated[int, typer.Option(min=1, max=480, help="For so long.")]
Text = Annotated[str, typer.Argument(help="What you say; everybody who sees it reads it.")]


async def claim(here: Here, which: Which, minutes: Minutes = 15) -> None:
    """Reserve a checkpoint: until then nobody else approves it. Rejecting stays possible."""
    request = ClaimCheckpointRequest(
        checkpoint_id=await checkpoint_id(here.connection, which), minutes=minutes
    )
    answer = await here.connection.stub(ReviewServiceStub).ClaimCheckpoint(request)
    here.show(answer, lambda told: _claimed(told.checkpoint))


async def release(here: Here, which: Which) -> None:
    """Give your reservation up."""
    request = ReleaseCheckpointRequest(checkpoint_id=await checkpoint_id(here.connection, which))
    answer = await here.connection.stub(ReviewServiceStub).ReleaseCheckpoint(request)
    here.show(answer, lambda told: _claimed(told.checkpoint))


async def assign(
    here: Here,
    which: Which,
    person: Annotated[str, typer.Argument(help="Who shall look: a name, an id, an end of it.")],
    minutes: Minutes = 15,
) -> None:
    """Reserve a checkpoint for somebody else who may approve it now."""
    request = AssignCheckpointRequest(
        checkpoint_id=await checkpoint_id(here.connection, which),
        person_id=await person_id(here.connection, person),
        minutes=minutes,
    )
    answer = await here.connection.stub(ReviewServiceStub).AssignCheckpoint(request)
    here.show(answer, lambda told: _claimed(told.checkpoint))


async def comment(here: Here, which: Which, text: Text) -> None:
    """Say something about a checkpoint; it decides nothing."""
    await _remark(here, which, text, is_question=False)


async def ask(here: Here, which: Which, text: Text) -> None:
    """Ask for what you must know before you decide; somebody answers with a comment."""
    await _remark(here, which, text, is_question=True)


async def edit(
    here: Here,
    which: Which,
    settings: Annotated[
        list[str],
        typer.Option("--set", metavar="PATH=VALUE", help="An argument; may be repeated."),
    ],
) -> None:
    """Change the arguments of what waits; the rules judge it anew, and votes begin anew.

    A text stays a text; anything else is read as JSON. The tool and its targets stay.

    [bold]chenu edit 3f9a2b41 --set amount=90 --set note="second half"[/bold]
    """
    found = await get_checkpoint(here.connection, await checkpoint_id(here.connection, which))
    checked_view(found)
    arguments = json.loads(found.action)["arguments"]
    for setting in settings:
        put(arguments, setting)
    answer = await here.connection.stub(ReviewServiceStub).EditCheckpoint(
        EditCheckpointRequest(
            checkpoint_id=found.checkpoint_id,
            etag=found.etag,
            arguments=json.dumps(arguments, ensure_ascii=False),
        )
    )
    edited = answer.checkpoint
    here.show(answer, lambda _: checkpoint_view(edited, checked_view(edited)))
    here.tell(f"Revision {edited.revision} waits now; votes are for {short_digest(edited.etag)}.")


def put(arguments: dict[str, Any], setting: str) -> None:
    """Put a PATH=VALUE into the arguments; a text stays a text, other types are kept."""
    path, equals, text = setting.partition("=")
    if not equals or not path:
        raise UsageProblem(f"{setting} is not PATH=VALUE")
    *outer, last = path.split(".")
    place: Any = arguments
    for step in outer:
        place = place.get(step) if isinstance(place, dict) else None
    if not isinstance(place, dict):
        raise UsageProblem(f"there is no argument {path} to set")
    if isinstance(place.get(last), str):
        place[last] = text
        return
    try:
        place[last] = json.loads(text)
    except json.JSONDecodeError:
        if last in place:
            raise UsageProblem(f"{path} is not a text: its value must be JSON") from None
        place[last] = text


async def _remark(here: Here, which: str, text: str, *, is_question: bool) -> None:
    request = CommentCheckpointRequest(
        checkpoint_id=await checkpoint_id(here.connection, which),
        text=text,
        is_question=is_question,
    )
    answer = await here.connection.stub(ReviewServiceStub).CommentCheckpoint(request)
    here.show(answer, lambda told: f"Kept: {safe(told.checkpoint.remarks[-1].text)}")


def _claimed(checkpoint: Checkpoint) -> str:
    if not checkpoint.claimed_by:
        return f"Checkpoint {short(checkpoint.checkpoint_id)} is reserved for nobody."
    until = when(checkpoint.claim_until)
    who = short(checkpoint.claimed_by)
    return f"Checkpoint {short(checkpoint.checkpoint_id)} is reserved for {who} until {until}."


def register_commands(app: typer.Typer) -> None:
    """Add them to the application."""
    for name, function in (
        ("claim", claim), ("release", release), ("assign", assign), ("comment", comment),
        ("ask", ask), ("edit", edit),
    ):  # fmt: skip
        command(app, name, rich_help_panel="Deciding")(function)
