"""Tell for each thing that a sentence says how it is meant."""

from itertools import pairwise
from typing import Final

from services.nova.intent.events import BOUNDARIES, Event
from services.nova.intent.places import ASK, READ, REQUEST, Place, Slot
from services.nova.intent.state import State
from services.nova.intent.tokens import Sentence
from services.nova.intent.turns import cross, take

_INVERSIONS: Final = frozenset({("t", "il"), ("t", "elle"), ("est", "il"), ("est", "ce")})


def placed(sentence: Sentence, found: list[Event], *, noted: bool = False) -> list[Place]:
    """The events of a sentence with their moods; `noted` if it is the text of a note."""
    state = State(sentence, found)
    if noted:
        state.become(READ, Slot("bi", 3, strict=True))
    if _asks_of_infinitive(sentence, found):
        state.become(ASK, Slot("i", 1))
        state.direct = True
    places = [_step(state, index) for index in range(len(found))]
    closing: dict[int, str] = {}
    for place in reversed(places):
        place.closing = closing.setdefault(place.clause, place.then)
    return places


def _step(state: State, index: int) -> Place:
    event, place = state.found[index], state.place(index)
    if event.what in BOUNDARIES:
        cross(state, event)
    else:
        take(state, event)
    if place.strange:
        state.mood = REQUEST
    state.last, state.last_word = event.what, state.last_of(event)
    state.consumed = place.awaited
    place.then = state.mood
    return place


def _asks_of_infinitive(sentence: Sentence, found: list[Event]) -> bool:
    """A question whose subject is an infinitive: supprimer un fil efface-t-il tout."""
    words = [token.word for token in sentence.tokens]
    led = bool(found) and found[0].forms == "i" and sentence.asks and "," not in words
    return led and any(pair in _INVERSIONS for pair in pairwise(words))
