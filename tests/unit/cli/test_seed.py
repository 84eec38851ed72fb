"""`chenu seed` for somebody whose log-in is over."""

from collections.abc import Callable
from pathlib import Path

import grpc
from typer.testing import Result

from cli.problems import NOT_LOGGED_IN
from cli.session_file import SessionFile
from tests.unit.cli import samples
from tests.unit.cli.conftest import Recording, a_session, rpc_error


def test_a_log_in_that_is_over_is_told_once_and_nothing_is_tried(
    chenu: Callable[..., Result], recording: Recording, state: Path
) -> None:
    SessionFile(state / "session.json").save(a_session(access_expires=0.0))
    code, words = grpc.StatusCode.UNAUTHENTICATED, "log in again"
    status = samples.status(code.value[0], words, "REFRESH_TOKEN_INVALID")
    recording.answer("RefreshSession", rpc_error(code, words, status))
    refused = chenu("seed")
    assert refused.exit_code == NOT_LOGGED_IN
    assert (refused.stdout, refused.stderr.count(words)) == ("", 1)
    assert [name for name, *_ in recording.sent] == ["RefreshSession"]
