"""`chenu freeze`, `freezes`, `unfreeze`: the brake."""

from collections.abc import Iterable
from typing import Annotated
from uuid import uuid4

import typer
from rich.console import RenderableType

from chenu.governance.v1.freeze_pb2 import Freeze, FreezeScope
from chenu.governance.v1.freeze_service_pb2 import (
    FreezeRequest,
    FreezeResponse,
    LiftFreezeRequest,
    ListFreezesRequest,
)
from chenu.governance.v1.freeze_service_pb2_grpc import FreezeServiceStub
from cli.agents import agent_id
from cli.command import PageOption, command
from cli.connection import Connection
from cli.here import Here
from cli.identifiers import every, resolve
from cli.problems import UsageProblem
from cli.rendering import ago, one_line, short, table, when, word
from cli.view import question

Which = Annotated[str, typer.Argument(metavar="FREEZE", help="Its id, or an end of it.")]


async def freeze(
    here: Here,
    agent: Annotated[str, typer.Option(help="Only this agent: name or id.")] = "",
    tool: Annotated[str, typer.Option(help="Only this tool, as thread.delete.")] = "",
    kind: Annotated[str, typer.Option(help="Only this kind of action, as send.")] = "",
    everybody: Annotated[
        bool, typer.Option("--everybody", help="Every tenant; for operators.")
    ] = False,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why.")] = "",
) -> None:
    """Stop everything of your tenant at once, or one agent, tool or kind of action.

    Permits that were given are void, and nothing new is permitted until people lift it.

    [bold]chenu freeze --reason "something is wrong"[/bold]
    [bold]chenu freeze --kind send[/bold]
    """
    chosen = {
        FreezeScope.FREEZE_SCOPE_AGENT: await agent_id(here.connection, agent) if agent else "",
        FreezeScope.FREEZE_SCOPE_TOOL: tool,
        FreezeScope.FREEZE_SCOPE_KIND: kind,
    }
    given = [(scope, value) for scope, value in chosen.items() if value]
    if len(given) + everybody > 1:
        raise UsageProblem("one of --agent, --tool, --kind, --everybody at a time")
    whole = FreezeScope.FREEZE_SCOPE_ALL if everybody else FreezeScope.FREEZE_SCOPE_TENANT
    scope, value = given[0] if given else (whole, "")
    answer = await here.connection.stub(FreezeServiceStub).Freeze(
        FreezeRequest(scope=scope, value=value, reason=reason)
    )
    here.show(answer, _frozen)


async def freezes(
    here: Here,
    everything: Annotated[bool, typer.Option("--all", help="Lifted ones as well.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many.")] = 50,
    page: PageOption = "",
) -> None:
    """List what is frozen, the latest first."""
    answer = await here.connection.stub(FreezeServiceStub).ListFreezes(
        ListFreezesRequest(page_size=limit, page_token=page, include_lifted=everything)
    )
    here.show(answer, lambda found: freezes_table(found.freezes))


async def unfreeze(here: Here, which: Which) -> None:
    """Ask for a freeze to be lifted: people must approve it, and it is held back for a while."""
    request = LiftFreezeRequest(
        freeze_id=await freeze_id(here.connection, which), request_id=str(uuid4())
    )
    answer = await here.connection.stub(FreezeServiceStub).LiftFreeze(request)
    here.show(answer, lambda asked: question(asked.verdict, "People must agree to it"))


async def freeze_id(connection: Connection, typed: str) -> str:
    """The id of the freeze that was meant."""
    stub = connection.stub(FreezeServiceStub)
    known = every(
        stub.ListFreezes, ListFreezesRequest(page_size=200), "freezes", lambda one: str(one.value)
    )
    return await resolve(typed, "freeze", known)


def freezes_table(found: Iterable[Freeze]) -> RenderableType:
    """Freezes, one line each."""
    return table(
        ("freeze", "stops", "which", "since", "in force for certain", "lifted", "why"),
        (
            (
                short(one.freeze_id),
                word(one, "scope"),
                one_line(one.value, 40),
                ago(one.create_time),
                when(one.effective_time),
                ago(one.lift_time),
                one_line(one.reason, 60),
            )
            for one in found
        ),
        empty="Nothing is frozen.",
    )


def _frozen(answer: FreezeResponse) -> str:
    made = answer.freeze
    return (
        f"Frozen: {word(made, 'scope')} {made.value}".rstrip()
        + f". Nothing of it starts after {when(made.effective_time)}, wherever it runs."
        + f"\nTo lift it: chenu unfreeze {short(made.freeze_id)}"
    )


def register_commands(app: typer.Typer) -> None:
    """Add them to the application."""
    panel = "Deciding"
    command(app, "freeze", rich_help_panel=panel)(freeze)
    command(app, "freezes", rich_help_panel=panel)(freezes)
    command(app, "unfreeze", rich_help_panel=panel)(unfreeze)
