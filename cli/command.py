"""How a function becomes a command: `--state` and `--output` added, failures told in words.

    @command(app, "inbox")
    async def inbox(here: Here, everything: Annotated[bool, typer.Option("--all")] = False) -> None:

It may return an exit code, and stays callable as it is.
"""

import errno
import inspect
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn, TypeVar

import grpc
import typer

from cli.here import Here, Output
from cli.problems import INTERRUPTED, OK, Problem, UsageProblem, problem_of

DEFAULT_STATE: Final = Path(".chenu")
Function = TypeVar("Function", bound=Callable[..., Any])
EVERYWHERE: Final = "Everywhere"
PageOption = Annotated[
    str,
    typer.Option("--page", metavar="TOKEN", help="Go on from the next_page_token of an answer."),
]
StateOption = Annotated[
    Path | None,
    typer.Option(
        "--state",
        metavar="DIR",
        help="The folder of the stack (CHENU_STATE, else .chenu).",
        show_default=False,
        rich_help_panel=EVERYWHERE,
    ),
]
OutputOption = Annotated[
    Output | None,
    typer.Option(
        "--output",
        "-o",
        help="A table for people, or protobuf JSON for programs.",
        show_default=False,
        rich_help_panel=EVERYWHERE,
    ),
]


def command(app: typer.Typer, name: str, **settings: Any) -> Callable[[Function], Function]:
    """Register a function that takes a Here first."""

    def register(function: Function) -> Function:
        app.command(name, **settings)(_invocation(function))
        return function

    return register


def default_command(group: typer.Typer) -> Callable[[Function], Function]:
    """Register what a group does when none of its commands is named."""

    def register(function: Function) -> Function:
        group.callback()(_invocation(function, default=True))
        return function

    return register


def _invocation(function: Function, *, default: bool = False) -> Callable[..., None]:
    def invoke(**given: Any) -> None:
        context: typer.Context = given.pop("context")
        state, output = given.pop("state"), given.pop("output")
        if default and context.invoked_subcommand:
            return
        above: dict[str, Any] = context.find_root().obj or {}
        here = Here(
            state or above.get("state") or DEFAULT_STATE,
            output or above.get("output") or Output.TABLE,
        )
        raise typer.Exit(perform(here, partial(function, here, **given)))

    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    parameters = [
        _parameter("context", typer.Context, inspect.Parameter.empty),
        *(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own),
        _parameter("state", StateOption, None),
        _parameter("output", OutputOption, None),
    ]
    invoke.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    invoke.__annotations__ = {}
    # A paragraph after a backspace keeps its lines: the examples.
    text = inspect.getdoc(function) or ""
    invoke.__doc__ = text.replace("\n\n[bold]", "\n\n\b\n[bold]")
    return invoke


def perform(here: Here, work: "partial[Any]") -> int:
    """Do it; returns the exit code. Every failure is explained on the way."""
    try:
        with _stoppable():
            code = here.run(work) if inspect.iscoroutinefunction(work.func) else work()
    except KeyboardInterrupt:
        with suppress(OSError):  # the terminal may be gone
            here.explain(Problem("interrupted", reason="INTERRUPTED", exit_code=INTERRUPTED))
        return INTERRUPTED
    except BrokenPipeError:  # who reads has read enough: `chenu audit list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except (Problem, grpc.aio.AioRpcError, OSError, UnicodeError) as error:
        told = _told(error, here)
        here.explain(told)
        return told.exit_code
    return int(code or 0)


@contextmanager
def _stoppable() -> Iterator[None]:
    """SIGTERM, and SIGHUP of a terminal that is closed, end a command in order, as Ctrl-C does."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    mine = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGTERM, signal.SIGHUP) if mine else ()
    # Whoever has it ignored (nohup) wants it so.
    changed = [one for one in numbers if signal.getsignal(one) is signal.SIG_DFL]
    for number in changed:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_DFL)


def _told(error: Problem | grpc.aio.AioRpcError | OSError | UnicodeError, here: Here) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, grpc.aio.AioRpcError):
        return problem_of(error)
    if isinstance(error, UnicodeError):  # of an argument, a file or standard input
        return UsageProblem(f"what was given is no text: {error}")
    full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    where = error.filename or (here.state.folder if full else "")
    words = error.strerror or str(error)
    return Problem(f"{where}: {words}" if where else words)


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, annotation=annotation, default=default)
