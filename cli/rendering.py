"""Messages as people read them: words, times, short ids, and other people's texts made harmless."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich import box
from rich.table import Table
from rich.text import Text

from chenu_gate.visible_text import original, visible

SHORT: Final = 8
_COLOURS: Final = {
    "pending": "yellow",
    "blocked": "yellow",
    "running": "cyan",
    "succeeded": "green",
    "approved": "green",
    "completed": "green",
    "failed": "red",
    "denied": "red",
    "rejected": "red",
    "expired": "magenta",
    "cancelled": "magenta",
    "superseded": "magenta",
    "unknown": "bold red",
    "critical": "bold red",
    "high": "red",
}
_ESCAPED_BLANK: Final = re.compile(r"⟦U\+(?:00A0|202F)⟧")


def safe(text: str) -> str:
    """Somebody's text with nothing in it that could move the cursor or hide."""
    lines = text.split("\n")
    return "\n".join(_ESCAPED_BLANK.sub(" ", visible(line).text) for line in lines)


def escaped(text: str) -> str:
    """A text of a view, in which hidden characters are spelled out already; still made sure of."""
    return visible(original(text)).text


def one_line(text: str, longest: int = 80) -> str:
    """The same on one line, cut where it is longer."""
    line = safe(" ".join(text.split()))
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def word(message: Message, field: str) -> str:
    """An enum field as a word: CHECKPOINT_STATE_PENDING is "pending"; empty where unset."""
    enum: Any = message.DESCRIPTOR.fields_by_name[field].enum_type
    return enum_word(enum, getattr(message, field))


def enum_word(enum: Any, number: int) -> str:
    """The word of a number of an enum; empty for its unspecified one."""
    if number == 0:
        return ""
    prefix = str(enum.values_by_number[0].name).removesuffix("UNSPECIFIED")
    value = enum.values_by_number.get(number)
    return str(value.name).removeprefix(prefix).lower() if value else str(number)


def state(words: str) -> Text:
    """A state in its colour."""
    return Text(words, style=_COLOURS.get(words, ""))


def short(identifier: str) -> str:
    """The end of an id, which is what tells ids of the same day apart; commands take it."""
    return identifier[-SHORT:]


def when(moment: Timestamp) -> str:
    """A time as the clock on the wall has it; empty where unset."""
    if not moment.seconds:
        return ""
    return moment.ToDatetime(UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def ago(moment: Timestamp, now: datetime | None = None) -> str:
    """How long ago, or in how long: "2 min ago", "in 58 min"; empty where unset."""
    if not moment.seconds:
        return ""
    distance = moment.ToDatetime(UTC) - (now or datetime.now(UTC))
    words = duration(abs(distance))
    return f"in {words}" if distance > timedelta() else f"{words} ago"


def duration(length: timedelta) -> str:
    """A length of time in its largest unit."""
    seconds = int(length.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size or (unit == "min" and seconds >= size):
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> Table | Text:
    """Rows under their headings, or the words for having none; cells may be styled texts."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text | Table) else Text(str(cell)) for cell in row))
    return made if made.row_count else Text(empty, style="dim")


def facts(pairs: Iterable[tuple[str, Any]]) -> Table:
    """Names and values, those that are empty left out."""
    made = Table(box=None, show_header=False, pad_edge=False)
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in pairs:
        if value not in ("", None) and str(value):
            made.add_row(name, value if isinstance(value, Text | Table) else Text(str(value)))
    return made
