"""What is known while a sentence is read from left to right."""

from typing import Final

from services.nova.intent.events import ARTICLES, Event
from services.nova.intent.lexicon import is_reading
from services.nova.intent.places import (
    ASK,
    CLOSED,
    FORBID,
    OPEN,
    READ,
    REPORT,
    REQUEST,
    SUBJECT,
    WORK,
    Place,
    Slot,
)
from services.nova.intent.tokens import Sentence

_SMALL: Final = frozenset({"soft", "subject", "you", "object", "negative"})
_BEFORE_VERB: Final = frozenset({"le", "la", "les", "l", "tout", "tous", "leur"})
_QUANTITIES: Final = frozenset({"all", "everything", "tout", "tous", "toutes"})
_POSSESSIVES: Final = frozenset(["my", "our", "his", "her", "mon", "ma", "mes", "notre", "nos"])
_THESE: Final = frozenset(["it", "them", "this", "that", "these", "those", "ca", "cela", "ceci"])
_DETERMINED: Final = {"definite", "indefinite", "object", "subject", "amount", "number"}
_NAMED: Final = {"thing", "noun", "unknown", "danger", "email", "url"}
_OBJECTS: Final = frozenset(_DETERMINED | _NAMED)


class State:
    """The mood at a word, and what the mood waits for."""

    def __init__(self, sentence: Sentence, found: list[Event]) -> None:
        self.sentence = sentence
        self.found = found
        self.mood = OPEN
        self.slot = CLOSED
        self.head = True
        self.clause = 0
        self.direct = False  # the sentence itself is the question
        self.wanted = False
        self.offered = False  # the question began with "can"
        self.passive = False  # and went on with "be"
        self.fresh = False  # a request has just been opened: its verb comes now
        self.denied_until = -1
        self.last = ""  # what the event before was
        self.last_word = ""
        self.consumed = False  # the event before was the verb that the mood waited for

    def place(self, index: int) -> Place:
        """Where an event stands."""
        event = self.found[index]
        place = Place(event, self.mood, self.head, self.clause, wanted=self.wanted)
        place.awaited = self.slot.accepts(event, self.last_word)
        place.generic, place.passive = self.slot.generic, self.passive
        inside = event.start < self.denied_until
        place.denied = inside or (place.awaited and self.slot.forbids)
        place.strange = self._strange(index)
        return place

    def word(self, event: Event) -> str:
        """The first word of an event."""
        return self.sentence.tokens[event.start].word

    def last_of(self, event: Event) -> str:
        """The last word of an event."""
        return self.sentence.tokens[event.end - 1].word

    def become(self, mood: str, slot: Slot = CLOSED) -> None:
        """Another mood, and the verb that it waits for."""
        self.mood, self.slot, self.wanted = mood, slot, False

    def spend(self, event: Event) -> None:
        """A word stands between the mood and the verb that it waits for."""
        if not self.slot.words:
            return
        small = event.what in _SMALL or self.word(event) in _BEFORE_VERB
        small = small or (self.mood == FORBID and event.what == "sub")
        if self.slot.strict and not small:
            self.slot = CLOSED
            return
        subject = event.what in {"subject", "you"} and "b" in self.slot.forms
        strict = self.slot.strict or subject
        self.slot = self.slot._replace(words=self.slot.words - 1, strict=strict)

    def begin(self) -> None:
        """A word that is no verb begins a statement."""
        if self.mood == OPEN:
            self.mood = SUBJECT

    def tell(self, event: Event) -> None:
        """A finite verb after its subject makes a statement."""
        if self.mood == SUBJECT and any(form in "spf" for form in event.forms):
            self.mood = REPORT
        self.begin()

    def noun(self, event: Event) -> None:
        """A noun; "a list" and the like tell that something is to be shown."""
        self.spend(event)
        shown = event.reading and is_reading(event.kind) and self.last_word not in _POSSESSIVES
        if shown and self.mood in {OPEN, REQUEST, WORK, SUBJECT}:
            wanted = self.mood != WORK
            self.become(READ)
            self.wanted = wanted
        self.begin()

    def after_article(self, event: Event) -> bool:
        """Whether only a noun can stand here, though it may look like a verb: the quote."""
        joined = self.sentence.tokens[event.start].joined  # un-archive
        return self.last_word in ARTICLES and not self.head and not joined

    def asked_of_the_past(self, event: Event) -> bool:
        """Est-ce que tu as envoyé: asked for is what comes, not what is done already."""
        led = self.fresh and self.last_word in {"tu", "vous", "on"}
        following = (e for e in self.found if e.start >= event.end and e.what not in _SMALL)
        return led and event.what == "have" and "p" in next(following, event).forms

    def leads(self) -> bool:
        """Whether a word here can be the verb of a command."""
        return self.head or self.fresh or self.last in {"you", "to", "soft", "object"}

    def _strange(self, index: int) -> bool:
        """A command whose verb is unknown, or says by itself nothing of what is done."""
        event = self.found[index]
        token = self.sentence.tokens[event.start]
        if event.what not in {"unknown", "doubtful"} or token.quoted or len(token.word) < 3:
            return False
        leads = (self.head and self.mood in {OPEN, REPORT}) or (self.fresh and self.mood == REQUEST)
        following = self.found[index + 1 : index + 4]
        if not leads or not following or not token.word.isalpha():
            return False
        if event.what == "doubtful":
            return event.forms != "p" and following[0].what in _OBJECTS
        return self._names_something(following)

    def _names_something(self, following: list[Event]) -> bool:
        first = following[0]
        if first.what == "unknown":
            return len(following) > 1 and self.sentence.tokens[first.start].capital
        if first.what == "amount" or self.word(first) in _QUANTITIES | _THESE:
            return True
        rest = {event.what for event in following[1:]}
        return (
            self.word(first) != "du"
            and first.what == "definite"
            and bool({"thing", "noun", "danger", "work", "read"} & rest)
        )

    def asks_about(self) -> bool:
        """Whether the words so far lead to a question: under which terms, dans quel but."""
        led = self.last in {"prep", "to", "about"} and self.clause == 0
        return self.mood in {OPEN, READ, ASK} or self.head or (led and self.mood == SUBJECT)
