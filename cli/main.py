"""The `chenu` command: everything a person does with a stack, from one terminal."""

from pathlib import Path
from typing import Annotated

import typer

from cli import (
    agents,
    audit,
    channels,
    checkpoints,
    deliveries,
    demo,
    doctor,
    endpoints,
    evidence,
    fleet,
    freezes,
    grants,
    identities,
    login,
    migrate,
    outcomes,
    people,
    reviewers,
    reviews,
    rules,
    runs,
    seed,
    threads,
    tombstones,
    witness,
)
from cli.here import Output
from cli.problems import EXIT_CODES
from cli.usage import Commands

app = typer.Typer(
    name="chenu",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
)


@app.callback()
def everywhere(
    context: typer.Context,
    state: Annotated[
        Path | None,
        typer.Option("--state", metavar="DIR", envvar="CHENU_STATE", help="The folder of a stack."),
    ] = None,
    output: Annotated[Output | None, typer.Option("--output", "-o", help="How to answer.")] = None,
) -> None:
    """CHE·NU lets AI agents act for people, with a human checkpoint in front of what could hurt.

    Begin with [bold]chenu up --detach[/bold], [bold]chenu login[/bold] and
    [bold]chenu run "Create a thread about my taxes"[/bold]; or see it all with
    [bold]chenu demo[/bold].
    """
    context.obj = {"state": state, "output": output}


for noun in (
    fleet, login, identities, runs, checkpoints, reviews, outcomes, people, freezes, tombstones,
    grants, reviewers, threads, endpoints, deliveries, channels, agents, rules, audit, evidence,
    witness, doctor, seed, demo, migrate,
):  # fmt: skip
    noun.register_commands(app)

if __name__ == "__main__":
    app()
