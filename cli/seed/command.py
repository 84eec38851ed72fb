"""The command itself."""

import typer

from cli.command import command
from cli.here import Here
from cli.login import log_in
from cli.seed.sowing import Sower
from cli.session_file import NotLoggedIn


async def seed(here: Here) -> None:
    """Fill a stack with believable test data: threads, runs, decisions, and some left waiting.

    As whoever is logged in; as the demo user where nobody is. Repeating it adds nothing.
    """
    connection = here.connection
    try:
        connection.credentials.file.load()
    except NotLoggedIn:
        user = here.state.endpoints()["demo_user"]
        await log_in(connection, user["email"], user["password"])
    await connection.credentials.access_token()  # a log-in that is over is told once, and first
    sower = Sower(connection, here.tell)
    await sower.sow()
    if here.json:
        here.write(sower.counts)
    told = ", ".join(f"{count} {what}" for what, count in sower.counts.items())
    here.tell(f"{told}. Next: chenu inbox")


def register_commands(app: typer.Typer) -> None:
    """Add it to the application."""
    command(app, "seed", rich_help_panel="A stack")(seed)
