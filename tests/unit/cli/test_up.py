"""What `chenu up` hands on to the stack that it starts."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli import fleet
from cli.main import app
from deploy.local.choices import Choices
from deploy.local.errors import BackendError
from deploy.local.supervisor import Supervisor


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Choices]:
    """What stacks were to be started with; none is."""
    made: list[Choices] = []

    class Refusing(Supervisor):
        def __init__(self, state: Path, ports: int | None, choices: Choices) -> None:
            super().__init__(state, ports, choices)
            made.append(choices)

        def begin(self, **_: Any) -> None:
            raise BackendError("not in this test")

    monkeypatch.setattr(fleet, "Supervisor", Refusing)
    return made


def up(folder: Path, size: str) -> Result:
    given = ["up", "--state", str(folder)]
    return CliRunner().invoke(app, given, env={"CHENU_NATS_MAX_BYTES": size})


def test_the_size_of_the_stream_is_taken_from_the_environment(
    started: list[Choices], tmp_path: Path
) -> None:
    assert "not in this test" in up(tmp_path, "67108864").stderr
    assert "not in this test" in up(tmp_path, "").stderr
    assert [made.settings for made in started] == [{"CHENU_NATS_MAX_BYTES": "67108864"}, {}]


@pytest.mark.parametrize("size", ["64M", "0", "-1"])
def test_a_size_that_is_none_is_refused_in_words(
    started: list[Choices], tmp_path: Path, size: str
) -> None:
    refused = up(tmp_path, size)
    assert (refused.exit_code, started) == (2, [])
    assert "CHENU_NATS_MAX_BYTES takes a number of bytes" in refused.stderr
