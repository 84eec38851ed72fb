"""`chenu identities …`: the capacities in which you act, and under which of them you go on."""

from collections.abc import Iterable
from typing import Annotated
from uuid import uuid4

import typer
from rich.console import RenderableType

from chenu.identity.v1.auth_service_pb2 import SwitchIdentityRequest, SwitchIdentityResponse
from chenu.identity.v1.auth_service_pb2_grpc import AuthServiceStub
from chenu.identity.v1.identity_pb2 import Identity
from chenu.identity.v1.identity_service_pb2 import CreateIdentityRequest, ListIdentitiesRequest
from chenu.identity.v1.identity_service_pb2_grpc import IdentityServiceStub
from cli.command import command
from cli.here import Here
from cli.identifiers import every, resolve
from cli.rendering import ago, one_line, safe, short, table, word
from cli.words import IDENTITY_TYPES, listed, number


async def list_identities(here: Here) -> None:
    """List your identities; the one that you act as is marked."""
    answer = await here.connection.stub(IdentityServiceStub).ListIdentities(
        ListIdentitiesRequest(page_size=200)
    )
    present = here.connection.credentials.file.load().identity_id
    here.show(answer, lambda found: identities_table(found.identities, present))


async def create(
    here: Here,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is called.")],
    kind: Annotated[str, typer.Option("--type", help=f"One of: {listed(IDENTITY_TYPES)}.")] = (
        "personal"
    ),
) -> None:
    """Make another identity of yours. What is another's is not seen from it.

    [bold]chenu identities create "Flower shop" --type enterprise[/bold]
    """
    request = CreateIdentityRequest(
        display_name=name,
        type=number(IDENTITY_TYPES, kind, "--type"),  # type: ignore[arg-type]
        request_id=str(uuid4()),
    )
    answer = await here.connection.stub(IdentityServiceStub).CreateIdentity(request)
    here.show(answer, lambda made: identities_table([made.identity]))


async def switch(
    here: Here,
    which: Annotated[
        str, typer.Argument(metavar="IDENTITY", help="A name, an id, a beginning or end of it.")
    ],
) -> None:
    """Go on as another identity of yours, in the same session.

    [bold]chenu identities switch "Flower shop"[/bold]
    """
    stub = here.connection.stub(IdentityServiceStub)
    request = ListIdentitiesRequest(page_size=200)
    known = every(stub.ListIdentities, request, "identities", lambda one: str(one.display_name))
    to = await resolve(which, "identity", known, by_name=True)
    answer = await here.connection.stub(AuthServiceStub).SwitchIdentity(
        SwitchIdentityRequest(identity_id=to)
    )
    here.connection.credentials.go_on_as(answer)
    answer.access_token = ""  # it is in the session's file, and nowhere on the screen
    here.show(answer, _switched)


def identities_table(identities: Iterable[Identity], present: str = "") -> RenderableType:
    """Identities, one line each."""
    return table(
        ("identity", "name", "type", "since", ""),
        (
            (
                short(one.identity_id),
                one_line(one.display_name, 40),
                word(one, "type"),
                ago(one.create_time),
                "you act as this one" if one.identity_id == present else "",
            )
            for one in identities
        ),
        empty="No identities.",
    )


def _switched(answer: SwitchIdentityResponse) -> str:
    return f"You act as {safe(answer.identity.display_name)} now."


def register_commands(app: typer.Typer) -> None:
    """Add them to the application."""
    group = typer.Typer(no_args_is_help=True, help="The capacities in which you act.")
    command(group, "list")(list_identities)
    command(group, "create")(create)
    command(group, "switch")(switch)
    app.add_typer(group, name="identities", rich_help_panel="You")
