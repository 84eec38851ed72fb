"""Say of a dangerous word why it asks for nothing; without a reason it is taken for a command."""

from collections.abc import Callable
from itertools import pairwise
from typing import Final

from services.nova.intent.places import (
    ASK,
    CONDITION,
    FORBID,
    OPEN,
    READ,
    REPORT,
    REQUEST,
    SUBJECT,
    WORK,
)
from services.nova.intent.surroundings import Around

ASKED: Final = "asked about"
SEEN: Final = "only looked at"
TOLD: Final = "told as a fact"
FORBIDDEN: Final = "forbidden"
NAMED: Final = "part of a name"
NOUN: Final = "the noun, not the verb"
NO_EXCUSE: Final = ""

_PLEADING: Final = frozenset(["please", "kindly", "stp", "svp", "merci", "veuillez"])
_FOR_ME: Final = frozenset({("for", "me"), ("for", "us"), ("pour", "moi"), ("pour", "nous")})
_NEGATIONS: Final = frozenset(["no", "not", "plus", "ne", "n", "sans", "without"])
_FREE: Final = frozenset({"edge", "soft", "prep", "comma", "and", "or"})
_LOOKING: Final = frozenset({READ, ASK, WORK, REPORT})
_LINKING: Final = frozenset({"be", "have", "subject", "definite", "indefinite", "number"})


def excuse(around: Around) -> str:
    """Why the dangerous word asks for nothing, or nothing."""
    if around.token.quoted and (around.mood in _LOOKING | {FORBID} or around.quoted_object):
        return NAMED
    if _commands(around):
        return NO_EXCUSE
    if _forbidden(around):
        return FORBIDDEN
    if around.describes or (around.labels and around.mood in _LOOKING):
        return SEEN
    if around.event.reading and not around.leads:
        return NOUN
    return _RULES[around.mood](around)


def _commands(around: Around) -> bool:
    """An imperative whatever stands before it: envoie-le; please delete."""
    if "f" in around.forms and around.mood in {OPEN, SUBJECT, REPORT}:
        return around.before.what == "you"
    if not around.imperative:
        return False
    if around.clitic_follows:
        return not around.place.denied
    rest = [token.word for token in around.rest]
    if any(pair in _FOR_ME for pair in pairwise(rest)):
        return True
    return around.word_before in _PLEADING and "n" not in around.forms


def _forbidden(around: Around) -> bool:
    place = around.place
    denied = place.denied or (place.mood == FORBID and place.awaited) or around.denied_after
    words = around.sentence.tokens[around.event.start : around.event.end]
    if not denied or any(token.word in _NEGATIONS for token in words):
        return False
    return not around.conditional


def _in_ask(around: Around) -> str:
    if around.place.generic and around.place.awaited:
        return NO_EXCUSE if around.after.what == "definite" else ASKED
    if around.place.passive and "p" in around.forms and around.before.what == "be":
        return NO_EXCUSE
    if around.place.awaited or not around.imperative or around.nominal or around.asked_by:
        return ASKED
    told = around.has_subject or around.told_of_others
    return ASKED if told or around.linked or around.inverted else NO_EXCUSE


def _in_read(around: Around) -> str:
    if not around.imperative:
        ends = around.after.what in {"edge", "soft", "comma", "and"} and "p" in around.forms
        done = around.place.wanted and ends and around.before.what not in _LINKING
        return NO_EXCUSE if done or around.caused else SEEN
    if around.place.awaited or around.nominal or around.has_subject or around.told_of_others:
        return SEEN
    if around.before.what == "about" and around.after.what == "edge":
        return NAMED
    purpose = around.word_before in {"to", "a", "pour"}
    return SEEN if purpose and around.after.what in _FREE else NO_EXCUSE


def _in_report(around: Around) -> str:
    if around.place.head and around.after.what == "edge" and around.event.noun_acts:
        return NO_EXCUSE  # I am tired of it: bin
    if around.told_of_others or around.told:
        return TOLD
    return NOUN if around.nominal else NO_EXCUSE


def _in_condition(around: Around) -> str:
    if around.has_subject or around.told_of_others or around.told:
        return TOLD
    return NOUN if around.nominal else NO_EXCUSE


def _in_work(around: Around) -> str:
    if around.topic or around.written:
        return NOUN
    if "g" in around.forms and around.word_before in {"for", "of", "on", "about"}:
        return SEEN
    if around.nominal:
        named = around.word_before in {"to", "as", "en", "comme"}
        name = named and around.event.kind != "configure"
        return NOUN if around.compound or name or not around.event.noun_acts else NO_EXCUSE
    linked = around.before.what in {"be", "have", "subject"}
    return TOLD if "p" in around.forms and linked and not around.imperative else NO_EXCUSE


def _in_request(around: Around) -> str:
    if around.by_oneself:
        return TOLD
    if not around.nominal:
        return NO_EXCUSE
    return NOUN if around.compound or not around.event.acts else NO_EXCUSE


def _in_forbid(around: Around) -> str:
    """Its object is forbidden with it, another verb is not."""
    if around.nominal and not around.conditional:
        return FORBIDDEN
    return _in_request(around)


def _in_subject(around: Around) -> str:
    stated = around.place.closing in {REPORT, ASK}
    if around.told_of_others:
        return TOLD
    if around.imperative and not around.nominal:
        return NO_EXCUSE
    if "n" in around.forms:
        free = stated or around.compound or not around.event.acts
        return NOUN if free else NO_EXCUSE
    if "g" in around.forms:
        return TOLD if stated else NO_EXCUSE
    return TOLD if around.told and not _pleads(around) else NO_EXCUSE


def _in_open(around: Around) -> str:
    if around.imperative or "f" in around.forms:
        return NO_EXCUSE
    if "p" in around.forms:  # misspelt French: supprimé le fil
        given = around.token.raw.endswith(("é", "ée")) or (
            around.place.head and around.token.raw.endswith("e")
        )
        misspelt = given and around.after.what in {"definite", "indefinite", "object"}
        return NO_EXCUSE if misspelt or _pleads(around) else SEEN
    return _in_subject(around)


def _pleads(around: Around) -> bool:
    return any(token.word in _PLEADING for token in around.sentence.tokens)


_RULES: Final[dict[str, Callable[[Around], str]]] = {
    ASK: _in_ask,
    READ: _in_read,
    REPORT: _in_report,
    CONDITION: _in_condition,
    WORK: _in_work,
    REQUEST: _in_request,
    FORBID: _in_forbid,
    SUBJECT: _in_subject,
    OPEN: _in_open,
}
