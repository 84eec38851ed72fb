"""A stack as one process of its own, which `chenu up` starts, follows and stops."""

import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Final

from deploy.local.account import ENVIRONMENT
from deploy.local.choices import ANTHROPIC_KEY, Choices
from deploy.local.errors import BackendError, DiskFull
from deploy.local.secret_file import write_secret
from deploy.local.server import Command, Server, tells_of_full_disk

PROBLEM: Final = "problem: "
STEP: Final = "· "
"""Begins each line that tells people how far it is; what else is in the log is for looking up."""


class Supervisor(Server):
    """The process that watches over a stack; found again, and stopped, by its state folder."""

    name = "CHE·NU"
    stop_signals = (signal.SIGTERM,)
    start_seconds = 180

    def __init__(
        self, state: Path, ports_from: int | None = None, choices: Choices | None = None
    ) -> None:
        super().__init__(state / "run" / "supervisor", state / "logs" / "supervisor.log")
        self._state, self._ports_from = state.absolute(), ports_from
        self._choices = choices or Choices()
        # The model's key travels in the environment: an argument would stand in process lists.
        key = {ANTHROPIC_KEY: os.environ.get(ANTHROPIC_KEY, "")} if self._choices.live else {}
        self.environment = {**ENVIRONMENT, "LC_ALL": "C.UTF-8", **key}

    def prepare(self) -> Command:
        """What was ready in an earlier life must not be taken for ready now."""
        (self._state / "endpoints.json").unlink(missing_ok=True)
        given = {"ports_from": self._ports_from, "choices": asdict(self._choices)}
        write_secret(self.folder / "given.json", json.dumps(given))
        arguments = [sys.executable, "-m", "deploy.local", str(self._state)]
        return Command(arguments)

    def ready(self) -> bool:
        """Whether the stack has written where everything is."""
        return (self._state / "endpoints.json").exists()

    def failure(self, said: str) -> BackendError:
        """What the stack itself said, which tells what to do."""
        _, problem, words = said.rpartition(PROBLEM)
        if problem:
            return BackendError(words.strip())
        return DiskFull(self._state) if tells_of_full_disk(said) else super().failure(said)
