"""`chenu endpoints …`: places outside that actions may send to."""

from collections.abc import Iterable
from typing import Annotated
from uuid import uuid4

import typer
from google.protobuf.field_mask_pb2 import FieldMask
from rich.console import Group, RenderableType
from rich.text import Text

from chenu.courier.v1.endpoint_pb2 import Endpoint
from chenu.courier.v1.endpoint_service_pb2 import (
    CreateEndpointRequest,
    CreateEndpointResponse,
    DeleteEndpointRequest,
    GetEndpointRequest,
    ListEndpointsRequest,
    UpdateEndpointRequest,
)
from chenu.courier.v1.endpoint_service_pb2_grpc import EndpointServiceStub
from cli.command import command
from cli.connection import Connection
from cli.here import Here
from cli.identifiers import every, resolve
from cli.problems import UsageProblem
from cli.rendering import ago, facts, one_line, safe, short, table

Which = Annotated[str, typer.Argument(metavar="ENDPOINT", help="Its name, its id, an end of it.")]


async def endpoint_id(connection: Connection, typed: str) -> str:
    """The id of the endpoint that was meant."""
    stub = connection.stub(EndpointServiceStub)
    request = ListEndpointsRequest(page_size=200)
    known = every(stub.ListEndpoints, request, "endpoints", lambda one: str(one.name))
    return await resolve(typed, "endpoint", known, by_name=True)


async def create_endpoint(
    connection: Connection, name: str, url: str, *, idempotent: bool = False, request_id: str = ""
) -> CreateEndpointResponse:
    """Register an endpoint; the answer holds its secret, this once."""
    request = CreateEndpointRequest(
        name=name, url=url, idempotent=idempotent, request_id=request_id or str(uuid4())
    )
    return await connection.stub(EndpointServiceStub).CreateEndpoint(request)


async def list_endpoints(here: Here) -> None:
    """List your endpoints by name."""
    answer = await here.connection.stub(EndpointServiceStub).ListEndpoints(
        ListEndpointsRequest(page_size=200)
    )
    here.show(answer, lambda found: endpoints_table(found.endpoints))


async def add(
    here: Here,
    name: Annotated[str, typer.Argument(help="How you and Nova call it.")],
    url: Annotated[str, typer.Argument(help="Where messages are posted.")],
    idempotent: Annotated[
        bool,
        typer.Option(
            "--idempotent",
            help="It takes a repeated webhook-id for what it is, so retries are safe.",
        ),
    ] = False,
) -> None:
    """Register a place outside; its signing secret is shown this once.

    Every message is signed as Standard Webhooks says: verify it with the secret.

    [bold]chenu endpoints add "Bookkeeping" https://hooks.example.org/chenu[/bold]
    """
    made = await create_endpoint(here.connection, name, url, idempotent=idempotent)
    here.show(made, _made)


async def update(
    here: Here,
    which: Which,
    name: Annotated[str, typer.Option(help="A new name.")] = "",
    url: Annotated[str, typer.Option(help="A new address.")] = "",
    enabled: Annotated[bool | None, typer.Option("--enable/--disable")] = None,
    idempotent: Annotated[bool | None, typer.Option("--idempotent/--not-idempotent")] = None,
) -> None:
    """Change an endpoint; what was approved for the old one is then no longer good."""
    wanted = Endpoint(name=name, url=url, disabled=enabled is False, idempotent=idempotent is True)
    given = {"name": name, "url": url, "disabled": enabled, "idempotent": idempotent}
    paths = [field for field, value in given.items() if value not in ("", None)]
    if not paths:
        raise UsageProblem("what should change? see chenu endpoints update --help")
    stub = here.connection.stub(EndpointServiceStub)
    identifier = await endpoint_id(here.connection, which)
    found = (await stub.GetEndpoint(GetEndpointRequest(endpoint_id=identifier))).endpoint
    answer = await stub.UpdateEndpoint(
        UpdateEndpointRequest(
            endpoint_id=identifier,
            endpoint=wanted,
            update_mask=FieldMask(paths=paths),
            etag=found.etag,
        )
    )
    here.show(answer, lambda made: _facts(made.endpoint))


async def remove(here: Here, which: Which) -> None:
    """Remove an endpoint; its deliveries stay in the log."""
    identifier = await endpoint_id(here.connection, which)
    answer = await here.connection.stub(EndpointServiceStub).DeleteEndpoint(
        DeleteEndpointRequest(endpoint_id=identifier)
    )
    here.show(answer, lambda _: f"Endpoint {short(identifier)} is removed.")


def endpoints_table(endpoints: Iterable[Endpoint]) -> RenderableType:
    """Endpoints, one line each."""
    return table(
        ("endpoint", "name", "url", "retries", "state", "changed"),
        (
            (
                short(one.endpoint_id),
                one_line(one.name, 40),
                safe(one.url),
                "safe" if one.idempotent else "never",
                "disabled" if one.disabled else "enabled",
                ago(one.update_time),
            )
            for one in endpoints
        ),
        empty="No endpoints. Register one: chenu endpoints add NAME URL",
    )


def _facts(endpoint: Endpoint) -> RenderableType:
    return facts(
        (
            ("endpoint", endpoint.endpoint_id),
            ("name", safe(endpoint.name)),
            ("url", safe(endpoint.url)),
            ("state", "disabled" if endpoint.disabled else "enabled"),
            ("retries", "safe" if endpoint.idempotent else "never"),
            ("etag", endpoint.etag),
        )
    )


def _made(made: CreateEndpointResponse) -> RenderableType:
    if not made.secret:
        return _facts(made.endpoint)
    words = "Keep the secret now, it is not shown again:"
    return Group(_facts(made.endpoint), Text(words, style="yellow"), Text(made.secret))


def register_commands(app: typer.Typer) -> None:
    """Add them to the application."""
    group = typer.Typer(no_args_is_help=True, help="Places outside that actions may send to.")
    command(group, "list")(list_endpoints)
    command(group, "add")(add)
    command(group, "update")(update)
    command(group, "remove")(remove)
    app.add_typer(group, name="endpoints", rich_help_panel="Things")
