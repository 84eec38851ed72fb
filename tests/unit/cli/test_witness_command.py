"""A witness that could sign nothing is not started."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from chenu_witness import server
from chenu_witness.server import open_cosigner, open_state
from tests.unit.cli.played_log import PlayedLog

Chenu = Callable[..., Result]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    found: list[object] = []
    monkeypatch.setattr(server, "serve", lambda *given: found.append(given))
    return found


def test_a_witness_is_started_with_the_logs_it_was_given(
    chenu: Chenu, tmp_path: Path, started: list[object]
) -> None:
    keys = tmp_path / "log.vkey"
    keys.write_text(f"{PlayedLog().key}\n")
    result = chenu("witness", str(tmp_path / "w"), "--log-key", str(keys))
    assert (result.exit_code, len(started)) == (0, 1)


@pytest.mark.parametrize(
    ("content", "options", "told"),
    [
        (None, (), "cannot be read"),
        (b"", (), "no log's key"),
        (b"junk", (), "cannot be read"),
        (b"\xff", (), "cannot be read"),
        ("witness", (), "no log's key"),
        ("log", ("--listen", "everywhere"), "not an address"),
        ("log", ("--listen", "127.0.0.1:99999"), "not an address"),
        ("log", ("--name", "two words"), "no space"),
        ("log", ("--name", "one+more"), "no space"),
    ],
)
def test_what_could_sign_nothing_is_told_at_once(
    *,
    chenu: Chenu,
    tmp_path: Path,
    started: list[object],
    content: bytes | str | None,
    options: tuple[str, ...],
    told: str,
) -> None:
    keys = tmp_path / "log.vkey"
    match content:
        case "witness":
            keys.write_text(f"{open_cosigner(tmp_path, 'w.example').verifier_key}\n")
        case "log":
            keys.write_text(f"{PlayedLog().key}\n")
        case bytes():
            keys.write_bytes(content)
    result = chenu("witness", str(tmp_path / "w"), "--log-key", str(keys), *options)
    assert (result.exit_code, started) == (2, [])
    assert told in result.output
    assert not (tmp_path / "w").exists()


def test_a_witness_begins_anew_with_a_log_that_it_knows_and_no_other(
    chenu: Chenu, tmp_path: Path, started: list[object]
) -> None:
    log, keys, folder = PlayedLog(), tmp_path / "log.vkey", tmp_path / "w"
    keys.write_text(f"{log.key}\n")
    state = open_state(folder)
    state.remember(log.key.name, 7, "note", 1)
    state.close()
    options = ("witness", str(folder), "--log-key", str(keys), "--begin-anew")
    wrong = chenu(*options, "another")
    assert (wrong.exit_code, log.key.name in wrong.output) == (2, True)
    done = chenu(*options, log.key.name)
    assert (done.exit_code, "7 records" in done.output, started) == (0, True, [])
