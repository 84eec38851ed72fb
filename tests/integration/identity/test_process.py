"""`python -m services.identity`, as a process."""

import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.support.waiting import PATIENCE


def environment(urls: Any, nats_url: str, keys_dir: Path, **changes: str) -> dict[str, str]:
    own = {
        "CHENU_NATS_URL": nats_url,
        "CHENU_KEYS_DIR": str(keys_dir),
        "CHENU_DRAIN_SECONDS": "0",
        "CHENU_IDENTITY_LISTEN": "127.0.0.1:0",
        "CHENU_IDENTITY_DATABASE_URL": urls.app,
        "CHENU_IDENTITY_WORKER_DATABASE_URL": urls.worker,
    }
    return {**os.environ, **own, **changes}


def test_it_serves_until_it_is_told_to_stop(urls: Any, nats_url: str, own_keys_dir: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "services.identity"],
        env=environment(urls, nats_url, own_keys_dir),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        port, deadline = "", time.monotonic() + PATIENCE
        while not port and time.monotonic() < deadline:
            line = process.stderr.readline()
            if '"serving"' in line:
                port = line.partition('"port":')[2].strip().partition(",")[0].strip()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            request = health_pb2.HealthCheckRequest(service="chenu.identity.v1.AuthService")
            status = stub.Check(request, timeout=PATIENCE).status
        assert status == health_pb2.HealthCheckResponse.SERVING
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in errors


@pytest.fixture
def command(
    urls: Any, nats_url: str, own_keys_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """`python -m services.identity …` in this process, which has imported it already."""

    def run(*words: str, **changes: str) -> None:
        for name, value in environment(urls, nats_url, own_keys_dir, **changes).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["identity", *words])
        monkeypatch.delitem(sys.modules, "services.identity.__main__", raising=False)
        runpy.run_module("services.identity", run_name="__main__")

    return run


def test_it_rotates_keys_by_command(
    command: Callable[..., None], own_keys_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command("rotate-keys")
    assert capsys.readouterr().out.startswith("tokens are signed with ")
    assert len(list((own_keys_dir / "tokens").glob("*.pem"))) == 2


def test_all_that_is_missing_is_told_in_words(command: Callable[..., None]) -> None:
    missing = ("CHENU_IDENTITY_DATABASE_URL", "CHENU_IDENTITY_WORKER_DATABASE_URL")
    with pytest.raises(SystemExit) as ended:
        command(**dict.fromkeys(missing, ""))
    assert [line.partition(":")[0] for line in str(ended.value.code).splitlines()] == [*missing]


def test_an_unknown_command_is_told_the_known_one(command: Callable[..., None]) -> None:
    with pytest.raises(SystemExit) as ended:
        command("dance")
    assert ended.value.code == "usage: python -m services.identity [rotate-keys]"
