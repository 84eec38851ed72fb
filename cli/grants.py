"""`chenu grants …`: what you need not be asked each time, within bounds."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import uuid4

import typer
from rich.console import RenderableType

from chenu.governance.v1 import decision_pb2
from chenu.governance.v1.grant_pb2 import ArgumentConstraint, Grant, GrantTerms
from chenu.governance.v1.grant_service_pb2 import (
    CreateGrantRequest,
    ListGrantsRequest,
    RevokeGrantRequest,
)
from chenu.governance.v1.grant_service_pb2_grpc import GrantServiceStub
from cli.agents import agent_id
from cli.command import PageOption, command
from cli.here import Here
from cli.identifiers import every, resolve
from cli.problems import UsageProblem
from cli.rendering import ago, one_line, short, table, when, word
from cli.view import question
from cli.words import number

Which = Annotated[str, typer.Argument(metavar="GRANT", help="Its id, or an end of it.")]


async def ask(  # noqa: PLR0917 - each is an option of the command
    here: Here,
    tool: Annotated[str, typer.Argument(help="The tool, as report.create.")],
    kind: Annotated[str, typer.Option(help="Its kind, as create.")],
    allow: Annotated[
        list[str] | None,
        typer.Option(help="ARGUMENT=VALUE; may be repeated, for other values too."),
    ] = None,
    at_most: Annotated[list[str] | None, typer.Option(help="ARGUMENT=NUMBER.")] = None,
    anything: Annotated[list[str] | None, typer.Option(help="An argument that is free.")] = None,
    target: Annotated[list[str] | None, typer.Option(help="A target's id.")] = None,
    any_target: Annotated[bool, typer.Option("--any-target", help="Any targets.")] = False,
    agent: Annotated[str, typer.Option(help="Only this agent.")] = "",
    uses: Annotated[int, typer.Option(min=1, max=1000, help="How many actions.")] = 10,
    total: Annotated[str, typer.Option(help="ARGUMENT=NUMBER, added up over all.")] = "",
    hours: Annotated[float, typer.Option(help="How long, at most 720.")] = 24,
) -> None:
    """Ask for a standing grant; you then approve its terms like anything else.

    An argument that you name nowhere is not covered.

    [bold]chenu grants ask report.create --kind create --allow format=pdf --anything title[/bold]
    """
    kinds = decision_pb2.ActionKind
    end = datetime.now(UTC) + timedelta(hours=hours)
    name, limit = _pair(total) if total else ("", "0")
    terms = GrantTerms(
        tool=tool,
        action_kind=number(kinds, kind, "--kind"),  # type: ignore[arg-type]
        agent_id=await agent_id(here.connection, agent) if agent else "",
        constraints=_constraints(allow or [], at_most or [], anything or []),
        target_ids=target or [],
        any_target=any_target,
        uses=uses,
        amount_argument=name,
        total=_whole(limit),
    )
    terms.end_time.FromDatetime(end)
    answer = await here.connection.stub(GrantServiceStub).CreateGrant(
        CreateGrantRequest(terms=terms, request_id=str(uuid4()))
    )
    here.show(answer, lambda asked: question(asked.verdict, "Look at the terms and decide"))


async def list_grants(
    here: Here,
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many.")] = 50,
    page: PageOption = "",
) -> None:
    """List your grants, the latest first."""
    answer = await here.connection.stub(GrantServiceStub).ListGrants(
        ListGrantsRequest(page_size=limit, page_token=page)
    )
    here.show(answer, lambda found: grants_table(found.grants))


async def revoke(here: Here, which: Which) -> None:
    """End a grant at once."""
    stub = here.connection.stub(GrantServiceStub)
    known = every(
        stub.ListGrants, ListGrantsRequest(page_size=200), "grants", lambda one: one.terms.tool
    )
    request = RevokeGrantRequest(grant_id=await resolve(which, "grant", known))
    answer = await stub.RevokeGrant(request)
    here.show(answer, lambda ended: grants_table([ended.grant]))


def grants_table(found: Iterable[Grant]) -> RenderableType:
    """Grants, one line each."""
    return table(
        ("grant", "tool", "kind", "uses left", "total left", "until", "revoked"),
        (
            (
                short(one.grant_id),
                one_line(one.terms.tool, 40),
                word(one.terms, "action_kind"),
                f"{one.uses_left}/{one.terms.uses}",
                one.total_left if one.terms.amount_argument else "",
                when(one.terms.end_time),
                ago(one.revoke_time),
            )
            for one in found
        ),
        empty="No grants: you are asked each time.",
    )


def _constraints(
    allow: list[str], at_most: list[str], anything: list[str]
) -> list[ArgumentConstraint]:
    values: dict[str, list[str]] = {}
    for typed in allow:
        name, value = _pair(typed)
        values.setdefault(name, []).append(value)
    made = [ArgumentConstraint(argument=name, values=given) for name, given in values.items()]
    for typed in at_most:
        name, limit = _pair(typed)
        made.append(ArgumentConstraint(argument=name, at_most=_whole(limit)))
    return made + [ArgumentConstraint(argument=name, anything=True) for name in anything]


def _pair(typed: str) -> tuple[str, str]:
    name, equals, value = typed.partition("=")
    if not name or not equals:
        raise UsageProblem(f"{typed!r} is not ARGUMENT=VALUE")
    return name, value


def _whole(typed: str) -> int:
    if not typed.isdecimal():
        raise UsageProblem(f"{typed!r} is not a whole number")
    return int(typed)


def register_commands(app: typer.Typer) -> None:
    """Add them to the application."""
    group = typer.Typer(no_args_is_help=True, help="What you need not be asked each time.")
    command(group, "list")(list_grants)
    command(group, "ask")(ask)
    command(group, "revoke")(revoke)
    app.add_typer(group, name="grants", rich_help_panel="Deciding")
