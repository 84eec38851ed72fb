"""The command itself."""

import time
from functools import partial
from typing import Annotated

import typer
from rich.text import Text

from cli.command import command
from cli.here import Here
from cli.problems import OK, Problem


def demo(
    here: Here,
    keep: Annotated[bool, typer.Option("--keep", help="Keep its folder, to look around.")] = False,
) -> int:
    """Play the whole story once: request, block, cheats that fail, approval, run, proof.

    It happens on a stack of its own, in a temporary folder and on free ports, whatever --state
    says. Every status shown is the one that the client got. Exits with 0 only if every step came
    out as told.
    """
    from cli.demo.stage import stage  # noqa: PLC0415 - not to slow every other command
    from cli.demo.story import play  # noqa: PLC0415 - likewise
    from cli.demo.telling import StepFailed, Story  # noqa: PLC0415 - likewise
    from deploy.local.errors import BackendError  # noqa: PLC0415 - likewise

    began = time.monotonic()
    words = "CHE·NU: everything below really happens, on a stack of its own."
    here.console.print(Text(words, style="bold"))
    try:
        with stage(here.console, keep=keep) as ready:
            here.console.print(f"The stack stands after {time.monotonic() - began:.1f} s.")
            here.run(partial(play, Story(here.console), ready))
    except BackendError as error:
        raise Problem(str(error), reason="START_FAILED") from error
    except StepFailed as failed:
        raise Problem(f"the demo failed at {failed}", reason="STEP_FAILED") from failed
    here.console.print()
    here.console.print(Text("Every step came out as told; no process is left.", "bold green"))
    here.console.print(f"{time.monotonic() - began:.1f} s in all. Next: chenu up, chenu login.")
    return OK


def register_commands(app: typer.Typer) -> None:
    """Add it to the application."""
    command(app, "demo", rich_help_panel="A stack")(demo)
