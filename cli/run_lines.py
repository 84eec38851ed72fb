"""`chenu run --lines`: many requests, some at once, each with its own end."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from chenu.nova.v1.run_pb2 import Run
from chenu.nova.v1.run_service_pb2 import ExecuteRunResponse
from cli.here import Here, as_json
from cli.problems import BLOCKED, DENIED, EXPIRED, FAILED, NOT_LOGGED_IN, OK, UNREACHABLE, Problem
from cli.rendering import one_line, short, state, table, word
from cli.run_view import exit_code
from cli.running import Way, execute

# The most serious of all ends is the end of the whole.
_GRAVITY = (UNREACHABLE, NOT_LOGGED_IN, FAILED, DENIED, EXPIRED, BLOCKED, OK)


@dataclass(frozen=True)
class Ended:
    """What came of one line."""

    number: int
    text: str
    run: Run | None
    problem: Problem | None

    @property
    def word(self) -> str:
        """Its state in one word."""
        if self.problem is not None:
            return "blocked" if self.problem.block is not None else "failed"
        return word(self.run, "state") if self.run is not None else ""

    @property
    def code(self) -> int:
        """What a command for this line alone would have exited with."""
        if self.problem is not None:
            return self.problem.exit_code
        return exit_code(self.run) if self.run is not None else FAILED


async def run_lines(here: Here, lines: Sequence[str], way: Way, at_once: int) -> int:
    """Run each line that is not blank; print them in their order, and a summary."""
    asked = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
    gate = asyncio.Semaphore(at_once)
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=here.errors,
        disable=here.json or not here.errors.is_terminal,
    )

    async def one(number: int, text: str) -> Ended:
        async with gate:
            try:
                ended = Ended(number, text, await execute(here.connection, text, way), None)
            except Problem as problem:
                ended = Ended(number, text, None, problem)
        progress.advance(task)
        if here.json:
            here.write(_document(ended), lines=True)
        return ended

    with progress:
        task = progress.add_task("requests", total=len(asked))
        everything = await asyncio.gather(*(one(number, text) for number, text in asked))
    here.tell(_summary(everything))
    codes = {ended.code for ended in everything}
    return next((code for code in _GRAVITY if code in codes), OK)


def _document(ended: Ended) -> dict[str, object]:
    document: dict[str, object] = {"line": ended.number, "text": ended.text}
    if ended.run is not None:
        document |= as_json(ExecuteRunResponse(run=ended.run))
    if ended.problem is not None:
        document["error"] = ended.problem.document()
    return document


def _summary(everything: Sequence[Ended]) -> RenderableType:
    counted = Counter(ended.word for ended in everything)
    told = ", ".join(f"{count} {end}" for end, count in counted.most_common())
    return Group(
        table(
            ("line", "state", "request", "answer"),
            (
                (ended.number, state(ended.word), one_line(ended.text, 60), _answer(ended))
                for ended in everything
            ),
            empty="There was no request.",
        ),
        Text(f"{len(everything)} requests: {told}" if everything else ""),
    )


def _answer(ended: Ended) -> str:
    if ended.problem is None:
        return one_line(ended.run.answer if ended.run is not None else "", 80)
    if ended.problem.block is not None:
        waiting = ", ".join(short(one.checkpoint_id) for one in ended.problem.block.checkpoints)
        return f"{ended.problem.status}: chenu show {waiting}"
    return one_line(f"{ended.problem.status}: {ended.problem}", 80)
