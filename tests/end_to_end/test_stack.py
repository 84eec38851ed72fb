"""A stack on one machine: what keeps it from starting, and what is watched over."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import urllib.request
from functools import partial
from pathlib import Path

from deploy.local.server import free_port
from tests.end_to_end.conftest import CHENU, RunningStack, chenu_here
from tests.end_to_end.typing_chenu import until


def clean_environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if "CHENU" not in name}
    return kept | more


def health(stack: RunningStack) -> bool:
    return stack.chenu("doctor").exit_code == 0


def is_held_by_another(lock: Path, process: int) -> bool:
    return int(lock.read_text() or 0) not in (0, process)


def test_a_killed_service_is_started_again(stack: RunningStack) -> None:
    lock = stack.folder / "run" / "nova" / "lock"
    killed = int(lock.read_text())
    os.kill(killed, signal.SIGKILL)
    until(lambda: is_held_by_another(lock, killed))
    until(lambda: health(stack))


def test_a_killed_postgresql_and_nats_are_started_again(stack: RunningStack) -> None:
    for part in ("postgres", "nats"):
        lock = stack.folder / part / "lock"
        killed = int(lock.read_text())
        os.kill(killed, signal.SIGKILL)
        until(partial(is_held_by_another, lock, killed))
    until(lambda: health(stack))


def test_nats_refuses_nothing_that_a_service_says_or_listens_to(stack: RunningStack) -> None:
    until(lambda: health(stack))  # a change came through to the log
    assert "Violation" not in (stack.folder / "logs" / "nats.log").read_text()


def test_a_taken_port_is_told_before_anything_is_made(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        result = chenu_here(tmp_path / "s", "up", "--detach", "--ports-from", str(port - 2))
    assert result.exit_code == 1
    told = re.search(r"Port (\d+) on 127\.0\.0\.1 is taken", result.stderr)
    assert told, result.stderr
    assert int(told[1]) in (port - 2, port - 1, port)  # its neighbours may be somebody else's
    assert "--ports-from" in result.stderr
    assert not (tmp_path / "s" / "postgres").exists()


def test_claude_needs_a_key(tmp_path: Path) -> None:
    result = chenu_here(tmp_path, "up", "--detach", "--live", "--ports-from", "0")
    assert result.exit_code == 1
    assert "ANTHROPIC_API_KEY" in result.stderr


def test_services_may_share_a_process(stack: RunningStack) -> None:
    gateway, threads = free_port(), free_port()
    process = subprocess.Popen(
        [CHENU, "serve", "threads", "gateway", "--state", stack.folder],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=clean_environment(
            CHENU_THREADS_LISTEN=f"127.0.0.1:{threads}",
            CHENU_GATEWAY_LISTEN=f"127.0.0.1:{gateway}",
        ),
    )

    def answers() -> bool:
        url = f"http://127.0.0.1:{gateway}/health"
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=1) as page:
            return bool(page.status == 200)
        return False

    try:
        until(answers)
    finally:
        process.terminate()
        assert process.wait(timeout=30) == 0


def test_the_files_of_a_stack_are_its_owners_alone(stack: RunningStack) -> None:
    for name in ("endpoints.json", "environment.json", "passwords.json", "session.json"):
        assert (stack.folder / name).stat().st_mode & 0o077 == 0, name
    for folder in ("keys", "log", "logs", "run/nova"):
        assert (stack.folder / folder).stat().st_mode & 0o077 == 0, folder
    private = [key for key in (stack.folder / "keys").rglob("*.pem") if "pub" not in key.name]
    assert private
    assert all(key.stat().st_mode & 0o077 == 0 for key in private)
