"""What a stack that does not start says, and what stands in the list of processes."""

import contextlib
import json
from pathlib import Path

import pytest

from deploy.local.choices import Choices
from deploy.local.errors import DiskFull, PortTaken, StartFailed
from deploy.local.ports import Ports
from deploy.local.stack import started
from deploy.local.supervisor import Supervisor


@pytest.fixture
def supervisor(tmp_path: Path) -> Supervisor:
    made = Supervisor(tmp_path, 51000, Choices(settings={"CHENU_LLM_ANTHROPIC_API_KEY": "k-1"}))
    made.folder.mkdir(parents=True)
    return made


def test_a_problem_is_told_in_its_own_words(supervisor: Supervisor) -> None:
    said = "· starting PostgreSQL and NATS\nproblem: Port 1 is taken: choose another.\n"
    assert str(supervisor.failure(said)) == "Port 1 is taken: choose another."


def test_a_full_disk_is_recognised_in_anybodys_last_words(supervisor: Supervisor) -> None:
    for said in (
        "DBAPIError: could not extend file: No space left on device",
        "initdb: HINT:  Check free disk space.",
    ):
        assert isinstance(supervisor.failure(said), DiskFull)


def test_anything_else_names_the_log_to_look_at(supervisor: Supervisor) -> None:
    failure = supervisor.failure("Traceback …\nKeyError: 'x'")
    assert isinstance(failure, StartFailed)
    assert "supervisor.log" in str(failure)


def test_no_setting_stands_in_the_list_of_processes(supervisor: Supervisor) -> None:
    arguments = " ".join(map(str, supervisor.prepare().arguments))
    assert "k-1" not in arguments
    given = supervisor.folder / "given.json"
    assert given.stat().st_mode & 0o077 == 0
    assert json.loads(given.read_text())["ports_from"] == 51000


@pytest.mark.parametrize(
    ("ports_from", "lost", "attempts"),
    [(0, 20_000, 3), (None, 20_000, 3), (None, 50_051, 1), (51_000, 51_001, 1)],
)
def test_a_port_lost_to_a_faster_program_is_replaced_where_nobody_chose_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ports_from: int | None,
    lost: int,
    attempts: int,
) -> None:
    tried: list[Ports] = []

    class Unlucky:
        def __init__(self, _state: Path, ports: Ports, *_: object) -> None:
            tried.append(ports)

        def start(self) -> None:
            if len(tried) < 3:
                raise PortTaken("nova", lost)

    monkeypatch.setattr("deploy.local.stack.Stack", Unlucky)
    with pytest.raises(PortTaken) if attempts == 1 else contextlib.nullcontext():
        started(tmp_path, ports_from, Choices(), print)
    assert len(tried) == len({ports.simulator for ports in tried}) == attempts


def test_the_shells_settings_do_not_reach_a_stack(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHENU_LLM_ANTHROPIC_URL", "https://evil.example")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k-live")
    assert set(supervisor.environment) == {"PATH", "LC_ALL"}
    live = Supervisor(tmp_path, choices=Choices(live=True))
    assert live.environment["ANTHROPIC_API_KEY"] == "k-live"
