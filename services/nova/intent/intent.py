"""What lane A makes of a request."""

from dataclasses import dataclass
from typing import Final

READING_KINDS: Final = ("query", "search", "summarize", "analyze")
WORKING_KINDS: Final = ("create", "update", "configure")
GATED_KINDS: Final = ("delete", "send", "publish", "transfer", "payment", "export", "execute")
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Entity:
    """Something named in a request; `start` and `end` count characters of the text as it came."""

    type: str
    value: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Intent:
    """A forecast: it can make a planned action gated, never free one."""

    kind: str
    confidence: int  # per mille
    requires_checkpoint: bool
    entities: tuple[Entity, ...] = ()
    keywords: tuple[str, ...] = ()
    urgency: str = "normal"
    language: str = "und"
    is_question: bool = False
    secondary_kinds: tuple[str, ...] = ()
    reasoning: str = ""
