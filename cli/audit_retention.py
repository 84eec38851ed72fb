"""`chenu audit erase|hold|release|holds`: what the log may forget, and what it must not."""

from collections.abc import Iterable
from typing import Annotated
from uuid import uuid4

import typer
from rich.console import RenderableType

from chenu.audit.v1.retention_service_pb2 import (
    EraseSubjectRequest,
    Hold,
    ListHoldsRequest,
    PlaceHoldRequest,
    ReleaseHoldRequest,
)
from chenu.audit.v1.retention_service_pb2_grpc import RetentionServiceStub
from cli.here import Here
from cli.people import Who, person_id
from cli.rendering import safe, table, when


async def erase(
    here: Here,
    person: Who,
    *,
    rule: Annotated[str, typer.Option(help='The rule it is done under, as a word: "gdpr-17".')],
) -> None:
    """Erase a person: what they wrote, are called and can be recognised by. Proofs stay."""
    answer = await here.connection.stub(RetentionServiceStub).EraseSubject(
        EraseSubjectRequest(person_id=await person_id(here.connection, person), rule=rule)
    )
    words = "erased" if answer.erased else "their key was gone already"
    waiting = ", ".join(answer.pending_services)
    later = f"; still asking {waiting}, which goes on by itself" if waiting else ""
    here.show(
        answer, lambda found: f"{words}; {found.records} records stay, sealed for good{later}"
    )


async def hold(
    here: Here,
    *,
    matter: Annotated[str, typer.Option(help='What it is for, as a word: "case-7".')],
    person: Annotated[str, typer.Option(help="Only of this person; else the whole tenant.")] = "",
) -> None:
    """Forbid erasing and pruning until the hold is released."""
    request = PlaceHoldRequest(hold_id=str(uuid4()), person_id=person, matter=matter)
    answer = await here.connection.stub(RetentionServiceStub).PlaceHold(request)
    here.show(answer, lambda found: holds_table([found.hold]))


async def release(
    here: Here, hold_id: Annotated[str, typer.Argument(help="The hold's id.")]
) -> None:
    """End a hold."""
    answer = await here.connection.stub(RetentionServiceStub).ReleaseHold(
        ReleaseHoldRequest(hold_id=hold_id)
    )
    here.show(answer, lambda found: holds_table([found.hold]))


async def list_holds(here: Here) -> None:
    """List the tenant's holds, the latest first."""
    answer = await here.connection.stub(RetentionServiceStub).ListHolds(ListHoldsRequest())
    here.show(answer, lambda found: holds_table(found.holds))


def holds_table(holds: Iterable[Hold]) -> RenderableType:
    """Holds, one line each."""
    return table(
        ("hold", "matter", "whom", "placed", "released"),
        (
            (
                one.hold_id,
                safe(one.matter),
                one.person_id or "the whole tenant",
                when(one.place_time),
                when(one.release_time) if one.HasField("release_time") else "",
            )
            for one in holds
        ),
        empty="No holds.",
    )
