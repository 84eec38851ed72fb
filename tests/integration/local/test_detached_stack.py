"""`chenu up --detach` returns when the stack runs, which then ends by `chenu down` only."""

import json
import os
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from deploy.local.server import Command
from deploy.local.supervisor import Supervisor

PLAYED = """
import signal, sys
from pathlib import Path
Path(sys.argv[1]).write_text(sys.argv[2])
signal.pause()
"""
ENDPOINTS = {
    "identity": "127.0.0.1:1",
    "gateway": "http://127.0.0.1:2",
    "demo_user": {"email": "demo@chenu.example", "password": "x"},
}


def test_a_detached_stack_goes_on_until_it_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = [str(tmp_path / "endpoints.json"), json.dumps(ENDPOINTS)]
    played = Command([sys.executable, "-I", "-S", "-c", PLAYED, *written])
    monkeypatch.setattr(Supervisor, "prepare", lambda _: played)
    chenu = ["--state", str(tmp_path)]
    up = CliRunner().invoke(app, [*chenu, "up", "--detach"], catch_exceptions=False)
    supervisor = Supervisor(tmp_path)
    try:
        assert (up.exit_code, supervisor.running()) == (0, True), up.output
        assert "demo@chenu.example" in up.stdout
        parent = Path(f"/proc/{supervisor.pid()}/stat").read_text().rpartition(")")[2].split()[1]
        assert int(parent) != os.getpid(), "our end would be its own"
        down = CliRunner().invoke(app, [*chenu, "down"], catch_exceptions=False)
        assert (down.exit_code, supervisor.running()) == (0, False)
    finally:
        supervisor.stop()
