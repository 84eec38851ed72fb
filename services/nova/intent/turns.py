"""How each thing that a sentence says changes the mood of what follows."""

from collections.abc import Callable
from typing import Final

from services.nova.intent.events import Event
from services.nova.intent.openings import opened_by_phrase
from services.nova.intent.places import (
    ASK,
    CLOSED,
    CONDITION,
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

_BE_FIRST: Final = frozenset({"is", "are", "was", "were", "am"})
_MODAL_FIRST: Final = frozenset({"can", "could", "will", "would", "may", "might"})
_MODAL_INVERTED: Final = frozenset({"peut", "peuvent"})
_WISHES: Final = frozenset({"veux", "veut", "voulons", "voudrais", "souhaite", "faut", "faudrait"})
_NEGATORS: Final = frozenset(
    {"pas", "jamais", "plus", "rien", "aucun", "aucune", "point", "guere", "personne"}
)
_CLITICS: Final = frozenset(
    {"me", "m", "te", "t", "se", "s", "le", "la", "les", "l", "lui", "leur"}
)
_CLAUSES: Final = frozenset({"que", "qu"})
_LIMITS: Final = (["mal"], ["seulement"], ["que"])
_LINKS: Final = frozenset({"to", "de", "d", "pour"})


def _verb_of(mood: str) -> Callable[[State, Event], None]:
    def turn(state: State, event: Event) -> None:
        if state.slot.accepts(event, state.last_word) or (state.mood == FORBID and not state.head):
            state.slot = CLOSED
        elif state.after_article(event) or ("n" in event.forms and not state.leads()):
            state.noun(event)
        elif _imperative(event) and (state.head or state.mood in {OPEN, REQUEST, SUBJECT}):
            state.become(mood)
            state.direct = False
        else:
            state.spend(event)
            state.tell(event)

    return turn


def _other_verb(state: State, event: Event) -> None:
    if state.mood == OPEN and "b" in event.forms:
        state.become(REQUEST)
        return
    if "b" in event.forms and state.mood in {ASK, FORBID}:
        state.slot = CLOSED
    state.tell(event)


def _danger(state: State, event: Event) -> None:
    if state.slot.accepts(event, state.last_word):
        state.slot = CLOSED
    elif _imperative(event) and state.mood in {OPEN, SUBJECT, REQUEST}:
        if "n" not in event.forms or state.head or state.fresh:
            state.mood = REQUEST
        state.begin()
    else:
        state.spend(event)
        state.tell(event)


def _word(state: State, event: Event) -> None:
    state.spend(event)
    state.begin()


def _noun(state: State, event: Event) -> None:
    state.noun(event)


def _politeness(_state: State, _event: Event) -> None:
    """Changes nothing."""


def _note(state: State, event: Event) -> None:
    near = state.last_of(event) in _LINKS
    slot = Slot("bi", 2, strict=True) if near else Slot("bi", LONG, after_to=True)
    state.become(READ, slot)
    state.direct = False


def _about(state: State, event: Event) -> None:
    state.spend(event)
    if state.mood in {WORK, OPEN, SUBJECT}:
        wanted = state.mood == SUBJECT
        state.become(READ)
        state.wanted = wanted


def _negative(state: State, event: Event) -> None:
    """French "ne" denies up to its "pas"; an infinitive or a clause after it is forbidden."""
    if state.word(event) not in {"ne", "n"}:
        state.begin()
        return
    window = state.sentence.tokens[event.start + 1 : event.start + 7]
    words = [token.word for token in window]
    found = next((at for at, word in enumerate(words) if word in _NEGATORS), -1)
    if found < 0 or any(word in {"ne", "n"} for word in words[found:]):
        return
    if words[found + 1 : found + 2] in _LIMITS and not _WISHES & set(words[:found]):
        return
    state.denied_until = event.start + 1 + found
    # Where its verb is denied, "ne dérange personne", another one is only with it where it depends
    # on it: "de supprimer", "qu'on supprime"; not in "ne dérange personne supprime le fil".
    whole = any(word not in _CLITICS for word in words[:found])
    linked = bool(_CLAUSES & set(words[found + 1 :]))
    if state.mood not in {ASK, READ} or state.head:
        state.become(FORBID, Slot("i" if whole and not linked else "ib", 5, strict=True))


def _be(state: State, event: Event) -> None:
    state.passive = state.passive or (state.offered and state.word(event) in {"be", "etre"})
    if state.mood == OPEN and state.head and state.word(event) in _BE_FIRST:
        state.mood, state.direct = ASK, True
    elif state.mood in {SUBJECT, OPEN}:
        state.mood = REPORT
    if state.mood == ASK:
        state.slot = CLOSED


def _have(state: State, event: Event) -> None:
    state.spend(event)
    if state.mood == OPEN and state.head:
        state.become(REQUEST)
    elif state.mood == REQUEST and state.asked_of_the_past(event):
        state.become(ASK)
        state.direct = True
    elif state.mood in {SUBJECT, OPEN}:
        state.mood = REPORT


def _do(state: State, _event: Event) -> None:
    if state.mood == OPEN and state.head:
        state.mood, state.direct = ASK, True
    if state.mood == ASK:
        state.slot = Slot("bi", LONG)


def _modal(state: State, event: Event) -> None:
    following = state.sentence.tokens[event.end : event.end + 1]
    begins = state.mood == OPEN and state.head and state.word(event) in _MODAL_FIRST
    inverted = bool(following) and following[0].joined and state.word(event) in _MODAL_INVERTED
    if state.sentence.asks and (begins or inverted):
        state.become(ASK, Slot("bi", LONG))
        state.direct = state.offered = True
    elif state.mood == ASK:
        state.slot = Slot("bi", LONG)
    elif (
        state.mood in {OPEN, SUBJECT, REPORT}
        or (state.mood == READ and state.wanted)
        or (state.mood == CONDITION and event.what == "oblige")
    ):
        state.mood = REQUEST


def _wh(state: State, _event: Event) -> None:
    if state.mood != ASK and state.asks_about():
        state.direct = state.mood in {OPEN, SUBJECT}
        state.become(ASK)


def _condition(state: State, _event: Event) -> None:
    if state.mood in {OPEN, REPORT} or (state.head and state.mood not in {ASK, READ}):
        state.mood = CONDITION


def _imperative(event: Event) -> bool:
    return "b" in event.forms or "i" in event.forms


_TURNS: Final[dict[str, Callable[[State, Event], None]]] = {
    "read": _verb_of(READ),
    "work": _verb_of(WORK),
    "act": _verb_of(REQUEST),
    "verb": _other_verb,
    "doubtful": _other_verb,
    "chat": _other_verb,
    "danger": _danger,
    "noun": _noun,
    "mood": opened_by_phrase,
    "soft": _politeness,
    "tampering": _politeness,
    "note": _note,
    "about": _about,
    "negative": _negative,
    "be": _be,
    "have": _have,
    "do": _do,
    "modal": _modal,
    "oblige": _modal,
    "wh": _wh,
    "sub": _condition,
}


def take(state: State, event: Event) -> None:
    """Let an event change the mood."""
    before = state.mood
    if event.start >= state.denied_until:
        _TURNS.get(event.what, _word)(state, event)
    if event.what in {"soft", "tampering"}:
        return
    state.head = False
    opened = event.what in {"mood", "verb", "chat", "doubtful", "have"} and state.mood == REQUEST
    state.fresh = opened and (event.what == "mood" or before == OPEN)


def cross(state: State, event: Event) -> None:
    """A comma, "and", "or", "but": another clause begins."""
    if _ends_mood(state, event):
        state.become(OPEN)
    elif state.mood == ASK:
        joined = state.direct and event.what in {"and", "or"} and state.sentence.asks
        listed = state.consumed or joined
        state.slot = Slot("bi", 2, strict=True) if listed else CLOSED
        state.direct = state.direct and event.what != "comma"
    elif state.mood == READ:
        state.slot = CLOSED
    state.head, state.fresh = True, False
    state.clause += 1


def _ends_mood(state: State, event: Event) -> bool:
    if state.mood == CONDITION:
        return event.what in {"comma", "but"}
    if state.mood == FORBID:  # do not send, forward or publish it
        return not (event.what in {"or", "comma"} and state.consumed)
    return state.mood == SUBJECT and event.what != "or"
