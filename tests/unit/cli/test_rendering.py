"""Messages as people read them."""

from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console

from chenu.governance.v1.checkpoint_pb2 import Checkpoint
from cli.rendering import ago, duration, facts, one_line, safe, short, table, when, word

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def stamp(moment: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(moment)
    return made


def printed(what: object) -> str:
    console = Console(width=60, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    with console.file:
        console.print(what)
    return console.export_text()


@pytest.mark.parametrize(
    "text", ["\x1b[2J", "a\rb", "\u202etxt.exe", "zero\u200bwidth", "\x07", "\x9b31m"]
)
def test_texts_cannot_steer_the_terminal(text: str) -> None:
    shown = safe(text)
    assert "⟦U+" in shown
    assert all(char.isprintable() for char in shown)


def test_ordinary_texts_of_any_language_stay_as_they_are() -> None:
    assert safe("Où est l’été ? 日本語\nzwei") == "Où est l’été ? 日本語\nzwei"


def test_french_narrow_spaces_are_shown_as_blanks() -> None:
    assert safe("Prêt\u202f?") == "Prêt ?"


def test_a_long_text_is_cut_on_one_line_with_a_mark() -> None:
    assert one_line("a b\nc", 80) == "a b c"
    assert one_line("x" * 90, 10) == "x" * 9 + "…"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (7200, "2 h"), (200_000, "2 d")],
)
def test_a_length_of_time_is_told_in_its_largest_unit(seconds: int, words: str) -> None:
    assert duration(timedelta(seconds=seconds)) == words


def test_times_are_told_from_now() -> None:
    assert ago(stamp(NOW + timedelta(minutes=5)), NOW) == "in 5 min"
    assert ago(stamp(NOW - timedelta(hours=3)), NOW) == "3 h ago"
    assert ago(Timestamp(), NOW) == ""
    assert when(Timestamp()) == ""


def test_enums_are_words_and_ids_are_their_ends() -> None:
    found = Checkpoint(state="CHECKPOINT_STATE_PENDING")
    assert word(found, "state") == "pending"
    assert word(found, "priority") == ""
    assert word(Checkpoint(state=99), "state") == "99"  # type: ignore[arg-type]
    assert short("01920000-0000-7000-8000-00000000c001") == "0000c001"


def test_a_table_without_rows_says_what_is_missing() -> None:
    assert "Nothing." in printed(table(("a",), [], empty="Nothing."))
    shown = printed(table(("a", "b"), [("[red]1", 2)], empty=""))
    assert "[red]1" in shown  # other people's brackets are no markup


def test_facts_leave_out_what_is_empty() -> None:
    shown = printed(facts((("one", "1"), ("none", ""), ("zero", 0))))
    assert "one" in shown
    assert "none" not in shown
    assert "zero" in shown
