"""How phrases open a mood: could you, how do I, do not."""

from collections.abc import Callable
from typing import Final

from services.nova.intent.events import Event
from services.nova.intent.places import (
    ASK,
    CLOSED,
    FORBID,
    LONG,
    OPEN,
    READ,
    REPORT,
    REQUEST,
    SUBJECT,
    WORK,
    Slot,
)
from services.nova.intent.state import State

_NEXT_IS_VERB: Final = frozenset(
    {"to", "de", "d", "pour", "i", "we", "you", "he", "she", "they", "je", "on"}
)


def _request(state: State, event: Event) -> None:
    if state.mood == FORBID and not state.head:
        return
    words = {token.word for token in state.sentence.tokens[event.start : event.end]}
    if state.mood == ASK and state.last in {"wh", "mood"} and not state.head:
        state.slot = Slot("bi", 2, strict=True)
    elif state.mood not in {ASK, READ} or state.head or words & {"you", "tu", "vous", "merci"}:
        state.become(REQUEST)


def _ask(slot: Slot) -> Callable[[State, Event], None]:
    def turn(state: State, event: Event) -> None:
        asked = state.word(event) == "combien"  # ça coûte combien d'envoyer …
        if state.mood not in {SUBJECT, FORBID} or state.asks_about() or asked:
            state.direct = state.mood in {OPEN, SUBJECT} or (state.head and state.mood == ASK)
            strict = state.last_of(event) in _NEXT_IS_VERB
            near = slot._replace(words=3, strict=True) if slot.words == LONG and strict else slot
            state.become(ASK, near)

    return turn


def _forbid(slot: Slot) -> Callable[[State, Event], None]:
    def turn(state: State, _event: Event) -> None:
        if state.mood == ASK and not state.head:
            return
        if state.mood == FORBID and state.slot.words:  # not … not
            state.become(REQUEST)
        else:
            state.become(FORBID, slot)

    return turn


def _forbid_noun(state: State, _event: Event) -> None:
    """Without, instead of: the mood of the sentence goes on behind it."""
    if state.mood in {OPEN, SUBJECT, REQUEST, WORK, READ}:
        mood = FORBID if state.mood == OPEN else state.mood
        state.become(mood, Slot("gni", 2, strict=True, forbids=True))


def _noun_verb(state: State, _event: Event) -> None:
    """The steps to, the request to: what follows is only their content."""
    if state.mood in {READ, ASK}:
        state.become(ASK, Slot("bi", 3, strict=True))
    else:
        state.begin()


def _report(state: State, _event: Event) -> None:
    """Thanks for what has been done."""
    state.become(REPORT)


_PHRASES: Final[dict[str, Callable[[State, Event], None]]] = {
    "request": _request,
    "ask": _ask(CLOSED),
    "ask_verb": _ask(Slot("bi", LONG)),
    "ask_generic": _ask(Slot("bi", 2, strict=True, generic=True)),
    "noun_verb": _noun_verb,
    "report": _report,
    "forbid": _forbid(Slot("bi", 5, strict=True)),
    "forbid_wish": _forbid(Slot("pgn", 6)),
    "forbid_noun": _forbid_noun,
}


def opened_by_phrase(state: State, event: Event) -> None:
    """Let a phrase open its mood."""
    _PHRASES[event.kind](state, event)
