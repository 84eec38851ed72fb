"""Runs as people read them."""

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from chenu.governance.v1.checkpoint_pb2 import CheckpointBlock
from chenu.nova.v1.intent_pb2 import Intent
from chenu.nova.v1.run_pb2 import Run, RunAction
from cli.problems import BLOCKED, DENIED, EXPIRED, FAILED, OK
from cli.rendering import ago, facts, one_line, safe, short, state, table, when, word

SIMULATED = "answered by the model simulator, not by a model"
_EXIT_CODES = {
    "succeeded": OK,
    "failed": FAILED,
    "blocked": BLOCKED,
    "denied": DENIED,
    "rejected": DENIED,
    "expired": EXPIRED,
    "cancelled": EXPIRED,
}
ENDED = frozenset(_EXIT_CODES) - {"blocked"}


def exit_code(run: Run) -> int:
    """What a command that waited for this run exits with."""
    return _EXIT_CODES.get(word(run, "state"), OK)


def run_view(run: Run) -> RenderableType:
    """All of a run: what was asked, what was done, what Nova says."""
    parts: list[RenderableType] = [facts(_facts(run))]
    if run.actions:
        parts.append(_actions(run))
    parts += [Text(f"! {safe(notice)}", style="yellow") for notice in run.notices]
    if run.answer:
        parts.append(Panel(Text(safe(run.answer)), title=_by(run), title_align="left"))
    if run.error_message:
        why = f"{run.error_reason}: {run.error_message}" if run.error_reason else run.error_message
        parts.append(Text(safe(why), style="red"))
    if run.outcome_unknown:
        words = "It is not known whether an effect happened. Look, then: chenu reconcile"
        parts.append(Text(words, style="bold red"))
    if word(run, "state") == "blocked":
        parts.append(block_view(run.block))
    return Group(*parts)


def runs_table(runs: list[Run]) -> RenderableType:
    """Runs, one line each."""
    return table(
        ("run", "state", "asked", "text", "answer"),
        (
            (
                short(run.run_id),
                state(word(run, "state")),
                ago(run.create_time),
                one_line(run.text, 60),
                one_line(run.answer or run.error_message, 60),
            )
            for run in runs
        ),
        empty="No runs yet.",
    )


def block_view(block: CheckpointBlock) -> RenderableType:
    """What a run waits for: the exact actions, as far as a block carries them."""
    shown: list[RenderableType] = []
    for one in block.checkpoints:
        body = Text.assemble(
            (safe(one.question), "bold"),
            f"\n{safe(one.action)}",
            (f"\n{safe(one.preview)}" if one.preview else ""),
            (f"\nview {one.view_digest}", "dim"),
        )
        title = Text(f"checkpoint {short(one.checkpoint_id)} · {ago(one.expire_time)} it expires")
        shown.append(Panel(body, title=title, title_align="left", style="yellow"))
    if block.omitted:
        shown.append(Text(f"… and {block.omitted} more: chenu inbox", style="yellow"))
    return Group(*shown)


def lanes_table(run: Run) -> RenderableType:
    """What each lane came to."""
    return table(
        ("lane", "round", "state", "took", "summary"),
        (
            (
                word(lane, "lane"),
                lane.round or "",
                state(word(lane, "state")),
                f"{lane.duration_micros / 1000:.1f} ms" if lane.duration_micros else "",
                one_line(lane.summary, 90),
            )
            for lane in run.lanes
        ),
        empty="No lane has begun.",
    )


def intent_view(intent: Intent) -> RenderableType:
    """What a text seems to ask for."""
    found = ", ".join(f"{one.type} {safe(one.value)!r}" for one in intent.entities)
    needs = "yes, if it comes to that" if intent.requires_checkpoint else "no"
    return facts(
        (
            ("kind", Text(intent.kind, style="bold")),
            ("confidence", f"{intent.confidence:.2f}"),
            ("may need a person", needs),
            ("also", ", ".join(intent.secondary_kinds)),
            ("a question", "yes" if intent.question else ""),
            ("entities", found),
            ("keywords", ", ".join(safe(one) for one in intent.keywords)),
            ("urgency", word(intent, "urgency")),
            ("language", intent.language),
            ("because", safe(intent.reasoning)),
        )
    )


def _facts(run: Run) -> Iterator[tuple[str, Any]]:
    yield "run", run.run_id
    yield "state", state(word(run, "state"))
    yield "text", safe(run.text)
    yield "mode", word(run, "mode")
    yield "sphere", word(run, "sphere")
    yield "thread", run.thread_id
    yield "asked", f"{when(run.create_time)} ({ago(run.create_time)})"


def _actions(run: Run) -> Table | Text:
    return table(
        ("action", "rule says", "execution", "checkpoint", "arguments", "result"),
        (
            (
                f"{safe(one.tool)} ({word(one, 'kind')})",
                word(one, "effect"),
                state(_outcome(one)),
                short(one.checkpoint_id),
                one_line(one.arguments, 70),
                one_line(one.result, 50),
            )
            for one in run.actions
        ),
        empty="",
    )


def _outcome(action: RunAction) -> str:
    return "rejected" if action.rejected else word(action, "execution_state").replace("_", " ")


def _by(run: Run) -> Text:
    if run.simulated:
        return Text(f"Nova · {SIMULATED}", style="magenta")
    return Text(f"Nova · {safe(run.model)}" if run.model else "Nova")
