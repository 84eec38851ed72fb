"""`chenu login`, `logout`, `whoami`, `token`: who you are to the stack."""

import os
import sys
from enum import StrEnum
from typing import Annotated

import grpc
import typer
from rich.console import RenderableType

from chenu.identity.v1.auth_service_pb2 import (
    GetMeRequest,
    GetMeResponse,
    LoginRequest,
    LoginResponse,
    LogoutRequest,
    RegisterRequest,
    RegisterResponse,
)
from chenu.identity.v1.auth_service_pb2_grpc import AuthServiceStub
from cli.checkpoint_lookup import checkpoint_id
from cli.command import command
from cli.connection import Connection
from cli.here import Here
from cli.problems import Problem, UsageProblem
from cli.rendering import facts, safe

PASSWORD_VARIABLE = "CHENU_PASSWORD"  # noqa: S105 - the name of a variable


class Audience(StrEnum):
    """Whom a token is for."""

    SERVICES = "services"
    NOVA = "nova"
    VOTE = "vote"


async def log_in(connection: Connection, email: str, password: str) -> LoginResponse:
    """Log in and keep the session in the state folder."""
    auth = connection.stub(AuthServiceStub, token="")
    answer = await auth.Login(LoginRequest(email=email, password=password))
    connection.credentials.begin(answer)
    return answer


async def register_person(
    connection: Connection,
    email: str,
    password: str,
    display_name: str,
    invitation_secret: str = "",
) -> RegisterResponse:
    """Make an account and keep its session; with an invitation, in the tenant that invited."""
    auth = connection.stub(AuthServiceStub, token="")
    request = RegisterRequest(
        email=email,
        password=password,
        display_name=display_name,
        invitation_secret=invitation_secret,
    )
    answer = await auth.Register(request)
    connection.credentials.begin(answer)
    return answer


async def login(
    here: Here,
    email: Annotated[str, typer.Option(help="Whose account; the demo user's if not given.")] = "",
    password: Annotated[
        str, typer.Option(help=f"Better: {PASSWORD_VARIABLE}, or be asked for it.")
    ] = "",
    register: Annotated[bool, typer.Option("--register", help="Make the account first.")] = False,
    name: Annotated[str, typer.Option(help="With --register: what you are called.")] = "",
    invitation: Annotated[
        str, typer.Option(help="With --register: the secret from [bold]people invite[/bold].")
    ] = "",
) -> None:
    """Log in; without --email as the stack's demo user.

    The session is kept in DIR/session.json, readable by you alone. Access tokens are renewed by
    themselves. Votes are bought with the session's secret, which no agent should be able to read.

    [bold]chenu login[/bold]
    [bold]chenu login --email ada@example.org[/bold]
    [bold]chenu login --register --email ada@example.org --name Ada[/bold]
    """
    email, password = _credentials(here, email, password, register)
    answer: LoginResponse | RegisterResponse
    if register:
        answer = await register_person(here.connection, email, password, name or email, invitation)
    else:
        answer = await log_in(here.connection, email, password)
    # What opens doors is in the session's file, and nowhere on the screen.
    answer.access_token = answer.session_secret = ""
    answer.session.access_token = answer.session.refresh_token = ""
    here.show(answer, _arrived)


async def logout(
    here: Here,
    everywhere: Annotated[
        bool, typer.Option("--all", help="End every session of yours, not just this one.")
    ] = False,
) -> None:
    """End the session: its refresh tokens, vote tokens and delegations end with it."""
    auth = here.connection.stub(AuthServiceStub)
    try:
        await auth.Logout(LogoutRequest(all_sessions=everywhere))
    except Problem as problem:
        if problem.code != grpc.StatusCode.UNAUTHENTICATED.name:
            raise
    finally:
        here.connection.credentials.file.forget()
    if here.json:
        here.write({})
    here.tell("Logged out.")


async def whoami(here: Here) -> None:
    """Show the person and the identity that you act as."""
    answer = await here.connection.stub(AuthServiceStub).GetMe(GetMeRequest())
    here.show(answer, me)


async def token(
    here: Here,
    audience: Annotated[
        Audience,
        typer.Option("--for", help="services: all but nova · nova: a delegation · vote: one vote."),
    ] = Audience.SERVICES,
    checkpoint: Annotated[
        str, typer.Option(help="With --for vote: the checkpoint to vote on.")
    ] = "",
    etag: Annotated[str, typer.Option(help="With --for vote: the digest of the view.")] = "",
) -> None:
    """Print a token, for grpcurl, buf curl or curl.

    [bold]grpcurl -plaintext -H "authorization: Bearer $(chenu token)" 127.0.0.1:50051
    chenu.threads.v1.ThreadService/ListThreads[/bold]
    """
    credentials = here.connection.credentials
    if audience is Audience.VOTE:
        if not (checkpoint and etag):
            raise UsageProblem("a vote token is for one --checkpoint and one --etag")
        made = await credentials.vote_token(await checkpoint_id(here.connection, checkpoint), etag)
    elif audience is Audience.NOVA:
        made = await credentials.delegation_token()
    else:
        made = await credentials.access_token()
    if here.json:
        here.write({"token": made, "for": audience.value})
    else:
        here.line(made)


def me(answer: GetMeResponse) -> RenderableType:
    """Who the token stands for."""
    user, identity = answer.user, answer.identity
    return facts(
        (
            ("person", f"{safe(user.display_name)} <{safe(user.email)}>"),
            ("person id", user.user_id),
            ("identity", safe(identity.display_name)),
            ("identity id", identity.identity_id),
            ("tenant id", user.tenant_id),
        )
    )


def _credentials(here: Here, email: str, password: str, register: bool) -> tuple[str, str]:
    if not email:
        if register or password:
            raise UsageProblem("whose account? give --email")
        demo = here.state.endpoints().get("demo_user")
        if not demo:
            raise UsageProblem("this stack has no demo user; give --email")
        return demo["email"], demo["password"]
    password = password or os.environ.get(PASSWORD_VARIABLE, "")
    if not password:
        if not sys.stdin.isatty():
            raise UsageProblem(f"no password: set {PASSWORD_VARIABLE}, or log in at a terminal")
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=register)
    return email, password


def _arrived(answer: LoginResponse | RegisterResponse) -> str:
    session = answer.session
    who, identity = safe(session.user.email), safe(session.identity.display_name)
    return f"Logged in as {who}, identity {identity}."


def register_commands(app: typer.Typer) -> None:
    """Add them to the application."""
    panel = "You"
    command(app, "login", rich_help_panel=panel)(login)
    command(app, "logout", rich_help_panel=panel)(logout)
    command(app, "whoami", rich_help_panel=panel)(whoami)
    command(app, "token", rich_help_panel=panel)(token)
