"""A stack as one process: in the foreground until Ctrl-C, or detached until it is asked to stop."""

import json
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from deploy.local.errors import BackendError, StartFailed
from deploy.local.provision import Choices, Ports
from deploy.local.server import Command, Server
from deploy.local.stack import Say, Stack


def run(state: Path, ports_from: int | None, choices: Choices, say: Say, ready: Say) -> None:
    """Start a stack and watch over it until SIGINT or SIGTERM; `ready` is told when it stands."""
    stopping: list[int] = []
    stack = Stack(state, Ports.choose(ports_from), choices, say)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda n, _: stopping.append(n))
    stack.start()
    try:
        ready(str(stack.endpoints))
        stack.watch(lambda: bool(stopping))
    finally:
        say("stopping")
        stack.stop()


class Supervisor(Server):
    """A detached stack: found again, and stopped, by its state folder."""

    name = "CHE·NU"
    stop_signals = (signal.SIGTERM,)
    start_seconds = 120

    def __init__(self, state: Path, ports_from: int | None, choices: Choices) -> None:
        super().__init__(state / "run" / "supervisor", state / "logs" / "supervisor.log")
        self._state, self._ports_from, self._choices = state.absolute(), ports_from, choices

    def prepare(self) -> Command:
        """The old endpoints must not be taken for the new ones."""
        (self._state / "endpoints.json").unlink(missing_ok=True)
        given = {
            "state": str(self._state),
            "ports_from": self._ports_from,
            "choices": asdict(self._choices),
        }
        return Command([sys.executable, "-m", "deploy.local.supervisor", json.dumps(given)])

    def ready(self) -> bool:
        """Whether the stack has written where everything is."""
        return (self._state / "endpoints.json").exists()

    def failure(self, said: str) -> BackendError:
        """What the stack said last, which tells what to do."""
        return StartFailed(self.name, self.log, said.rpartition("problem: ")[2] or said)


def main() -> None:
    """`python -m deploy.local.supervisor JSON`: what a detached stack runs."""
    given: dict[str, Any] = json.loads(sys.argv[1])
    try:
        run(Path(given["state"]), given["ports_from"], Choices(**given["choices"]), _tell, _tell)
    except BackendError as problem:
        sys.exit(f"problem: {problem}")


def _tell(words: str) -> None:
    print(words, flush=True)


if __name__ == "__main__":
    main()
