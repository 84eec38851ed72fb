"""`chenu classify`, `run`, `watch`, `runs`, `cancel`: requests to Nova."""

from pathlib import Path
from typing import Annotated

import typer

from chenu.governance.v1.checkpoint_service_pb2 import (
    CancelCheckpointRequest,
    CancelCheckpointResponse,
)
from chenu.governance.v1.checkpoint_service_pb2_grpc import CheckpointServiceStub
from chenu.nova.v1.run_service_pb2 import (
    CancelRunRequest,
    ClassifyIntentResponse,
    ExecuteRunResponse,
    GetRunResponse,
    ListRunsRequest,
    StartRunResponse,
)
from chenu.nova.v1.run_service_pb2_grpc import RunServiceStub
from cli.checkpoint_lookup import checkpoint_id
from cli.command import PageOption, command
from cli.here import Here
from cli.problems import OK, Problem, UsageProblem
from cli.rendering import short, word
from cli.run_lines import run_lines
from cli.run_lookup import run_id
from cli.run_view import block_view, exit_code, intent_view, lanes_table, run_view, runs_table
from cli.running import DEADLINE_SECONDS, Way, classify, execute, request_of, start
from cli.thread_lookup import thread_id
from cli.watching import follow_run, get_run
from cli.words import MODES, RUN_STATES, SPHERES, listed, number

Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="TEXT", help="The request; FILE or @FILE for a file, - for input."),
]
File = Annotated[Path | None, typer.Option("--file", "-f", help="Read the request from a file.")]
Which = Annotated[str, typer.Argument(metavar="RUN", help="Its id, or an end of it.")]


async def classify_text(here: Here, words: Words = None, file: File = None) -> None:
    """Say what a text seems to ask for, in English or French; nothing is run.

    [bold]chenu classify "Delete the thread Taxes"[/bold]
    [bold]chenu classify "Peux-tu supprimer le fil Impôts ?" --output json[/bold]
    """
    intent = await classify(here.connection, await request_of(words or [], file))
    here.show(ClassifyIntentResponse(intent=intent), lambda answer: intent_view(answer.intent))


Lines = Annotated[
    bool, typer.Option("--lines", help="One request a line, with progress and a summary.")
]
AtOnce = Annotated[int, typer.Option(min=1, max=50, help="With --lines: so many.")]
Mode = Annotated[str, typer.Option(help=f"How far it may go: {listed(MODES)}.")]
Where = Annotated[str, typer.Option(help=f"Where: {listed(SPHERES)}.")]
InThread = Annotated[str, typer.Option(help="The thread it belongs to: id, end of it, title.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Only start it; chenu watch follows it.")]
Patience = Annotated[float, typer.Option("--timeout", help="Wait so long; the run itself goes on.")]


async def run_text(
    here: Here,
    *,
    words: Words = None,
    file: File = None,
    lines: Lines = False,
    at_once: AtOnce = 4,
    mode: Mode = "",
    sphere: Where = "",
    thread: InThread = "",
    no_wait: NoWait = False,
    seconds: Patience = DEADLINE_SECONDS,
) -> int:
    """Have Nova do what a text asks for; what could hurt stops for a person (exit code 3).

    [bold]chenu run "Create a thread about my taxes"[/bold]
    [bold]chenu run "Delete the thread 'Old notes'"[/bold]
    [bold]chenu run --lines --file requests.txt[/bold]
    [bold]echo "Summarize my threads" | chenu run - --mode analysis[/bold]
    """
    way = Way(
        mode=number(MODES, mode, "--mode"),
        sphere=number(SPHERES, sphere, "--sphere"),
        thread_id=await thread_id(here.connection, thread) if thread else "",
        deadline=seconds,
    )
    text = await request_of(words or [], file)
    if lines:
        if no_wait:
            raise UsageProblem("--lines waits for every request; leave --no-wait out")
        return await run_lines(here, text.splitlines(), way, at_once)
    return await (_start(here, text, way) if no_wait else _execute(here, text, way))


async def _start(here: Here, text: str, way: Way) -> int:
    run = await start(here.connection, text, way)
    here.show(StartRunResponse(run=run), lambda answer: run_view(answer.run))
    here.tell(f"Next: chenu watch {short(run.run_id)}")
    return OK


async def _execute(here: Here, text: str, way: Way) -> int:
    try:
        run = await execute(here.connection, text, way)
    except Problem as problem:
        if problem.block is not None:
            here.tell(block_view(problem.block))
        raise
    here.show(ExecuteRunResponse(run=run), lambda answer: run_view(answer.run))
    return exit_code(run)


async def watch(here: Here, which: Which) -> int:
    """Follow a run to its end, from its first event on; Ctrl-C stops watching, not the run.

    With --output json each event is one line.
    """
    return await follow_run(here, await run_id(here.connection, which))


async def runs(
    here: Here,
    which: Annotated[str, typer.Argument(metavar="[RUN]", help="Show this one in full.")] = "",
    only: Annotated[str, typer.Option(help=f"Only these: {listed(RUN_STATES)}.")] = "",
    thread: Annotated[str, typer.Option(help="Only those of this thread.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many.")] = 20,
    page: PageOption = "",
) -> None:
    """List your runs, the latest first, or show one with its lanes and actions.

    [bold]chenu runs --only blocked[/bold]
    [bold]chenu runs 7c1d90ab[/bold]
    """
    if which:
        run = await get_run(here.connection, await run_id(here.connection, which))
        here.show(GetRunResponse(run=run), lambda answer: run_view(answer.run))
        here.tell(lanes_table(run))
        return
    request = ListRunsRequest(
        page_size=limit,
        page_token=page,
        state=number(RUN_STATES, only, "--only"),  # type: ignore[arg-type]
        thread_id=await thread_id(here.connection, thread) if thread else "",
    )
    answer = await here.connection.stub(RunServiceStub).ListRuns(request)
    here.show(answer, lambda found: runs_table(list(found.runs)))


async def cancel(
    here: Here,
    which: Annotated[
        str, typer.Argument(metavar="RUN|CHECKPOINT", help="Its id, or an end of it.")
    ],
    reason: Annotated[str, typer.Option("--reason", help="Why.")] = "",
    checkpoint: Annotated[
        bool, typer.Option("--checkpoint", help="Withdraw a checkpoint rather than end a run.")
    ] = False,
) -> None:
    """End a run, or with --checkpoint withdraw a checkpoint: its action will not be done.

    What was executed stays executed.
    """
    if checkpoint:
        request = CancelCheckpointRequest(
            checkpoint_id=await checkpoint_id(here.connection, which), reason=reason
        )
        stub = here.connection.stub(CheckpointServiceStub)
        withdrawn: CancelCheckpointResponse = await stub.CancelCheckpoint(request)
        here.show(
            withdrawn,
            lambda answer: (
                f"Checkpoint {short(answer.checkpoint.checkpoint_id)} is"
                f" {word(answer.checkpoint, 'state')}."
            ),
        )
        return
    ended = await here.connection.stub(RunServiceStub).CancelRun(
        CancelRunRequest(run_id=await run_id(here.connection, which), reason=reason)
    )
    here.show(ended, lambda answer: run_view(answer.run))


def register_commands(app: typer.Typer) -> None:
    """Add them to the application."""
    panel = "Asking"
    command(app, "classify", rich_help_panel=panel)(classify_text)
    command(app, "run", rich_help_panel=panel)(run_text)
    command(app, "watch", rich_help_panel=panel)(watch)
    command(app, "runs", rich_help_panel=panel)(runs)
    command(app, "cancel", rich_help_panel=panel)(cancel)
