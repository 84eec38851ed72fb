"""`chenu migrate upgrade|downgrade|check`: the schemas, which no serving process ever changes."""

import asyncio
import importlib
import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

import typer

from cli.command import command
from cli.here import Here
from cli.problems import FAILED, OK, UsageProblem

URL_VARIABLE: Final = "CHENU_ADMIN_DATABASE_URL"
SERVICES: Final = ("identity", "threads", "governance", "audit", "nova", "llm", "courier")
Which = Annotated[
    list[str] | None, typer.Argument(metavar="[SERVICE]...", help="Which; all if not given.")
]
Url = Annotated[
    str,
    typer.Option(
        "--database-url",
        envvar=URL_VARIABLE,
        help="The superuser's or owner's URL; else that of the running stack.",
        show_default=False,
    ),
]


async def upgrade(here: Here, services: Which = None, url: Url = "") -> None:
    """Bring schemas up to the newest revision; safe to repeat, and while services run.

    [bold]chenu migrate upgrade[/bold]
    [bold]chenu migrate upgrade threads --database-url postgresql://…/chenu[/bold]
    """
    await _each(here, services, url, lambda kernel, name, at: kernel.upgrade(name, at), "upgraded")


async def downgrade(
    here: Here,
    service: Annotated[str, typer.Argument(help="Which.")],
    revision: Annotated[str, typer.Argument(help='"0001", or "base" for nothing at all.')],
    url: Url = "",
) -> None:
    """Take one schema back to a revision. What newer ones held is lost."""
    await _each(
        here,
        [service],
        url,
        lambda kernel, name, at: kernel.downgrade(name, at, revision),
        f"at {revision}",
    )


async def check(here: Here, services: Which = None, url: Url = "") -> int:
    """Compare database, scripts and tables; exits with 1 where they differ."""
    found = await _each(here, services, url, lambda kernel, name, at: kernel.check(name, at), "")
    if here.json:
        here.write(found)
    for name, differences in found.items():
        here.tell(f"{name}: {'; '.join(differences) if differences else 'as it should be'}")
    return FAILED if any(found.values()) else OK


async def _each(
    here: Here,
    services: list[str] | None,
    url: str,
    work: Callable[[Any, str, str], Awaitable[Any]],
    done: str,
) -> dict[str, list[str]]:
    unknown = sorted(set(services or ()) - set(SERVICES))
    if unknown:
        raise UsageProblem(f"no schema of {', '.join(unknown)}; there are {', '.join(SERVICES)}")
    at, kernel = url or _stack_url(here), importlib.import_module("kernel.migration")
    found = {}
    for name in services or SERVICES:
        found[name] = list(await work(kernel, name, at) or ())
        if done:
            here.tell(f"{name}: {done}")
            await asyncio.sleep(0)
    if done and here.json:
        here.write(dict.fromkeys(found, done))
    return found


def _stack_url(here: Here) -> str:
    """The superuser's URL of the stack in the state folder."""
    from deploy.local.backends import Backends  # noqa: PLC0415 - not to slow every other command
    from deploy.postgres.roles import database_url  # noqa: PLC0415 - likewise

    environment = here.state.environment
    postgres = Backends(here.state.folder).postgres
    if not (environment.exists() and postgres.running()):
        raise UsageProblem(f"which database? start the stack, or set {URL_VARIABLE}")
    settings = json.loads(environment.read_text())
    port = settings["CHENU_IDENTITY_DATABASE_URL"].rpartition("/")[0].rpartition(":")[2]
    postgres.port = int(port)
    return database_url(postgres.admin_url)


def register_commands(app: typer.Typer) -> None:
    """Add them to the application."""
    group = typer.Typer(no_args_is_help=True, help="Database schemas.")
    command(group, "upgrade")(upgrade)
    command(group, "downgrade")(downgrade)
    command(group, "check")(check)
    app.add_typer(group, name="migrate", rich_help_panel="A stack")
