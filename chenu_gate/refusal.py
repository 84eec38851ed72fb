"""Why an action was refused, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar


class Refusal(StrEnum):
    """What is wrong with an action; each says how to put it right."""

    next_step: str

    def __new__(cls, reason: str, next_step: str) -> Refusal:
        member = str.__new__(cls, reason)
        member._value_ = reason
        member.next_step = next_step
        return member

    TOO_LARGE = (
        "TOO_LARGE",
        "Keep within 32 KiB: store large content elsewhere, and pass its id and its digest.",
    )
    NOT_UTF8 = "NOT_UTF8", "Encode the document as UTF-8, without a byte order mark."
    NOT_JSON = "NOT_JSON", "Send one JSON object and nothing around it."
    NOT_CANONICAL = (
        "NOT_CANONICAL",
        "Send the bytes of RFC 8785, as Action.canonical() returns them, unchanged on the way.",
    )
    DUPLICATE_KEY = "DUPLICATE_KEY", "Give each key once in its object."
    UNKNOWN_FIELD = "UNKNOWN_FIELD", "Remove the field; what a tool takes belongs in `arguments`."
    MISSING_FIELD = "MISSING_FIELD", 'Give every field; `thread`, `run`, `agent` may be "".'
    WRONG_TYPE = "WRONG_TYPE", "Give the field the type that chenu.action.v1 says."
    BAD_VALUE = "BAD_VALUE", "Give the field a value of the form that chenu.action.v1 says."
    FLOAT = "FLOAT", "Write the number as a string, or as an integer of a smaller unit."
    INTEGER_RANGE = (
        "INTEGER_RANGE",
        "Write integers beyond 2^53-1 as strings: JSON readers disagree about them.",
    )
    LONE_SURROGATE = "LONE_SURROGATE", "Replace the half of a UTF-16 pair by a whole character."
    TOO_DEEP = "TOO_DEEP", "Nest objects and arrays no deeper than 16."
    VIEW_TOO_LARGE = (
        "VIEW_TOO_LARGE",
        "Split the action: nobody can review that many arguments at once.",
    )


class Refused(Exception):
    """What the gate does not let through; whoever serves it answers with this code and reason.

    `code` is the name of a gRPC status; what concerns a permit is a denial.
    """

    code: ClassVar[str] = "PERMISSION_DENIED"
    reason: ClassVar[str]

    @property
    def metadata(self) -> Mapping[str, str]:
        """Of the error that the caller gets."""
        return {}


class ActionRefused(Refused, ValueError):
    """An action that nobody may act on, with its cause, its place and the next step."""

    code = "INVALID_ARGUMENT"
    reason = "ACTION_INVALID"

    def __init__(self, refusal: Refusal, path: str = "", found: str = "") -> None:
        self.refusal = refusal
        # Keys and values are the sender's: a message shows them in ASCII only.
        self.path = path.encode("ascii", "backslashreplace").decode("ascii")[:200]
        path = self.path
        place = f" at {path}" if path else ""
        detail = f": {found}" if found else ""
        super().__init__(f"{refusal}{place}{detail}. {refusal.next_step}")

    @property
    def metadata(self) -> Mapping[str, str]:
        """What is wrong, and where."""
        return {"cause": self.cause, "path": self.path}

    @property
    def cause(self) -> str:
        """What is wrong as one word, for an error's metadata."""
        return self.refusal.value

    @property
    def next_step(self) -> str:
        """What the sender should do."""
        return self.refusal.next_step


def quoted(text: str, limit: int = 60) -> str:
    """Somebody's text made safe for a message: ASCII, quoted, clipped with a mark."""
    clipped = text if len(text) <= limit else text[:limit] + "..."
    return ascii(clipped)
