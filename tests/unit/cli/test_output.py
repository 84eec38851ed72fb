"""Where a command speaks to: streams that know no Unicode, that are full, that say nonsense."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from chenu.identity.v1.auth_service_pb2 import GetMeResponse
from chenu.identity.v1.identity_pb2 import User
from cli.command import perform
from cli.here import Here, Output, speaking
from cli.main import app
from cli.problems import FAILED, OK, USAGE
from cli.rendering import table
from tests.unit.cli.conftest import Recording

NAME = "Zoë 你"
FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_what_a_terminal_cannot_show_is_spelled_out_and_json_stays_json(
    chenu: Callable[..., Result], recording: Recording, state: Path, encoding: str
) -> None:
    recording.answer("GetMe", GetMeResponse(user=User(display_name=NAME)))
    runner = CliRunner(charset=encoding)
    words, document = (
        runner.invoke(app, ["--state", str(state), "-o", form, "whoami"], catch_exceptions=False)
        for form in Output
    )
    assert words.exit_code == document.exit_code == 0
    spelled = NAME.encode(encoding, "backslashreplace").decode(encoding)
    assert spelled in words.stdout
    assert json.loads(document.stdout)["user"]["display_name"] == NAME


@needs_full
@pytest.mark.parametrize("output", list(Output))
def test_a_full_standard_output_is_told_by_its_name(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    output: Output,
) -> None:
    here = Here(tmp_path, output)
    answer = GetMeResponse(user=User(email="ada@example.org"))
    with FULL.open("w", buffering=1) as full, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", full)
        show = partial(here.show, answer, lambda found: found.user.email)
        assert perform(here, show) == FAILED
        assert perform(here, partial(here.line, "a token")) == FAILED
        os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())
    told = capsys.readouterr().err
    assert told.count("standard output: No space left on device") == 2
    assert str(tmp_path) not in told


@needs_full
def test_a_page_of_help_that_nobody_can_be_shown_ends_in_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with FULL.open("w") as full, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit) as ended:
            app(["--help"])
        os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())
    assert ended.value.code == FAILED
    assert "standard output: No space left on device" in capsys.readouterr().err


def test_closed_streams_keep_no_command_from_its_work(tmp_path: Path) -> None:
    command = shlex.join([sys.executable, "-m", "cli.main", "down", "--state", str(tmp_path)])
    ended = subprocess.run(["/bin/sh", "-c", f"exec {command} >&- 2>&-"], check=False)
    assert ended.returncode == OK


def test_a_file_that_refuses_while_the_command_speaks_keeps_its_own_name() -> None:
    with pytest.raises(FileNotFoundError) as missing, speaking():
        Path("/nowhere/at/all").read_text()
    assert missing.value.filename == "/nowhere/at/all"


@pytest.mark.parametrize("arguments", [["classify", "del \udcff"], ["run", "del \udcff"]])
def test_bytes_that_are_no_text_are_refused_in_words(
    chenu: Callable[..., Result], arguments: list[str]
) -> None:
    refused = chenu(*arguments)
    assert refused.exit_code == USAGE
    assert "what was given is no text" in refused.stderr


def test_in_a_narrow_window_a_table_still_shows_what_is_in_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    parent, terminal = os.openpty()
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("TERM", "xterm")
    row = [f"c{number}" for number in range(9)]
    with os.fdopen(parent, "rb") as read, os.fdopen(terminal, "w") as shown:
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", shown)
            Here(tmp_path).tell(table(["a heading"] * 9, [row], empty=""))
        text = os.read(read.fileno(), 1 << 16).decode()
    assert all(cell in text for cell in row), text
