"""`chenu agents …`: who may act for you, and never decide for you."""

import os
import sys
from collections.abc import Iterable
from typing import Annotated, Any
from uuid import uuid4

import typer
from google.protobuf.field_mask_pb2 import FieldMask
from rich.console import Group, RenderableType
from rich.text import Text

from chenu.identity.v1.agent_pb2 import Agent
from chenu.identity.v1.agent_service_pb2 import (
    FireAgentRequest,
    HireAgentRequest,
    HireAgentResponse,
    ListAgentsRequest,
    UpdateAgentRequest,
)
from chenu.identity.v1.agent_service_pb2_grpc import AgentServiceStub
from chenu.identity.v1.token_service_pb2 import IssueAgentTokenRequest
from chenu.identity.v1.token_service_pb2_grpc import TokenServiceStub
from cli.command import command
from cli.connection import Connection
from cli.here import Here, as_json
from cli.identifiers import every, items, resolve
from cli.problems import UsageProblem
from cli.rendering import ago, facts, one_line, safe, short, table, when

SECRET_VARIABLE = "CHENU_AGENT_SECRET"  # noqa: S105 - the name of a variable
Which = Annotated[str, typer.Argument(metavar="AGENT", help="Its name, its id, an end of it.")]


async def agent_id(connection: Connection, typed: str) -> str:
    """The id of the agent that was meant."""
    stub = connection.stub(AgentServiceStub)
    request = ListAgentsRequest(page_size=200)
    known = every(stub.ListAgents, request, "agents", lambda one: str(one.display_name))
    return await resolve(typed, "agent", known, by_name=True)


async def as_it_is(connection: Connection, typed: str) -> Agent:
    """The agent that was meant, with the etag that a change of it must name."""
    wanted = await agent_id(connection, typed)
    request = ListAgentsRequest(page_size=200)
    async for agent in items(connection.stub(AgentServiceStub).ListAgents, request, "agents"):
        if agent.agent_id == wanted:
            return Agent.FromString(agent.SerializeToString())
    raise UsageProblem(f"{typed} is no agent of yours")


async def hire_agent(
    connection: Connection, name: str, *, request_id: str = "", **limits: Any
) -> HireAgentResponse:
    """Hire an agent; the answer holds its secret, this once."""
    request = HireAgentRequest(
        display_name=name,
        request_id=request_id or str(uuid4()),
        session_secret=connection.credentials.session_secret,
        **limits,
    )
    return await connection.stub(AgentServiceStub).HireAgent(request)


async def agent_token(connection: Connection, identifier: str, secret: str) -> str:
    """An access token of an agent."""
    stub = connection.stub(TokenServiceStub, token="")
    request = IssueAgentTokenRequest(agent_id=identifier, secret=secret)
    return (await stub.IssueAgentToken(request)).access_token


async def hire(
    here: Here,
    name: Annotated[str, typer.Argument(help="What you call it.")],
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", help="A tool that it may use, or thread.*; may be repeated."),
    ] = None,
    always_gated: Annotated[
        bool, typer.Option("--always-gated", help="You decide whatever it does.")
    ] = False,
) -> None:
    """Hire an agent for your identity; its secret is shown this once.

    It can ask governance and be blocked by it; it can never approve anything.

    [bold]chenu agents hire Filer --scope "thread.*" --always-gated[/bold]
    """
    hired = await hire_agent(here.connection, name, scopes=scope or [], always_gated=always_gated)
    here.show(hired, _hired)


async def update(
    here: Here,
    which: Which,
    name: Annotated[str, typer.Option("--name", help="What you call it from now on.")] = "",
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", help="All that it may use from now on; may be repeated."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--everything", help="It may use whatever you may.")
    ] = False,
    always_gated: Annotated[
        bool | None,
        typer.Option("--always-gated/--not-always-gated", help="You decide whatever it does."),
    ] = None,
) -> None:
    """Rename an agent, or say anew what it may use; its next tokens say so.

    [bold]chenu agents update Filer --scope thread.search --always-gated[/bold]
    """
    if scope and everything:
        raise UsageProblem("either --scope or --everything")
    wanted: dict[str, Any] = {"display_name": name} if name else {}
    if scope or everything:
        wanted["scopes"] = scope or []
    if always_gated is not None:
        wanted["always_gated"] = always_gated
    if not wanted:
        raise UsageProblem("nothing to change: see chenu agents update --help")
    agent = await as_it_is(here.connection, which)
    request = UpdateAgentRequest(
        agent_id=agent.agent_id,
        agent=Agent(**wanted),
        update_mask=FieldMask(paths=list(wanted)),
        etag=agent.etag,
        session_secret=here.connection.credentials.session_secret,
    )
    answer = await here.connection.stub(AgentServiceStub).UpdateAgent(request)
    here.show(answer, lambda updated: _facts(updated.agent))


async def fire(here: Here, which: Which) -> None:
    """Fire an agent: it gets no token any more, and Nova stops working for it."""
    request = FireAgentRequest(agent_id=await agent_id(here.connection, which))
    answer = await here.connection.stub(AgentServiceStub).FireAgent(request)
    here.show(answer, lambda fired: _facts(fired.agent))


async def list_agents(here: Here) -> None:
    """List your agents by name."""
    answer = await here.connection.stub(AgentServiceStub).ListAgents(
        ListAgentsRequest(page_size=200)
    )
    here.show(answer, lambda found: agents_table(found.agents))


async def token(here: Here, which: Which) -> None:
    """Print an access token of an agent; its secret is read from CHENU_AGENT_SECRET or asked for.

    [bold]CHENU_AGENT_SECRET=… chenu agents token Filer[/bold]
    """
    secret = os.environ.get(SECRET_VARIABLE, "")
    if not secret:
        if not sys.stdin.isatty():
            raise UsageProblem(f"the agent's secret is needed: set {SECRET_VARIABLE}")
        secret = typer.prompt("The agent's secret", hide_input=True)
    stub = here.connection.stub(TokenServiceStub, token="")
    answer = await stub.IssueAgentToken(
        IssueAgentTokenRequest(agent_id=await agent_id(here.connection, which), secret=secret)
    )
    if here.json:
        here.write(as_json(answer))
    else:
        here.line(answer.access_token)


def agents_table(agents: Iterable[Agent]) -> RenderableType:
    """Agents, one line each."""
    return table(
        ("agent", "name", "identity", "hired", "fired"),
        (
            (
                short(one.agent_id),
                one_line(one.display_name, 40),
                short(one.identity_id),
                ago(one.create_time),
                ago(one.fire_time),
            )
            for one in agents
        ),
        empty="No agents. Hire one: chenu agents hire NAME",
    )


def _facts(agent: Agent) -> RenderableType:
    return facts(
        (
            ("agent", agent.agent_id),
            ("name", safe(agent.display_name)),
            ("for identity", agent.identity_id),
            ("may use", safe(", ".join(agent.scopes)) or "what you may"),
            ("always gated", "yes" if agent.always_gated else ""),
            ("hired", when(agent.create_time)),
            ("fired", when(agent.fire_time)),
        )
    )


def _hired(answer: HireAgentResponse) -> RenderableType:
    if not answer.secret:
        return _facts(answer.agent)
    words = "Keep the secret now, it is not shown again:"
    return Group(_facts(answer.agent), Text(words, style="yellow"), Text(answer.secret))


def register_commands(app: typer.Typer) -> None:
    """Add them to the application."""
    group = typer.Typer(no_args_is_help=True, help="Who may act for you.")
    command(group, "list")(list_agents)
    command(group, "hire")(hire)
    command(group, "update")(update)
    command(group, "fire")(fire)
    command(group, "token")(token)
    app.add_typer(group, name="agents", rich_help_panel="Things")
