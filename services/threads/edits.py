"""What an update of a thread may say. Rules: no I/O."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from chenu.threads.v1.thread_pb2 import Thread
from kernel.errors import InvalidArgument
from kernel.update_mask import named_fields
from services.threads.errors import FoundingIntentImmutable
from services.threads.words import KINDS, VISIBILITIES, Words

MAX_TAGS: Final = 50


def edited_columns(thread: Thread, paths: Collection[str]) -> dict[str, Any]:
    """The columns that these paths of the update mask set, each checked as at the founding."""
    if "founding_intent" in paths:
        raise FoundingIntentImmutable
    return {path: _EDITABLE[path](thread) for path in named_fields(paths, _EDITABLE)}


def _title(thread: Thread) -> str:
    return _text("title", thread.title, 1, 500)


def _description(thread: Thread) -> str:
    return _text("description", thread.description, 0, 10_000)


def _tags(thread: Thread) -> list[str]:
    if len(thread.tags) > MAX_TAGS:
        raise InvalidArgument(f"thread.tags: more than {MAX_TAGS}", field="thread.tags")
    return [_text("tags", tag, 1, 100) for tag in thread.tags]


def _word(words: Words, name: str) -> Callable[[Thread], str]:
    def read(thread: Thread) -> str:
        word = words.word(getattr(thread, name))
        if not word:
            raise InvalidArgument(f"thread.{name}: not one of its values", field=f"thread.{name}")
        return word

    return read


def _text(name: str, text: str, shortest: int, longest: int) -> str:
    if not shortest <= len(text) <= longest:
        raise InvalidArgument(
            f"thread.{name}: must have {shortest} to {longest} characters", field=f"thread.{name}"
        )
    return text


_EDITABLE: Final[Mapping[str, Callable[[Thread], Any]]] = {
    "title": _title,
    "description": _description,
    "tags": _tags,
    "kind": _word(KINDS, "kind"),
    "visibility": _word(VISIBILITIES, "visibility"),
}
