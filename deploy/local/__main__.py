"""`python -m deploy.local DIR`: the process behind a `Supervisor`, which runs the stack."""

import json
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

from deploy.local.choices import Choices
from deploy.local.errors import BackendError, explained
from deploy.local.stack import started
from deploy.local.supervisor import PROBLEM, STEP


def main() -> None:
    """`python -m deploy.local DIR`: run the stack that DIR/run/supervisor describes."""
    state = Path(sys.argv[1])
    given: dict[str, Any] = json.loads((state / "run" / "supervisor" / "given.json").read_text())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        with explained(state):
            stack = started(state, given["ports_from"], Choices(**given["choices"]), _tell)
    except BackendError as problem:
        sys.exit(f"{PROBLEM}{problem}")
    except KeyboardInterrupt:
        return
    try:
        _tell("ready")
        stack.watch(lambda: False)
    except KeyboardInterrupt:
        _tell("stopping")
    finally:
        stack.stop()


def _stop(*_: object) -> NoReturn:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # stopping is not to be interrupted in its turn
    raise KeyboardInterrupt


def _tell(words: str) -> None:
    print(f"{STEP}{words}", flush=True)


if __name__ == "__main__":
    main()
