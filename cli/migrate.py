"""`chenu migrate upgrade|downgrade|check`: the schemas, which no serving process ever changes."""

import asyncio
import importlib
import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import urlsplit, urlunsplit

import typer

from cli.command import command
from cli.here import Here
from cli.problems import FAILED, OK, Problem, UsageProblem

T = TypeVar("T")
_EXAMPLE: Final = "postgresql://postgres:password@localhost:5432/chenu"
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

    A server that knows nothing of CHE·NU gets database and roles first. Their passwords are
    those of CHENU_<SERVICE>_DATABASE_URL and CHENU_<SERVICE>_WORKER_DATABASE_URL where these are
    set; the others are made, and their URLs written to DIR/secrets/<service>, for
    CHENU_SECRETS_DIR.

    [bold]chenu migrate upgrade[/bold]
    [bold]chenu migrate upgrade --database-url postgresql://postgres:…@db.example/chenu[/bold]
    """
    if url:
        _known(services)
        from deploy.postgres.first_use import make_missing  # noqa: PLC0415 - as below

        written = await _or_problem("", make_missing(_checked(url), here.state.folder / "secrets"))
        for folder in sorted({path.parent for path in written}):
            here.tell(f"{folder}: how its service logs in (CHENU_SECRETS_DIR)")
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
    _known(services)
    at = _checked(url) if url else _stack_url(here)
    kernel = importlib.import_module("kernel.migration")
    found = {}
    for name in services or SERVICES:
        found[name] = list(await _or_problem(f"{name}: ", work(kernel, name, at)) or ())
        if done:
            here.tell(f"{name}: {done}")
            await asyncio.sleep(0)
    if done and here.json:
        here.write(dict.fromkeys(found, done))
    return found


def _known(services: list[str] | None) -> None:
    unknown = sorted(set(services or ()) - set(SERVICES))
    if unknown:
        raise UsageProblem(f"no schema of {', '.join(unknown)}; there are {', '.join(SERVICES)}")


def _checked(url: str) -> str:
    """The URL, of our database where it names none."""
    parts = urlsplit(url)
    if parts.scheme not in ("postgresql", "postgres") or not parts.hostname:
        raise UsageProblem(f"no URL of a PostgreSQL: it looks like {_EXAMPLE}")
    return urlunsplit(parts._replace(scheme="postgresql", path=parts.path.strip("/") or "chenu"))


async def _or_problem(where: str, work: Awaitable[T]) -> T:
    """What the work comes to; a refusal by the server in its own words, and what to do."""
    import asyncpg  # noqa: PLC0415 - not to slow every other command
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - likewise

    from deploy.postgres.roles import WrongEncoding  # noqa: PLC0415 - likewise

    try:
        return await work
    except (asyncpg.PostgresError, DBAPIError, WrongEncoding) as error:
        cause = getattr(error, "orig", error).__cause__ or error
        steps = {
            asyncpg.InsufficientPrivilegeError: "use the URL of a superuser",
            asyncpg.UndefinedObjectError: "chenu migrate upgrade makes it",
            asyncpg.InvalidCatalogNameError: "chenu migrate upgrade makes it",
        }
        step = next((s for kind, s in steps.items() if isinstance(cause, kind)), "")
        raise Problem(f"{where}{cause}", reason="DATABASE_REFUSED", next_step=step) from None


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
