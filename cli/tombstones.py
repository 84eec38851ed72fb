"""`chenu tombstones …`: rejections that hold."""

from collections.abc import Iterable
from typing import Annotated

import typer
from rich.console import RenderableType

from chenu.governance.v1.tombstone_pb2 import Tombstone
from chenu.governance.v1.tombstone_service_pb2 import LiftTombstoneRequest, ListTombstonesRequest
from chenu.governance.v1.tombstone_service_pb2_grpc import TombstoneServiceStub
from cli.command import PageOption, command
from cli.here import Here
from cli.identifiers import every, resolve
from cli.rendering import ago, one_line, short, table, when, word

Which = Annotated[str, typer.Argument(metavar="CHECKPOINT", help="Its id, or an end of it.")]


async def list_tombstones(
    here: Here,
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many.")] = 50,
    page: PageOption = "",
) -> None:
    """List what you rejected and are therefore not asked again, the latest first."""
    answer = await here.connection.stub(TombstoneServiceStub).ListTombstones(
        ListTombstonesRequest(page_size=limit, page_token=page)
    )
    here.show(answer, lambda found: tombstones_table(found.tombstones))


async def lift(here: Here, which: Which) -> None:
    """Let the like of a rejected action be asked again; it approves nothing."""
    stub = here.connection.stub(TombstoneServiceStub)
    request = ListTombstonesRequest(page_size=200)
    known = every(stub.ListTombstones, request, "tombstones", lambda one: str(one.tool))
    chosen = await resolve(which, "checkpoint", known)
    answer = await stub.LiftTombstone(LiftTombstoneRequest(checkpoint_id=chosen))
    here.show(answer, lambda _: "Lifted: its like may be asked again.")


def tombstones_table(found: Iterable[Tombstone]) -> RenderableType:
    """Tombstones, one line each."""
    return table(
        ("checkpoint", "tool", "kind", "rejected", "holds until"),
        (
            (
                short(one.checkpoint_id),
                one_line(one.tool, 60),
                word(one, "action_kind"),
                ago(one.create_time),
                when(one.end_time),
            )
            for one in found
        ),
        empty="No rejection holds now.",
    )


def register_commands(app: typer.Typer) -> None:
    """Add them to the application."""
    group = typer.Typer(no_args_is_help=True, help="Rejections that hold.")
    command(group, "list")(list_tombstones)
    command(group, "lift")(lift)
    app.add_typer(group, name="tombstones", rich_help_panel="Deciding")
