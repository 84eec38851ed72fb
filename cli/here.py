"""What every command is handed: which stack, how to speak, and the connection."""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final, TextIO, TypeVar

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console, RenderableType

from cli.connection import Connection
from cli.problems import Problem
from cli.rendering import safe
from cli.state import State

PIPED_WIDTH: Final = 160
NARROWEST: Final = 72
"""A narrower window folds the lines itself."""
M = TypeVar("M", bound=Message)


class Output(StrEnum):
    """How a command answers."""

    TABLE = "table"
    JSON = "json"


class Here:
    """The stack in `folder`, answered about in the form of `output`."""

    def __init__(self, folder: Path, output: Output = Output.TABLE) -> None:
        self.state, self.output = State(folder), output
        self.console, self.errors = _console(), _console(stderr=True)

    @property
    def json(self) -> bool:
        """Whether programs read what is printed."""
        return self.output is Output.JSON

    @cached_property
    def connection(self) -> Connection:
        """Calls to this stack, as the person who is logged in."""
        return Connection(self.state)

    def show(self, answer: M, render: Callable[[M], RenderableType]) -> None:
        """Print an answer: its protobuf JSON, or what `render` makes of it."""
        if self.json:
            self.write(as_json(answer))
        else:
            self.tell(render(answer))

    def write(self, document: Any, *, lines: bool = False) -> None:
        """Print JSON; with `lines` on a line of its own, as a stream of answers is."""
        self.line(_json(document, sys.stdout, indent=None if lines else 2))

    def line(self, text: str) -> None:
        """Print a line as it is, for whoever reads standard output."""
        with speaking():
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()

    def tell(self, words: RenderableType) -> None:
        """Say something to a person; programs do not see it."""
        if not self.json:
            with speaking():
                self.console.print(words, markup=False, soft_wrap=isinstance(words, str))

    def explain(self, problem: Problem) -> None:
        """Print a failure on standard error."""
        if self.json:
            sys.stderr.write(_json(problem.document(), sys.stderr, indent=2) + "\n")
            return
        # A message may quote other people, such as the comment of who rejected.
        write = partial(self.errors.print, markup=False, soft_wrap=True)
        message = safe(str(problem))
        write(f"{problem.status}: {message}" if problem.code else message, style="bold red")
        for field, description in problem.violations.items():
            write(f"  {safe(field)}: {safe(description)}")
        for name, value in problem.metadata.items():
            if value not in str(problem):
                write(f"  {safe(name)}: {safe(value)}", style="dim")
        if problem.next_step:
            write(f"  next: {safe(problem.next_step)}", style="yellow")

    def run(self, work: Callable[[], Any]) -> Any:
        """Run a command's coroutine, and close the connection after it."""

        async def until_closed() -> Any:
            try:
                return await work()
            finally:
                if "connection" in self.__dict__:
                    await self.connection.close()

        return asyncio.run(until_closed())


@contextmanager
def speaking() -> Iterator[None]:
    """What standard output refuses is told with its name: the system's error bears none."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or "standard output"
        raise


def _json(document: Any, stream: TextIO, *, indent: int | None) -> str:
    """JSON that the stream can hold: its own escapes where that is not all of Unicode."""
    plain = not (stream.encoding or "utf-8").lower().startswith("utf")
    return json.dumps(document, indent=indent, ensure_ascii=plain)


def _console(*, stderr: bool = False) -> Console:
    # Where nobody's window sets the width, a table should not fold ids as if it were narrow.
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PIPED_WIDTH
    made = _Console(stderr=stderr, highlight=False, width=width)
    made.width = max(made.width, NARROWEST)  # else nine columns would show nothing of any
    return made


class _Console(Console):
    """A console that leaves it to the command what a reader's leaving means."""

    def on_broken_pipe(self) -> None:
        # Called while the error is handled; by itself it would end the process with 1.
        raise BrokenPipeError


def as_json(answer: Message) -> dict[str, Any]:
    """Protobuf JSON with the field names of the proto, defaults included."""
    document: dict[str, Any] = MessageToDict(
        answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return document
