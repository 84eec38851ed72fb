"""`chenu up`, `down`, `serve`: starting and stopping what the command talks to."""

import importlib
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from cli.command import command
from cli.here import Here
from cli.problems import FAILED, OK, Problem, UsageProblem
from cli.rendering import facts, table
from cli.state import State
from deploy.local.choices import STREAM_BYTES, Choices
from deploy.local.errors import BackendError, PortTaken
from deploy.local.supervisor import Supervisor

SERVICES: Final = (
    "identity", "threads", "governance", "audit", "nova", "llm", "courier", "gateway",
)  # fmt: skip
_STEP: Final = "· "
_READY: Final = f"{_STEP}ready"


Detach = Annotated[
    bool, typer.Option("--detach", "-d", help="Return when it runs; chenu down stops it.")
]
PortsFrom = Annotated[
    int | None,
    typer.Option(min=0, max=65000, metavar="N", help="Listen on N, N+1, …; 0 takes free ports."),
]
Live = Annotated[
    bool, typer.Option("--live", help="Claude answers (ANTHROPIC_API_KEY), not the simulator.")
]
AllowPrivate = Annotated[
    list[str] | None,
    typer.Option(metavar="HOST:PORT", help="An inner address that webhooks may go to."),
]


def up(
    here: Here,
    detach: Detach = False,
    ports_from: PortsFrom = None,
    live: Live = False,
    allow_private: AllowPrivate = None,
) -> int:
    """Start the whole fleet on this machine, with its own PostgreSQL and NATS.

    [bold]chenu up[/bold]                                     until Ctrl-C
    [bold]chenu up --detach --state /tmp/b --ports-from 51000[/bold]  a second stack beside it
    """
    choices = Choices(live, tuple(allow_private or ()), _from_environment())
    supervisor = Supervisor(here.state.folder, ports_from, choices)
    if supervisor.running():
        here.tell(f"It runs already (process {supervisor.pid()}); chenu down stops it.")
        _tell_where(here)
        return OK
    log = _Log(supervisor.log, here)
    with _explained(), _interruptible():
        try:
            _start(here, supervisor, log, detach=detach)
            if detach:
                return OK
            here.tell("\nCtrl-C stops it.")
            while supervisor.running():
                log.tell()
                time.sleep(0.2)
        except KeyboardInterrupt:
            here.tell("\nStopping …")
            supervisor.stop()
            here.tell("Stopped.")
            return OK
    log.tell()
    here.tell("It was stopped.")
    return OK


def _from_environment() -> dict[str, str]:
    bytes_of_stream = os.environ.get(STREAM_BYTES, "")
    if not bytes_of_stream:
        return {}
    if not (bytes_of_stream.isdecimal() and int(bytes_of_stream)):
        raise UsageProblem(f"{STREAM_BYTES} takes a number of bytes, not {bytes_of_stream!r}")
    return {STREAM_BYTES: bytes_of_stream}


def _start(here: Here, supervisor: Supervisor, log: "_Log", *, detach: bool) -> None:
    began = time.monotonic()
    supervisor.begin(detached=detach)
    supervisor.wait_until_ready(log.tell)
    log.tell()
    here.tell(f"Ready after {time.monotonic() - began:.1f} s.\n")
    _tell_where(here)


def down(here: Here) -> int:
    """Stop the stack in the state folder; what it stored stays."""
    supervisor = Supervisor(here.state.folder)
    was_running = supervisor.running()
    if was_running:
        here.tell("Stopping …")
        supervisor.stop()
    (here.state.folder / "endpoints.json").unlink(missing_ok=True)
    if here.json:
        here.write({"stopped": was_running})
    here.tell("Stopped." if was_running else f"No stack runs in {here.state.folder}.")
    return OK


def serve(
    here: Here,
    services: Annotated[
        list[str], typer.Argument(metavar="SERVICE...", help=f"Of: {', '.join(SERVICES)}.")
    ],
) -> None:
    """Run services in this process, until it is told to stop: one, or several to save memory.

    They are set up by CHENU_… variables (see .env.example). What is not set there is taken from
    the stack in the state folder, if one was made there.

    [bold]chenu serve nova[/bold]
    [bold]chenu serve nova threads governance[/bold]
    """
    unknown = sorted(set(services) - set(SERVICES))
    if unknown:
        raise UsageProblem(
            f"no such service: {', '.join(unknown)}; there are {', '.join(SERVICES)}"
        )
    for name, value in _stack_environment(here.state).items():
        os.environ.setdefault(name, value)
    importlib.import_module("services.__main__").serve(*services)


def stack_view(endpoints: dict[str, Any], folder: Path) -> RenderableType:
    """Where everything is, and who may log in."""
    user = endpoints["demo_user"]
    gateway = endpoints["gateway"]
    services = [(name, at) for name, at in endpoints.items() if isinstance(at, str)]
    return Group(
        table(("service", "address"), services, empty=""),
        facts(
            (
                ("log in", f"chenu login, or POST {gateway}/api/v2/auth/login"),
                ("demo user", user["email"]),
                ("password", user["password"]),
                ("API in a browser", f"{gateway}/docs"),
                ("state folder", str(folder)),
                ("next", 'chenu login, then chenu run "Create a thread about my taxes"'),
            )
        ),
    )


class _Log:
    """What the supervisor says, passed on line by line."""

    def __init__(self, path: Path, here: Here) -> None:
        self._path, self._here = path, here
        self._at = path.stat().st_size if path.exists() else 0

    def tell(self) -> None:
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._at)
            new = file.read()
        whole, newline, _ = new.rpartition(b"\n")
        self._at += len(whole) + len(newline)
        for line in whole.decode(errors="replace").splitlines():
            if line.startswith(_STEP) and line != _READY:
                self._here.tell(Text(line, style="dim"))


def _tell_where(here: Here) -> None:
    endpoints = here.state.endpoints()
    if here.json:
        here.write(endpoints)
    here.tell(stack_view(endpoints, here.state.folder))


def _stack_environment(state: State) -> dict[str, str]:
    try:
        environment: dict[str, str] = json.loads(state.environment.read_text())
    except FileNotFoundError:
        return {}
    return {name: value for name, value in environment.items() if name.startswith("CHENU_")}


@contextmanager
def _explained() -> Iterator[None]:
    """What keeps a local server from starting, as a Problem."""
    try:
        yield
    except BackendError as error:
        moved = isinstance(error, PortTaken) or "is taken by another program" in str(error)
        step = "chenu up --ports-from 51000 (or any other free row of ports)" if moved else ""
        raise Problem(
            str(error), reason="START_FAILED", next_step=step, exit_code=FAILED
        ) from error


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM stops a stack in the foreground as Ctrl-C does.

    SIGINT too: a shell that starts us in the background has it ignored.
    """

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    before: dict[int, Any] = {
        number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def register_commands(app: typer.Typer) -> None:
    """Add them to the application."""
    panel = "A stack"
    command(app, "up", rich_help_panel=panel)(up)
    command(app, "down", rich_help_panel=panel)(down)
    command(app, "serve", rich_help_panel=panel)(serve)
