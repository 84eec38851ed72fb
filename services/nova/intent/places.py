"""How the things that a sentence says are meant: the moods they can stand in."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from services.nova.intent.events import Event

OPEN: Final = "open"  # nothing said yet: a verb here is a command
REQUEST: Final = "request"  # asked for: I want, could you, make
READ: Final = "read"  # to be looked at: show, summarize
WORK: Final = "work"  # to be made or edited: create, rename
ASK: Final = "ask"  # asked about: how, who, should I
REPORT: Final = "report"  # told as a fact: Paul sent
SUBJECT: Final = "subject"  # a noun stands there and no verb yet
CONDITION: Final = "condition"  # if, when
FORBID: Final = "forbid"  # do not


@dataclass(slots=True)
class Place:
    """The mood in which an event stands, and what else decides about it."""

    event: Event
    mood: str
    head: bool  # nothing but politeness stands before it in its clause
    clause: int
    awaited: bool = False  # the verb that the mood waits for: "how do I …", "do not …"
    generic: bool = False  # "is it possible to": a question only about things in general
    passive: bool = False  # "can the thread be …?": an offer to do it
    denied: bool = False  # ne … pas; without …
    wanted: bool = False  # a noun made the mood READ: "I want a list of …"
    strange: bool = False  # nothing tells what the command does: zorch the thread
    then: str = OPEN  # the mood after it
    closing: str = OPEN  # the mood in which its clause ends


class Slot(NamedTuple):
    """The verb that a mood waits for."""

    forms: str = ""  # none: it waits for no verb
    words: int = 0  # that may stand before the verb
    strict: bool = False  # and only small ones
    generic: bool = False
    forbids: bool = False
    after_to: bool = False  # the verb stands directly after "to" or "de"

    def accepts(self, event: Event, last_word: str) -> bool:
        """Whether this is the verb."""
        if self.words == 0 or (self.after_to and last_word not in {"to", "de", "d"}):
            return False
        return any(form in self.forms for form in event.forms)


CLOSED: Final = Slot()
LONG: Final = 8  # words between "when does" and its verb
