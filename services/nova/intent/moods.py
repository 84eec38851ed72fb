"""Tell for each thing that a sentence says how it is meant.

The moods: OPEN (nothing said yet: a verb here is a command), REQUEST (asked for), READ (to be
looked at), WORK (to be made or edited), ASK (asked about), REPORT (told as a fact), SUBJECT (a
noun stands there and no verb yet), CONDITION (if, when), FORBID (do not).
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from services.nova.intent.events import BOUNDARIES, Event
from services.nova.intent.lexicon import is_reading
from services.nova.intent.tokens import Sentence

OPEN: Final = "open"
REQUEST: Final = "request"
READ: Final = "read"
WORK: Final = "work"
ASK: Final = "ask"
REPORT: Final = "report"
SUBJECT: Final = "subject"
CONDITION: Final = "condition"
FORBID: Final = "forbid"

_INVERSIONS: Final = frozenset({("t", "il"), ("t", "elle"), ("est", "il"), ("est", "ce")})
_BE_FIRST: Final = frozenset({"is", "are", "was", "were", "am"})
_WISHES: Final = frozenset({"veux", "veut", "voulons", "voudrais", "souhaite", "faut", "faudrait"})
_LONG: Final = 8  # words between "when does" and its verb
_BEFORE_VERB: Final = frozenset({"le", "la", "les", "l", "tout", "tous", "leur"})
_KEEPS_SLOT: Final = frozenset({"soft", "subject", "you", "object", "negative"})
_NEGATORS: Final = frozenset({"pas", "jamais", "plus", "rien", "aucun", "aucune", "point", "guere"})


@dataclass(slots=True)
class Place:
    """The mood in which an event stands, and what else decides about it."""

    event: Event
    mood: str = OPEN
    head: bool = True  # nothing but politeness before it in its clause
    awaited: bool = False  # the mood's own verb: "how do I …", "do not …"
    denied: bool = False  # ne … pas
    then: str = OPEN  # the mood after it
    closing: str = OPEN  # the mood in which its clause ends
    clause: int = 0
    wanted: bool = False  # a noun made the mood READ: "I want a list of …"
    generic: bool = False  # "is it possible to": a question only about things in general
    strange: bool = False  # an unknown word where a command's verb stands


class Slot(NamedTuple):
    """The verb that a mood waits for."""

    forms: str = ""
    words: int = 0
    strict: bool = False  # only small words may stand before it
    generic: bool = False
    forbids: bool = False
    after_to: bool = False  # directly after "to" or "de"

    def accepts(self, event: Event) -> bool:
        """Whether this is the verb."""
        return self.words > 0 and any(form in self.forms for form in event.forms)


_CLOSED: Final = Slot()


class MoodReader:
    """Reads one sentence from left to right."""

    def __init__(self, sentence: Sentence, found: list[Event], *, noted: bool) -> None:
        self.sentence = sentence
        self.found = found
        self.mood = OPEN
        self.head = True
        self.slot = _CLOSED
        self.direct = False  # the sentence itself is the question
        self.wanted = False
        self.fresh = False  # a request has just been opened: its verb comes now
        self.denied_until = -1
        self.clause = 0
        self.last = ""  # what the event before was
        self.last_word = ""
        self.consumed = False  # the event before was the verb that the mood waited for
        if noted:
            self.mood, self.slot = READ, Slot("bi", 3, strict=True)
        if self._inverts():
            self.mood, self.slot, self.direct = ASK, Slot("i", 1), True

    def places(self) -> list[Place]:
        """Each event with its place."""
        placed = []
        for event in self.found:
            place = Place(event, self.mood, self.head, clause=self.clause, wanted=self.wanted)
            place.awaited = self.slot.accepts(event) and not (
                self.slot.after_to and self.last_word not in {"to", "de", "d"}
            )
            place.generic = self.slot.generic
            denied = event.start < self.denied_until
            place.denied = denied or (place.awaited and self.slot.forbids)
            place.strange = event.what == "unknown" and self._strange(event)
            placed.append(place)
            if event.what in BOUNDARIES:
                self._boundary(event)
            else:
                self._take(event)
            if place.strange:
                self.mood = REQUEST
            place.then, self.last = self.mood, event.what
            self.consumed = place.awaited
            self.last_word = self.sentence.tokens[event.end - 1].word
        closing: dict[int, str] = {}
        for place in reversed(placed):
            place.closing = closing.setdefault(place.clause, place.then)
        return placed

    def _inverts(self) -> bool:
        """A question whose subject is an infinitive: supprimer un fil efface-t-il …?"""
        words = [token.word for token in self.sentence.tokens]
        pairs = zip(words, words[1:], strict=False)
        led = bool(self.found) and self.found[0].forms == "i" and "," not in words
        return led and self.sentence.asks and any(pair in _INVERSIONS for pair in pairs)

    def _boundary(self, event: Event) -> None:
        listing = self.consumed
        if self.mood == CONDITION and event.what in {"comma", "but"}:
            self.mood = OPEN
        elif self.mood == FORBID and not (event.what in {"or", "comma"} and listing):
            self.mood, self.slot = OPEN, _CLOSED
        elif self.mood == ASK:
            goes_on = listing or (
                self.direct and event.what in {"and", "or"} and self.sentence.asks
            )
            self.slot = Slot("bi", 2, strict=True) if goes_on else _CLOSED
            if event.what == "comma":
                self.direct = False
        elif self.mood == READ:
            self.slot = _CLOSED
        elif self.mood in {SUBJECT, REPORT} and event.what != "or":
            self.mood = OPEN if self.mood == SUBJECT else REPORT
        self.head, self.fresh = True, False
        self.clause += 1

    def _take(self, event: Event) -> None:
        if event.start < self.denied_until:
            return
        handler = getattr(self, f"_on_{event.what}", None)
        if handler is None:
            self._on_word(event)
        else:
            handler(event)
        if event.what not in {"soft", "tampering"}:
            self.head = False
            self.fresh = event.what == "mood" and self.mood == REQUEST

    def _on_soft(self, event: Event) -> None:
        """Politeness changes nothing."""

    _on_tampering = _on_soft

    def _on_note(self, event: Event) -> None:
        self.mood, self.direct, self.wanted = READ, False, False
        last = self.sentence.tokens[event.end - 1].word
        near = last in {"to", "de", "d", "pour"}
        self.slot = Slot("bi", 2, strict=True) if near else Slot("bi", _LONG, after_to=True)

    def _strange(self, event: Event) -> bool:
        """Whether an unknown word is a command's verb: zorch the thread."""
        leads = (self.head and self.mood == OPEN) or (self.fresh and self.mood == REQUEST)
        token, rest = self.sentence.tokens[event.start], self.sentence.tokens[event.end :]
        if not leads or not rest or token.quoted or not token.word.isalpha():
            return False
        return len(token.word) > 2 and self._names_something(event)

    def _names_something(self, event: Event) -> bool:
        following = [found for found in self.found if found.start >= event.end][:3]
        whats = [found.what for found in following]
        words = [self.sentence.tokens[found.start].word for found in following]
        return whats[:1] == ["definite"] and (
            words[0] in {"all", "everything", "tout", "tous", "toutes"}
            or bool({"thing", "noun", "danger"} & set(whats[1:]))
        )

    def _spend(self, event: Event) -> None:
        if not self.slot.words:
            return
        word = self.sentence.tokens[event.start].word
        keeps = event.what in _KEEPS_SLOT or word in _BEFORE_VERB
        keeps = keeps or (self.mood == FORBID and event.what == "wh")
        if self.slot.strict and not keeps:
            self.slot = _CLOSED
            return
        strict = self.slot.strict or (event.what in {"subject", "you"} and "b" in self.slot.forms)
        self.slot = self.slot._replace(words=self.slot.words - 1, strict=strict)

    def _on_word(self, event: Event) -> None:
        self._spend(event)
        if self.mood == OPEN:
            self.mood = SUBJECT

    def _on_negative(self, event: Event) -> None:
        word = self.sentence.tokens[event.start].word
        if word in {"ne", "n"}:
            window = self.sentence.tokens[event.start + 1 : event.start + 7]
            words = [token.word for token in window]
            found = next((i for i, w in enumerate(words) if w in _NEGATORS), -1)
            wished = bool(_WISHES & set(words[: max(found, 0)]))
            limited = words[found + 1 : found + 2] in (["mal"], ["seulement"], ["que"])
            clear = found >= 0 and (wished or not limited)
            if clear and not _doubled(words, found):
                self.denied_until = event.start + 1 + found
                self.mood, self.slot = FORBID, Slot("ib", 5, strict=True)
        elif self.mood == OPEN:
            self.mood = SUBJECT
        # "pas" after its verb keeps what "ne" began

    def _imperative(self, event: Event) -> bool:
        return any(form in "bi" for form in event.forms) and (
            self.head or self.mood in {OPEN, REQUEST, SUBJECT}
        )

    def _verb(self, event: Event, mood: str) -> None:
        if self.slot.accepts(event) or (self.mood == FORBID and not self.head):
            self.slot = _CLOSED
        elif "n" in event.forms and not self._leads(event):
            self._on_noun(event)
        elif self._imperative(event):
            self.mood, self.wanted, self.slot, self.direct = mood, False, _CLOSED, False
        else:
            self._spend(event)
            self._tell(event)

    def _leads(self, event: Event) -> bool:
        return self.head or self.fresh or self.last in {"you", "to", "soft", "object"}

    def _tell(self, event: Event) -> None:
        if self.mood == SUBJECT and any(form in "spf" for form in event.forms):
            self.mood = REPORT
        elif self.mood == OPEN:
            self.mood = SUBJECT

    def _on_read(self, event: Event) -> None:
        self._verb(event, READ)

    def _on_work(self, event: Event) -> None:
        self._verb(event, WORK)

    def _on_act(self, event: Event) -> None:
        self._verb(event, REQUEST)

    def _on_verb(self, event: Event) -> None:
        if self.mood == OPEN and "b" in event.forms:
            self.mood, self.fresh = REQUEST, True
            return
        if self.mood == FORBID and "b" in event.forms and self.slot.words:
            self.slot = _CLOSED
        if "b" in event.forms and self.mood == ASK:
            self.slot = _CLOSED
        self._tell(event)

    def _on_danger(self, event: Event) -> None:
        if self.slot.accepts(event):
            self.slot = _CLOSED
            return
        if any(form in "bi" for form in event.forms) and self.mood in {OPEN, SUBJECT, REQUEST}:
            self.mood = REQUEST if "n" not in event.forms or self.head or self.fresh else self.mood
            if self.mood == OPEN:
                self.mood = SUBJECT
            return
        self._spend(event)
        self._tell(event)

    def _on_noun(self, event: Event) -> None:
        self._spend(event)
        if event.reading and is_reading(event.kind) and self.mood in {OPEN, REQUEST, WORK, SUBJECT}:
            self.wanted = self.mood in {REQUEST, SUBJECT, OPEN}
            self.mood = READ
        elif self.mood == OPEN:
            self.mood = SUBJECT

    def _on_about(self, event: Event) -> None:
        self._spend(event)
        if self.mood in {WORK, OPEN, SUBJECT}:
            self.mood, self.wanted = READ, False

    def _on_be(self, event: Event) -> None:
        inverted = self.sentence.tokens[event.start].word in _BE_FIRST
        if self.mood == OPEN and self.head and inverted:
            self.mood, self.direct = ASK, True
        elif self.mood in {SUBJECT, OPEN}:
            self.mood = REPORT
        if self.mood == ASK:
            self.slot = _CLOSED

    def _on_have(self, event: Event) -> None:
        self._spend(event)
        if self.mood in {SUBJECT, OPEN} and not self.head:
            self.mood = REPORT
        elif self.mood == OPEN:
            self.mood, self.fresh = REQUEST, True

    def _on_do(self, event: Event) -> None:
        if self.mood == OPEN and self.head:
            self.mood, self.direct = ASK, True
        if self.mood == ASK:
            self.slot = Slot("bi", _LONG)

    def _on_modal(self, event: Event) -> None:
        if self.mood == ASK:
            self.slot = Slot("bi", _LONG)
        elif self.mood in {OPEN, SUBJECT, REPORT}:
            self.mood = REQUEST

    def _on_oblige(self, event: Event) -> None:
        if self.mood == ASK:
            self.slot = Slot("bi", _LONG)
        elif self.mood in {OPEN, SUBJECT, REPORT, CONDITION}:
            self.mood = REQUEST

    def _on_wh(self, event: Event) -> None:
        if self.mood in {OPEN, READ} or self.head:
            self.direct = self.mood == OPEN
            self.mood, self.slot = ASK, _CLOSED

    def _on_sub(self, event: Event) -> None:
        if self.mood in {OPEN, REPORT} or (self.head and self.mood not in {ASK, READ}):
            self.mood = CONDITION

    def _on_mood(self, event: Event) -> None:
        getattr(self, f"_enter_{event.kind}")(event)

    def _enter_request(self, event: Event) -> None:
        adjacent = self.mood == ASK and self.last in {"wh", "mood"} and not self.head
        if self.mood == FORBID and not self.head:
            return
        if adjacent:
            self.slot = Slot("bi", 2, strict=True)
        elif self.mood not in {ASK, READ} or self.head or self._addresses(event):
            self.mood, self.slot, self.wanted = REQUEST, _CLOSED, False

    def _addresses(self, event: Event) -> bool:
        words = {token.word for token in self.sentence.tokens[event.start : event.end]}
        return bool(words & {"you", "tu", "vous", "please", "merci"})

    def _ask(self, slot: Slot) -> None:
        if self.mood != SUBJECT and self.mood != FORBID or self.head:
            self.direct = self.mood == OPEN or (self.head and self.mood == ASK)
            self.mood, self.slot, self.wanted = ASK, slot, False

    def _enter_ask(self, event: Event) -> None:
        self._ask(_CLOSED)

    def _enter_ask_verb(self, event: Event) -> None:
        last = self.sentence.tokens[event.end - 1].word
        strict = last in {
            "to",
            "de",
            "d",
            "pour",
            "i",
            "we",
            "you",
            "he",
            "she",
            "they",
            "je",
            "on",
        }
        self._ask(Slot("bi", 3 if strict else _LONG, strict=strict))

    def _enter_ask_generic(self, event: Event) -> None:
        self._ask(Slot("bi", 2, strict=True, generic=True))

    def _enter_forbid(self, event: Event) -> None:
        self._forbid(Slot("bi", 5, strict=True))

    def _enter_forbid_noun(self, event: Event) -> None:
        if self.mood in {OPEN, SUBJECT, REQUEST, WORK, READ}:
            before = self.mood
            self._forbid(Slot("gni", 2, strict=True, forbids=True))
            self.mood = before if before != OPEN else FORBID

    def _enter_forbid_wish(self, event: Event) -> None:
        self._forbid(Slot("pgn", 6))

    def _forbid(self, slot: Slot) -> None:
        if self.mood == ASK and not self.head:
            return
        if self.mood == FORBID and self.slot.words:
            self.mood, self.slot = REQUEST, _CLOSED
        else:
            self.mood, self.slot = FORBID, slot


def _doubled(words: list[str], found: int) -> bool:
    return any(word in {"ne", "n"} for word in words[found:])


def placed(sentence: Sentence, found: list[Event], *, noted: bool = False) -> list[Place]:
    """The events of a sentence with the moods they stand in; `noted` if it is the text of a note."""
    return MoodReader(sentence, found, noted=noted).places()
