"""`chenu witness`: watch over somebody's log from a machine of one's own."""

import re
from pathlib import Path
from typing import Annotated, Final

import typer

from cli.command import command
from cli.here import Here
from cli.problems import UsageProblem
from cli.verification.keys import read_keys, split_keys
from cli.verification.verdict import Malformed
from kernel.receipts import KEY_NAME

NAME: Final = "witness.chenu.local/w1"
_LAST_PORT: Final = 65_535


def witness(
    here: Here,
    folder: Annotated[Path, typer.Argument(help="Where its key and its state are kept.")],
    log_key: Annotated[
        Path, typer.Option(metavar="FILE", help="Verifier keys of the logs, one a line.")
    ],
    listen: Annotated[str, typer.Option(metavar="HOST:PORT")] = "127.0.0.1:8090",
    name: Annotated[str, typer.Option(help="The name that it signs under.")] = NAME,
) -> None:
    """Run a witness: it cosigns a log's heads, and none that contradicts what it has seen.

    A local stack runs one beside itself. It counts where somebody else runs it: give its key
    (FOLDER/witness.vkey) to who verifies, and its address to CHENU_AUDIT_WITNESS_URLS.

    [bold]chenu witness ~/witness --log-key log.vkey[/bold]
    """
    from chenu_witness.server import open_cosigner, serve  # noqa: PLC0415 - not to slow others

    _check(log_key, listen, name)
    key = open_cosigner(folder, name).verifier_key
    here.tell(f"{key}\nlistening on {listen}; Ctrl-C stops it")
    serve(folder, log_key, listen, name)


def _check(log_key: Path, listen: str, name: str) -> None:
    """Raise UsageProblem for what would make a witness that signs nothing."""
    try:
        known = split_keys(read_keys(str(log_key))).log
    except Malformed as error:
        raise UsageProblem(str(error), "chenu audit key > log.vkey") from None
    if not known:
        raise UsageProblem(f"{log_key}: no log's key is in it", "chenu audit key > log.vkey")
    port = listen.rpartition(":")[2]
    if not port.isdecimal() or int(port) > _LAST_PORT:
        raise UsageProblem(f"{listen}: not an address", "--listen 127.0.0.1:8090")
    if not re.fullmatch(KEY_NAME, name):
        raise UsageProblem(f"{name!r}: a name has no space and no +", "--name witness.example/w1")


def register_commands(app: typer.Typer) -> None:
    """Add it to the application."""
    command(app, "witness", rich_help_panel="Trusting")(witness)
