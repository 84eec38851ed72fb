"""`chenu witness`: watch over somebody's log from a machine of one's own."""

import re
import time
from contextlib import closing
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
    begin_anew: Annotated[
        str, typer.Option(metavar="LOG", help="Forget how far this log had come, and end.")
    ] = "",
) -> None:
    """Run a witness: it cosigns a log's heads, and none that contradicts what it has seen.

    A local stack runs one beside itself. It counts where somebody else runs it: give its key
    (FOLDER/witness.vkey) to who verifies, and its address to CHENU_AUDIT_WITNESS_URLS.
    A log that was put back from an older copy is cosigned again once you, whom the operator has
    told why, have said --begin-anew LOG (the name in its key); that is kept as evidence, too.

    [bold]chenu witness ~/witness --log-key log.vkey[/bold]
    """
    from chenu_witness.server import open_cosigner, serve  # noqa: PLC0415 - not to slow others

    logs = _check(log_key, listen, name)
    if begin_anew:
        _begin_anew(here, folder, begin_anew, logs)
        return
    key = open_cosigner(folder, name).verifier_key
    here.tell(f"{key}\nlistening on {listen}; Ctrl-C stops it")
    serve(folder, log_key, listen, name)


def _begin_anew(here: Here, folder: Path, log: str, logs: set[str]) -> None:
    """While the witness runs or not: it looks into its file for each head."""
    from chenu_witness.server import open_state  # noqa: PLC0415 - not to slow others

    if log not in logs:
        raise UsageProblem(f"{log!r}: no log that has a key here", f"one of {', '.join(logs)}")
    with closing(open_state(folder)) as state:
        size = state.begin_anew(log, int(time.time()))
    here.tell(f"{log}: forgotten were {size} records; its next head is taken as the first")


def _check(log_key: Path, listen: str, name: str) -> set[str]:
    """The logs' names; raises UsageProblem for what would make a witness that signs nothing."""
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
    return {key.name for key in known}


def register_commands(app: typer.Typer) -> None:
    """Add it to the application."""
    command(app, "witness", rich_help_panel="Trusting")(witness)
