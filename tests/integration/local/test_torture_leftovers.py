"""What a torture that was killed has left is gone at the next start; no other's is."""

import fcntl
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.torture.workplace import clear_leftovers, workplace


def test_stopped_servers_and_folders_of_a_dead_run_go_and_those_of_a_living_one_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    dead = tmp_path / "chenu-torture-dead"
    (dead / "state" / "postgres").mkdir(parents=True)
    (dead / "owner").touch()
    with (dead / "state" / "postgres" / "lock").open("w+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        sleeping = [sys.executable, "-c", "import time; time.sleep(60)"]
        server = subprocess.Popen(sleeping, pass_fds=(lock.fileno(),))
        lock.write(str(server.pid))
    os.kill(server.pid, signal.SIGSTOP)

    with workplace() as living:
        (living / "kept").touch()
        assert clear_leftovers() == [dead]
        assert (living / "kept").exists()
    assert server.wait(10) == -signal.SIGKILL
    assert not dead.exists()
    assert not clear_leftovers()
