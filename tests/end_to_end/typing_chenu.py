"""What the tests of the command type and read."""

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from tests.end_to_end.conftest import RunningStack


def answer(stack: RunningStack, *arguments: str, code: int = 0) -> dict[str, Any]:
    """What the command says to programs."""
    result = stack.chenu(*arguments, "--output", "json")
    assert result.exit_code == code, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def problem(stack: RunningStack, *arguments: str, code: int) -> dict[str, Any]:
    """What the command says to programs when it fails."""
    result = stack.chenu(*arguments, "--output", "json")
    assert result.exit_code == code, result.output
    document: dict[str, Any] = json.loads(result.stderr)
    return document


def new_thread(stack: RunningStack, title: str) -> str:
    return str(answer(stack, "threads", "create", title)["thread"]["thread_id"])


def blocked(stack: RunningStack, text: str) -> dict[str, Any]:
    """The checkpoint that a request is stopped by."""
    found = problem(stack, "run", text, code=3)
    assert (found["code"], found["reason"]) == ("FAILED_PRECONDITION", "CHECKPOINT_REQUIRED")
    checkpoint: dict[str, Any] = found["block"]["checkpoints"][0]
    return checkpoint | {"run_id": found["block"]["run_id"]}


def title() -> str:
    return f"Papers {uuid4().hex[:8]}"


def until(fact: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for it; AssertionError after so many seconds."""
    end = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < end, "it did not become so in time"
        time.sleep(0.1)


def killed(stack: RunningStack, service: str) -> None:
    """kill -9, and until the supervisor has another one."""
    lock = stack.folder / "run" / service / "lock"
    dead = int(lock.read_text())
    os.kill(dead, signal.SIGKILL)

    def another() -> bool:
        with contextlib.suppress(ValueError):
            return int(lock.read_text()) != dead
        return False

    until(another)
