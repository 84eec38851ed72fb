"""Gather what the sentences of a text ask for."""

from typing import Final, NamedTuple

from services.nova.intent.events import Event, events, language_of
from services.nova.intent.intent import UNKNOWN
from services.nova.intent.moods import placed
from services.nova.intent.places import ASK, READ, REQUEST, WORK, Place
from services.nova.intent.surroundings import Around
from services.nova.intent.tokens import Sentence, Token
from services.nova.intent.uses import FORBIDDEN, TOLD, excuse

_MONEY_WITHIN: Final = 8  # words after the verb


class Finding(NamedTuple):
    """A kind of action that the text asks for, or has an excuse for naming."""

    kind: str
    words: str
    excuse: str = ""
    noun: bool = False  # a noun for the action: the payment, the rights
    clause: tuple[int, int] = (0, 0)


class Findings:
    """All that was found in a text, in its order."""

    def __init__(self) -> None:
        self.dangerous: list[Finding] = []
        self.harmless: list[Finding] = []
        self.asks = False
        self.tampers = False

    @property
    def commands(self) -> list[Finding]:
        """What is asked for; a text that tampers with its reader is not excused."""
        return [found for found in self.dangerous if self.tampers or not found.excuse]


def gather(sentences: list[Sentence], language: str) -> Findings:
    """What the sentences ask for."""
    found = Findings()
    noted = False
    for number, sentence in enumerate(sentences):
        spoken = language_of(sentence.tokens, language)
        said = events(sentence.tokens, "en" if spoken == "und" else spoken)
        places = placed(sentence, said, noted=noted)
        before = len(found.dangerous), len(found.harmless)
        for index, place in enumerate(places):
            _look(found, Around(sentence, places, index), (number, place.clause))
        new = found.dangerous[before[0] :]
        told = found.harmless[before[1] :] or any(f.excuse in {"", FORBIDDEN, TOLD} for f in new)
        if not told and _asks_for_something(places):
            found.dangerous.append(Finding(UNKNOWN, "what is asked for here"))
        noted = sentence.end == ":" and said[-1].what == "note"
    return found


def _asks_for_something(places: list[Place]) -> bool:
    """A request about things of which no verb says what is to happen to them."""
    # A request that turns into a question: est-ce que tu as envoyé.
    turned = any(place.mood == REQUEST and place.then == ASK for place in places)
    asked = not turned and any(place.then == REQUEST for place in places)
    chat = any(place.event.what == "chat" for place in places)
    touched = any(
        place.event.what in {"thing", "danger"}
        or (place.event.what in {"work", "read", "act"} and "n" in place.event.forms)
        for place in places
    )
    return asked and touched and not chat


def _look(found: Findings, around: Around, clause: tuple[int, int]) -> None:
    event, place = around.event, around.place
    tokens = around.sentence.tokens[event.start : event.end]
    words = " ".join(token.word for token in tokens)
    found.tampers = found.tampers or event.what == "tampering"
    found.asks = found.asks or place.mood == ASK or around.sentence.asks
    if place.strange:
        kind = "payment" if _money(around.rest) else UNKNOWN
        found.dangerous.append(Finding(kind, words, clause=clause))
    elif event.what == "amount" and place.mood == REQUEST:
        found.dangerous.append(Finding("payment", words, noun=True, clause=clause))
    elif event.what == "danger":
        kind = _paid(event.kind, around.rest)
        found.dangerous.append(Finding(kind, words, excuse(around), event.noun_acts, clause))
    else:
        kind = _harmless(event, place)
        if kind:
            found.harmless.append(Finding(kind, words, noun=event.what == "noun", clause=clause))


def _harmless(event: Event, place: Place) -> str:
    if event.what == "mood":
        return "query" if event.kind.startswith("ask") else ""
    if event.what in {"read", "work", "note"} and place.then in {READ, WORK}:
        led = place.mood != place.then or place.head
        return event.kind if led else ""
    if event.reading and place.mood in {REQUEST, READ}:
        return event.kind if event.kind in _SHOWN else "query"
    return ""


_SHOWN: Final = frozenset({"summarize", "analyze", "search"})


def _money(tokens: list[Token]) -> bool:
    return any(token.kind == "amount" for token in tokens[:_MONEY_WITHIN])


def _paid(kind: str, rest: list[Token]) -> str:
    """Money that is sent or moved is paid; French "virer" without any is to throw out."""
    return "payment" if kind in {"send", "transfer", "delete"} and _money(rest) else kind
