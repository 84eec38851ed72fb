"""Both servers together, and what happens to them when those who started them end."""

import asyncio
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import nats
import pytest

from deploy.local.backends import Backends, running_backends
from deploy.local.errors import PortTaken
from tests.support.waiting import PATIENCE

STARTER = """
import sys, time
from pathlib import Path
from deploy.local.backends import Backends
Backends(Path(sys.argv[1])).start(detached=sys.argv[2] == "detached")
print("started", flush=True)
if sys.argv[2] == "attached":
    time.sleep(60)
"""


def started_by_another_process(state: Path, how: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", STARTER, str(state), how]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


async def test_both_run_within_the_block_and_no_longer(tmp_path: Path) -> None:
    with running_backends(tmp_path / "a state") as backends:
        postgres = await asyncpg.connect(backends.postgres.admin_url)
        await postgres.close()
        messages = await nats.connect(backends.nats.url)
        await messages.close()
    assert not backends.postgres.running()
    assert not backends.nats.running()


async def test_when_one_cannot_start_the_other_is_stopped(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        backends = Backends(tmp_path, postgres_port=other.getsockname()[1])
        with pytest.raises(PortTaken):
            backends.start()
    assert not backends.nats.running()


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
async def test_they_end_with_the_process_that_started_them(
    backends: Backends, ending: signal.Signals
) -> None:
    if sys.platform != "linux":
        return  # only Linux tells a child that its parent was killed
    with started_by_another_process(backends.postgres.folder.parent, "attached") as starter:
        assert backends.postgres.running()
        assert backends.nats.running()
        starter.send_signal(ending)
    deadline = time.monotonic() + PATIENCE
    while backends.postgres.running() or backends.nats.running():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_detached_they_outlive_it_and_are_stopped_from_elsewhere(backends: Backends) -> None:
    with started_by_another_process(backends.postgres.folder.parent, "detached") as starter:
        pass
    assert starter.returncode == 0
    assert backends.postgres.running()
    assert backends.nats.running()
    backends.stop()
    assert not backends.postgres.running()
    assert not backends.nats.running()


async def test_stopping_what_never_ran_does_nothing(backends: Backends) -> None:
    backends.stop()
