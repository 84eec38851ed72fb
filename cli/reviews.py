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
    EditedTarget,
    EditedTargets,
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
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="An argument; may be repeated."),
    ] = None,
    targets: Annotated[
        list[str] | None,
        typer.Option("--target", metavar="JSON", help="All its targets, one each; see below."),
    ] = None,
    sphere: Annotated[
        str | None, typer.Option("--sphere", help="Into which sphere; empty for none.")
    ] = None,
) -> None:
    """Change what waits; the rules judge it anew, and votes begin anew. The tool stays.

    A text stays a text; anything else is read as JSON. A target takes what it leaves out from the
    one in its place.

    [bold]chenu edit 3f9a2b41 --set amount=90 --set note="second half"[/bold]
    [bold]chenu edit 3f9a2b41 --set account=acc-2 --target '{"id": "acc-2", "name": "Bea"}'[/bold]
    """
    if not settings and not targets and sphere is None:
        raise UsageProblem("nothing to change: see chenu edit --help")
    found = await get_checkpoint(here.connection, await checkpoint_id(here.connection, which))
    checked_view(found)
    action = json.loads(found.action)
    arguments = action["arguments"]
    for setting in settings or ():
        put(arguments, setting)
    answer = await here.connection.stub(ReviewServiceStub).EditCheckpoint(
        EditCheckpointRequest(
            checkpoint_id=found.checkpoint_id,
            etag=found.etag,
            arguments=json.dumps(arguments, ensure_ascii=False),
            targets=edited_targets(action["targets"], targets) if targets else None,
            target_sphere=sphere,
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


def edited_targets(before: list[dict[str, str]], given: list[str]) -> EditedTargets:
    """The targets that the given ones stand for, each over the one in its place."""
    edited = EditedTargets()
    for number, text in enumerate(given):
        try:
            wanted = json.loads(text)
            old = before[number] if number < len(before) else {}
            edited.targets.append(EditedTarget(**(old | wanted)))
        except (TypeError, ValueError):
            fields = ", ".join(field.name for field in EditedTarget.DESCRIPTOR.fields)
            raise UsageProblem(f"{text} is no target: a JSON object of {fields}") from None
    return edited


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
