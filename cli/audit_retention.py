"""`chenu audit erase|erasures|hold|release|holds`: what the log may forget, and what not."""

from collections.abc import Iterable
from typing import Annotated
from uuid import uuid4

import typer
from rich.console import RenderableType

from chenu.audit.v1.retention_service_pb2 import (
    EraseSubjectRequest,
    Erasure,
    Hold,
    ListErasuresRequest,
    ListHoldsRequest,
    PlaceHoldRequest,
    ReleaseHoldRequest,
)
from chenu.audit.v1.retention_service_pb2_grpc import RetentionServiceStub
from cli.command import PageOption
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


async def list_erasures(
    here: Here,
    *,
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many.")] = 50,
    page: PageOption = "",
) -> None:
    """List the tenant's erasures, the latest first: under way, and ended. It is recorded."""
    answer = await here.connection.stub(RetentionServiceStub).ListErasures(
        ListErasuresRequest(page_size=limit, page_token=page)
    )
    here.show(answer, lambda found: erasures_table(found.erasures))
    if answer.next_page_token:
        here.tell(f"more with --page {answer.next_page_token}")


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


def erasures_table(erasures: Iterable[Erasure]) -> RenderableType:
    """Erasures, one line each."""
    return table(
        ("person", "rule", "begun", "ended", "waits for", "asked once more"),
        (
            (
                one.person_id,
                safe(one.rule),
                when(one.start_time),
                f"{when(one.finish_time)} {one.outcome}" if one.HasField("finish_time") else "",
                ", ".join(one.pending_services),
                when(one.repeat_time) if one.HasField("repeat_time") else "",
            )
            for one in erasures
        ),
        empty="No erasures.",
    )


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
