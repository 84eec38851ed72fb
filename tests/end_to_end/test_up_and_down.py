"""The stack of the whole run comes to its end, and starts again with everything it had.

The last file: nothing that needs the stack as it was may come after it.
"""

import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path

from deploy.local.backends import Backends
from tests.end_to_end.conftest import CHENU, RunningStack
from tests.end_to_end.test_stack import clean_environment
from tests.end_to_end.typing_chenu import until

SERVICES = ("identity", "threads", "governance", "audit", "nova", "llm", "courier")


def process_ids(folder: Path) -> list[int]:
    """Every process of the stack in a folder, by the locks that they hold while they live."""
    return [int(lock.read_text() or 0) for lock in folder.glob("**/lock") if lock.read_text()]


def alive(pid: int) -> bool:
    """Whether a process still runs; one that only waits to be reaped does not."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def said_until(process: "subprocess.Popen[str]", words: str) -> str:
    """What a process says up to the line with these words."""
    said = ""
    assert process.stdout is not None
    while words not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    return said


def test_a_killed_stack_starts_again_with_everything_and_ctrl_c_leaves_no_process(
    stack: RunningStack,
) -> None:
    made = stack.chenu("threads", "create", "Kept", "-o", "json")
    thread_id = json.loads(made.stdout)["thread"]["thread_id"]
    twice = stack.chenu("up", "--detach")
    assert (twice.exit_code, "runs already" in twice.stdout) == (0, True)

    started = process_ids(stack.folder)
    assert len(started) == 13
    os.kill(stack.supervisor.pid() or 0, signal.SIGKILL)
    until(lambda: not any(alive(pid) for pid in started))
    assert stack.chenu("down").exit_code == 0
    assert not Backends(stack.folder).postgres.running()

    foreground = subprocess.Popen(
        [CHENU, "up", "--state", stack.folder, "--ports-from", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env=clean_environment(),
    )
    said = said_until(foreground, "Ctrl-C stops it.")
    assert "demo@chenu.example" in said
    endpoints = json.loads((stack.folder / "endpoints.json").read_text())
    assert set(endpoints) == {*SERVICES, "gateway", "demo_user"}
    found = stack.chenu("threads", "show", "Kept", "-o", "json")
    assert json.loads(found.stdout)["thread"]["thread_id"] == thread_id
    assert stack.chenu("audit", "verify").exit_code == 0
    started = process_ids(stack.folder)
    assert len(started) == 13
    foreground.send_signal(signal.SIGINT)
    assert "Stopped." in foreground.communicate(timeout=60)[0]
    assert foreground.returncode == 0
    assert [pid for pid in started if alive(pid)] == []
    assert not (stack.folder / "endpoints.json").exists()
