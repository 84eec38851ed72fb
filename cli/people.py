"""`chenu people …` and `chenu deputies …`: who decides together, and who in whose place."""

from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import uuid4

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from chenu.governance.v1.deputy_service_pb2 import (
    AppointDeputyRequest,
    Deputy,
    DismissDeputyRequest,
    ListDeputiesRequest,
)
from chenu.governance.v1.deputy_service_pb2_grpc import DeputyServiceStub
from chenu.identity.v1.people_service_pb2 import (
    DeactivatePersonRequest,
    InvitePersonRequest,
    InvitePersonResponse,
    ListPeopleRequest,
    SetPersonRolesRequest,
    TenantPerson,
)
from chenu.identity.v1.people_service_pb2_grpc import PeopleServiceStub
from cli.command import command
from cli.connection import Connection
from cli.here import Here
from cli.identifiers import every, resolve
from cli.rendering import ago, facts, one_line, safe, short, table, when
from cli.view import question

Who = Annotated[str, typer.Argument(metavar="PERSON", help="A name, an id, an end of it.")]
Roles = Annotated[
    list[str] | None, typer.Option("--role", help="A role, like finance; may be repeated.")
]


async def person_id(connection: Connection, typed: str) -> str:
    """The id of the person of the tenant that was meant."""
    stub = connection.stub(PeopleServiceStub)
    request = ListPeopleRequest(page_size=200)
    known = every(stub.ListPeople, request, "people", lambda one: str(one.display_name))
    return await resolve(typed, "person", known, by_name=True)


async def list_people(here: Here) -> None:
    """List the people of your tenant by name, with their roles."""
    answer = await here.connection.stub(PeopleServiceStub).ListPeople(
        ListPeopleRequest(page_size=200)
    )
    here.show(answer, lambda found: people_table(found.people))


async def invite(here: Here, role: Roles = None) -> None:
    """Invite somebody into your tenant; the secret is shown this once.

    They join with [bold]chenu login --register --invitation SECRET --email …[/bold]
    """
    answer = await here.connection.stub(PeopleServiceStub).InvitePerson(
        InvitePersonRequest(
            roles=role or (),
            request_id=str(uuid4()),
            session_secret=here.connection.credentials.session_secret,
        )
    )
    here.show(answer, _invited)


async def roles(here: Here, who: Who, role: Roles = None) -> None:
    """Give a person exactly these roles; without any, take all away.

    [bold]chenu people roles Bea --role finance --role board[/bold]
    """
    request = SetPersonRolesRequest(
        person_id=await person_id(here.connection, who),
        roles=role or (),
        session_secret=here.connection.credentials.session_secret,
    )
    answer = await here.connection.stub(PeopleServiceStub).SetPersonRoles(request)
    here.show(answer, lambda set_: people_table([set_.person]))


async def deactivate(here: Here, who: Who) -> None:
    """Deactivate a person for good: no log-in, and none of their votes counts any more."""
    request = DeactivatePersonRequest(
        person_id=await person_id(here.connection, who),
        session_secret=here.connection.credentials.session_secret,
    )
    answer = await here.connection.stub(PeopleServiceStub).DeactivatePerson(request)
    here.show(answer, lambda gone: people_table([gone.person]))


async def list_deputies(here: Here) -> None:
    """List your deputies, and whose deputy you are."""
    answer = await here.connection.stub(DeputyServiceStub).ListDeputies(ListDeputiesRequest())
    here.show(answer, lambda found: deputies_table(found.deputies))


async def appoint(
    here: Here,
    who: Who,
    days: Annotated[int, typer.Option(min=1, max=90, help="Until so many days from now.")] = 7,
) -> None:
    """Let somebody vote in your place for a time, on record with their own name.

    It takes your own vote: what it says is asked of you at a checkpoint.
    """
    deputy = await person_id(here.connection, who)
    request = AppointDeputyRequest(deputy_person_id=deputy, request_id=str(uuid4()))
    request.end_time.FromDatetime(datetime.now(UTC) + timedelta(days=days, minutes=-1))
    answer = await here.connection.stub(DeputyServiceStub).AppointDeputy(request)
    here.show(answer, lambda asked: question(asked.verdict, "Look at it and decide"))


async def dismiss(
    here: Here,
    which: Annotated[str, typer.Argument(metavar="DEPUTY", help="The appointment's id.")],
) -> None:
    """End it now; votes that were cast stay."""
    stub = here.connection.stub(DeputyServiceStub)
    listed = await stub.ListDeputies(ListDeputiesRequest())

    async def known() -> AsyncIterator[tuple[str, str]]:
        for one in listed.deputies:
            yield one.deputy_id, one.deputy_person_id

    request = DismissDeputyRequest(deputy_id=await resolve(which, "deputy", known()))
    here.show(await stub.DismissDeputy(request), lambda gone: deputies_table([gone.deputy]))


def people_table(people: Iterable[TenantPerson]) -> RenderableType:
    """People, one line each."""
    return table(
        ("person", "name", "roles", "since", "left"),
        (
            (
                short(one.person_id),
                one_line(one.display_name, 40),
                safe(", ".join(one.roles)),
                ago(one.create_time),
                ago(one.deactivate_time),
            )
            for one in people
        ),
        empty="Nobody.",
    )


def deputies_table(deputies: Iterable[Deputy]) -> RenderableType:
    """Deputies, one line each."""
    return table(
        ("deputy", "in the place of", "votes", "until", "dismissed"),
        (
            (
                short(one.deputy_id),
                short(one.person_id),
                short(one.deputy_person_id),
                when(one.end_time),
                ago(one.dismiss_time),
            )
            for one in deputies
        ),
        empty="No deputies.",
    )


def _invited(answer: InvitePersonResponse) -> RenderableType:
    told = facts((("invitation", answer.invitation_id), ("good until", when(answer.expire_time))))
    words = "Give them the secret, it is not shown again and good once:"
    return Group(told, Text(words, style="yellow"), Text(answer.invitation_secret))


def register_commands(app: typer.Typer) -> None:
    """Add them to the application."""
    people = typer.Typer(no_args_is_help=True, help="Who shares your tenant, with which roles.")
    command(people, "list")(list_people)
    command(people, "invite")(invite)
    command(people, "roles")(roles)
    command(people, "deactivate")(deactivate)
    app.add_typer(people, name="people", rich_help_panel="Things")
    deputies = typer.Typer(no_args_is_help=True, help="Who votes in your place for a time.")
    command(deputies, "list")(list_deputies)
    command(deputies, "appoint")(appoint)
    command(deputies, "dismiss")(dismiss)
    app.add_typer(deputies, name="deputies", rich_help_panel="Deciding")
