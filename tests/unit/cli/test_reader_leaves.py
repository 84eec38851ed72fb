"""`chenu audit list | head`: who reads has read enough, and that is no failure."""

import os
import sys
from functools import partial
from pathlib import Path

import pytest

from chenu.identity.v1.auth_service_pb2 import GetMeResponse
from chenu.identity.v1.identity_pb2 import User
from cli.command import perform
from cli.here import Here, Output
from cli.problems import OK


@pytest.mark.parametrize("output", list(Output))
def test_a_command_whose_reader_has_left_ends_quietly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: Output
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    answer = GetMeResponse(user=User(email="ada@example.org"))
    with os.fdopen(writing, "w") as abandoned:
        monkeypatch.setattr(sys, "stdout", abandoned)
        here = Here(tmp_path, output)
        assert perform(here, partial(here.show, answer, lambda found: found.user.email)) == OK
        here.show(answer, lambda found: found.user.email)  # what is said later goes nowhere
