"""Asking Nova: a request sent, and what came of it."""

import asyncio
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

from chenu.nova.v1.intent_pb2 import Intent
from chenu.nova.v1.run_pb2 import Run
from chenu.nova.v1.run_service_pb2 import (
    ClassifyIntentRequest,
    ContinueRunRequest,
    ExecuteRunRequest,
    StartRunRequest,
)
from chenu.nova.v1.run_service_pb2_grpc import RunServiceStub
from cli.connection import Connection
from cli.problems import UsageProblem

DEADLINE_SECONDS: Final = 120.0


@dataclass(frozen=True)
class Way:
    """How a request is to be run."""

    mode: int = 0
    sphere: int = 0
    thread_id: str = ""
    deadline: float = DEADLINE_SECONDS
    request_id: str = ""
    """The same id and text come back to the same run; a fresh one where empty."""


async def execute(connection: Connection, text: str, way: Way | None = None) -> Run:
    """Run a request to its end; a block is a Problem, as every other failure is."""
    way = way or Way()
    request = ExecuteRunRequest(
        text=text,
        mode=way.mode,  # type: ignore[arg-type]
        sphere=way.sphere,  # type: ignore[arg-type]
        thread_id=way.thread_id,
        request_id=way.request_id or str(uuid4()),
    )
    stub = connection.stub(RunServiceStub)
    return (await stub.ExecuteRun(request, timeout=way.deadline)).run


async def start(connection: Connection, text: str, way: Way | None = None) -> Run:
    """Start a request and return at once."""
    way = way or Way()
    request = StartRunRequest(
        text=text,
        mode=way.mode,  # type: ignore[arg-type]
        sphere=way.sphere,  # type: ignore[arg-type]
        thread_id=way.thread_id,
        request_id=way.request_id or str(uuid4()),
    )
    return (await connection.stub(RunServiceStub).StartRun(request)).run


async def wait_for(connection: Connection, run_id: str, deadline: float = DEADLINE_SECONDS) -> Run:
    """Wait for a run as `execute` does; after an approval this is how to go on."""
    stub = connection.stub(RunServiceStub)
    return (await stub.ContinueRun(ContinueRunRequest(run_id=run_id), timeout=deadline)).run


async def classify(connection: Connection, text: str) -> Intent:
    """What a text seems to ask for."""
    stub = connection.stub(RunServiceStub)
    return (await stub.ClassifyIntent(ClassifyIntentRequest(text=text))).intent


async def request_of(words: list[str], file: Path | None) -> str:
    """The text of a request; a single word that is the name of a file means the file."""
    typed = words[0] if len(words) == 1 else ""
    if file is None and _is_file(typed):
        return await text_of([], Path(typed))
    return await text_of(words, file)


def _is_file(word: str) -> bool:
    return bool(re.fullmatch(r"\S{1,255}", word)) and Path(word).is_file()


async def text_of(words: list[str], file: Path | None) -> str:
    """A text: the words, a file (`--file` or `@file`), or standard input (`-`)."""
    typed = " ".join(words)
    if file is not None and typed:
        raise UsageProblem("give the text or a --file, not both")
    if typed.startswith("@"):
        file = Path(typed[1:])
    if file is not None:
        try:
            return file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageProblem(f"{file} cannot be read as text: {error}") from None
    if typed and typed != "-":
        return typed
    if not typed and sys.stdin.isatty():
        raise UsageProblem("what is it that you want?", 'chenu run "Create a thread about taxes"')
    return await asyncio.to_thread(sys.stdin.read)
