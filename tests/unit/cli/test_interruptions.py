"""What ends a command from outside: Ctrl-C, SIGTERM, a terminal that is closed."""

import asyncio
import signal
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from cli.command import perform
from cli.here import Here
from cli.problems import INTERRUPTED, OK
from cli.start import main

ENDINGS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def as_at_a_terminal() -> Iterator[None]:
    """Whoever runs the tests in the background may have had these ignored."""
    before = [signal.signal(number, signal.SIG_DFL) for number in ENDINGS]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in zip(ENDINGS, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDINGS)
@pytest.mark.parametrize("waiting", ["in the loop", "outside"])
def test_a_command_that_is_ended_cleans_up_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], number: signal.Signals, waiting: str
) -> None:
    cleaned = []
    before = [signal.getsignal(one) for one in ENDINGS]

    async def long() -> None:
        try:
            signal.raise_signal(number)
            await asyncio.sleep(60)
        finally:
            cleaned.append(number)

    def longer() -> None:
        try:
            signal.raise_signal(number)
            time.sleep(60)
        finally:
            cleaned.append(number)

    work = partial(long) if waiting == "in the loop" else partial(longer)
    assert perform(Here(tmp_path), work) == INTERRUPTED
    assert cleaned == [number]
    assert "interrupted" in capsys.readouterr().err
    assert [signal.getsignal(one) for one in ENDINGS] == before


def test_a_signal_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    def nohup() -> None:
        signal.raise_signal(signal.SIGHUP)

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert perform(Here(tmp_path), partial(nohup)) == OK
    finally:
        signal.signal(signal.SIGHUP, before)


def test_an_interrupt_while_the_command_is_being_loaded_ends_it_without_a_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupting:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "cli.main":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "cli.main", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == INTERRUPTED
    assert capsys.readouterr() == ("", "")
