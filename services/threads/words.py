"""The words of the contract's enums: stored, hashed and audited instead of their numbers."""

from typing import Any, Final

from chenu.threads.v1.message_pb2 import MessageRole
from chenu.threads.v1.thread_event_pb2 import ThreadEventType
from chenu.threads.v1.thread_pb2 import (
    Sphere,
    ThreadKind,
    ThreadOwnership,
    ThreadStatus,
    ThreadVisibility,
)


class Words:
    """One enum: `SPHERE_MY_TEAM` is `my_team`, and what is unspecified has no word."""

    def __init__(self, enum: Any, prefix: str, separator: str = "_") -> None:
        self._words = {
            number: name.removeprefix(prefix).lower().replace("_", separator, 1)
            for name, number in enum.items()
            if number
        }
        self._numbers = {word: number for number, word in self._words.items()}

    def word(self, number: int, default: str = "") -> str:
        """The word of a number; the default for what is unspecified."""
        word: str = self._words.get(number, default)
        return word

    def number(self, word: str) -> Any:
        """The number of a word that was stored."""
        return self._numbers[word]

    def __iter__(self) -> Any:
        return iter(self._numbers)


SPHERES: Final = Words(Sphere, "SPHERE_")
KINDS: Final = Words(ThreadKind, "THREAD_KIND_")
OWNERSHIPS: Final = Words(ThreadOwnership, "THREAD_OWNERSHIP_")
VISIBILITIES: Final = Words(ThreadVisibility, "THREAD_VISIBILITY_")
STATUSES: Final = Words(ThreadStatus, "THREAD_STATUS_")
EVENT_TYPES: Final = Words(ThreadEventType, "THREAD_EVENT_TYPE_", separator=".")
ROLES: Final = Words(MessageRole, "MESSAGE_ROLE_")
