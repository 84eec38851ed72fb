"""`chenu deliveries …`: what was sent outside, and what became of it."""

from collections.abc import Iterable
from typing import Annotated

import typer
from rich.console import RenderableType

from chenu.courier.v1.delivery_pb2 import Delivery
from chenu.courier.v1.delivery_service_pb2 import (
    GetDeliveryRequest,
    ListDeliveriesRequest,
    ReconcileDeliveryRequest,
)
from chenu.courier.v1.delivery_service_pb2_grpc import DeliveryServiceStub
from cli.command import PageOption, command
from cli.connection import Connection
from cli.endpoints import endpoint_id
from cli.here import Here
from cli.identifiers import every, resolve
from cli.rendering import ago, facts, safe, short, state, table, when, word
from cli.words import DELIVERY_STATES, listed, number

Which = Annotated[str, typer.Argument(metavar="DELIVERY", help="Its id, or an end of it.")]


async def delivery_id(connection: Connection, typed: str) -> str:
    """The id of the delivery that was meant."""
    stub = connection.stub(DeliveryServiceStub)
    request = ListDeliveriesRequest(page_size=200)
    known = every(stub.ListDeliveries, request, "deliveries", lambda one: str(one.reason))
    return await resolve(typed, "delivery", known)


async def list_deliveries(
    here: Here,
    only: Annotated[str, typer.Option(help=f"Only these: {listed(DELIVERY_STATES)}.")] = "",
    endpoint: Annotated[str, typer.Option(help="Only those to this endpoint.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many.")] = 50,
    page: PageOption = "",
) -> None:
    """List what was sent, the latest first."""
    answer = await here.connection.stub(DeliveryServiceStub).ListDeliveries(
        ListDeliveriesRequest(
            page_size=limit,
            page_token=page,
            state=number(DELIVERY_STATES, only, "--only"),  # type: ignore[arg-type]
            endpoint_id=await endpoint_id(here.connection, endpoint) if endpoint else "",
        )
    )
    here.show(answer, lambda found: deliveries_table(found.deliveries))


async def show(here: Here, which: Which) -> None:
    """Show one delivery."""
    request = GetDeliveryRequest(delivery_id=await delivery_id(here.connection, which))
    answer = await here.connection.stub(DeliveryServiceStub).GetDelivery(request)
    here.show(answer, lambda found: _facts(found.delivery))


async def reconcile(
    here: Here,
    which: Which,
    arrived: Annotated[
        bool,
        typer.Option("--arrived/--not-arrived", help="What you found out.", show_default=False),
    ],
    comment: Annotated[str, typer.Option("--comment", "-c", help="How you know.")] = "",
) -> None:
    """Settle a delivery whose end is unknown, once you looked whether it arrived.

    [bold]chenu deliveries reconcile 51bc02d7 --arrived --comment "they have it"[/bold]
    """
    answer = await here.connection.stub(DeliveryServiceStub).ReconcileDelivery(
        ReconcileDeliveryRequest(
            delivery_id=await delivery_id(here.connection, which),
            state="DELIVERY_STATE_SUCCEEDED" if arrived else "DELIVERY_STATE_FAILED",
            comment=comment,
        )
    )
    here.show(answer, lambda settled: _facts(settled.delivery))


def deliveries_table(deliveries: Iterable[Delivery]) -> RenderableType:
    """Deliveries, one line each."""
    return table(
        ("delivery", "state", "endpoint", "answer", "attempts", "sent", "reason"),
        (
            (
                short(one.delivery_id),
                state(word(one, "state")),
                short(one.endpoint_id),
                one.http_status or "",
                one.attempts,
                ago(one.create_time),
                safe(one.reason),
            )
            for one in deliveries
        ),
        empty="Nothing was sent yet.",
    )


def _facts(delivery: Delivery) -> RenderableType:
    return facts(
        (
            ("delivery", delivery.delivery_id),
            ("state", state(word(delivery, "state"))),
            ("settled by a person", "yes" if delivery.reconciled else ""),
            ("endpoint", delivery.endpoint_id),
            ("decision", delivery.decision_id),
            ("body digest", delivery.payload_digest),
            ("attempts", delivery.attempts),
            ("answer", delivery.http_status or ""),
            ("reason", safe(delivery.reason)),
            ("sent", when(delivery.create_time)),
            ("ended", when(delivery.finish_time)),
        )
    )


def register_commands(app: typer.Typer) -> None:
    """Add them to the application."""
    group = typer.Typer(no_args_is_help=True, help="What was sent outside.")
    command(group, "list")(list_deliveries)
    command(group, "show")(show)
    command(group, "reconcile")(reconcile)
    app.add_typer(group, name="deliveries", rich_help_panel="Things")
