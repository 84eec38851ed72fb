"""`chenu doctor`: is everything as it should be, and what to do where it is not."""

import typer
from rich.text import Text

from cli.checks import Found, every_check
from cli.command import command
from cli.here import Here
from cli.problems import FAILED, OK
from cli.rendering import safe, table


async def doctor(here: Here) -> int:
    """Check versions, disk, services, databases, clock, log key, session and the way to the log.

    Exits with 1 if anything is wrong; each line says what to do next.
    """
    found = [one async for one in every_check(here)]
    if here.json:
        here.write({"checks": [_document(one) for one in found]})
    here.tell(
        table(
            ("", "check", "found", "next"),
            (
                (_mark(one), one.name, safe(one.words), Text(safe(one.next_step), style="yellow"))
                for one in found
            ),
            empty="",
        )
    )
    bad = sum(not one.good for one in found)
    here.tell(f"{bad} of {len(found)} checks found a problem." if bad else "All is well.")
    return FAILED if bad else OK


def _mark(found: Found) -> Text:
    return Text("✓", style="green") if found.good else Text("✗", style="bold red")


def _document(found: Found) -> dict[str, object]:
    return {
        "check": found.name,
        "good": found.good,
        "found": found.words,
        "next_step": found.next_step,
    }


def register_commands(app: typer.Typer) -> None:
    """Add it to the application."""
    command(app, "doctor", rich_help_panel="Trusting")(doctor)
