"""How the demo is told: each step with what was expected and the status as the client got it."""

from collections.abc import Awaitable
from typing import Any, TypeVar

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.text import Text

from cli.problems import Problem
from cli.rendering import safe

T = TypeVar("T")
OK = "OK"


class StepFailed(Exception):
    """A step did not come out as told."""

    def __init__(self, number: int, title: str, words: str) -> None:
        super().__init__(f"step {number} ({title}): {words}")


class Story:
    """Plays steps one after the other and stops at the first that comes out otherwise."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._number = 0
        self._title = ""

    def chapter(self, title: str) -> None:
        """Begin a part of the story."""
        self._console.print()
        self._console.rule(Text(title, style="bold"), align="left")

    async def step(self, title: str, work: Awaitable[T]) -> T:
        """Something that must succeed; returns what came of it."""
        self._begin(title)
        try:
            result = await work
        except Problem as problem:
            raise self._otherwise(f"{problem.status}: {problem}", OK) from problem
        self._line(OK, "green")
        return result

    async def refused(self, title: str, status: str, work: Awaitable[Any]) -> Problem:
        """Something that must fail, with exactly this status; returns the failure."""
        self._begin(title)
        try:
            result = await work
        except Problem as problem:
            if problem.status != status:
                raise self._otherwise(f"{problem.status}: {problem}", status) from problem
            self._line(status, "yellow")
            self.show(Text(safe(str(problem)), style="dim"))
            return problem
        raise self._otherwise(f"{OK} ({str(result)[:200]})", status)

    def check(self, title: str, found: object, expected: object) -> None:
        """A fact that must be so."""
        self._begin(title)
        if found != expected:
            raise self._otherwise(repr(found), repr(expected))
        self._line("as told", "green")

    def show(self, what: RenderableType) -> None:
        """Something to look at, below the step."""
        self._console.print(Padding(what, (0, 0, 0, 6)))

    def _begin(self, title: str) -> None:
        self._number += 1
        self._title = title

    def _line(self, status: str, style: str) -> None:
        line = Text.assemble(
            (f"{self._number:>3}  ", "dim"), ("✓ ", "green"), self._title, "  →  ", (status, style)
        )
        self._console.print(line, soft_wrap=True)

    def _otherwise(self, found: str, expected: str) -> StepFailed:
        line = Text.assemble((f"{self._number:>3}  ", "dim"), ("✗ ", "bold red"), self._title)
        self._console.print(line, soft_wrap=True)
        return StepFailed(self._number, self._title, f"expected {expected}, got {found}")
