"""Say of a dangerous word why it asks for nothing; without a reason it is taken for a command."""

from typing import Final

from services.nova.intent.events import Event
from services.nova.intent.lexicon import spoilers, weak_spoilers
from services.nova.intent.moods import (
    ASK,
    CONDITION,
    FORBID,
    OPEN,
    READ,
    REPORT,
    REQUEST,
    SUBJECT,
    WORK,
    Place,
)
from services.nova.intent.tokens import Sentence

ASKED: Final = "asked about"
SEEN: Final = "only looked at"
TOLD: Final = "told as a fact"
FORBIDDEN: Final = "forbidden"
NAMED: Final = "part of a name"
NOUN: Final = "the noun, not the verb"

_DETERMINERS: Final = frozenset({"definite", "indefinite", "number"})
_BEFORE_NOUN: Final = _DETERMINERS | {"prep", "about", "read", "work", "noun", "amount"}
_CLITICS: Final = frozenset(["le", "la", "les", "lui", "leur", "moi", "nous", "en", "y"])
_PLEADING: Final = frozenset(["please", "kindly", "stp", "svp", "merci", "veuillez", "pls"])
_PURPOSE: Final = frozenset(["to", "a", "de", "d", "pour"])
_THIRD: Final = frozenset(["il", "elle", "ils", "elles", "qui"])
_FOR_ME: Final = frozenset({("for", "me"), ("for", "us"), ("pour", "moi"), ("pour", "nous")})
_NEGATIONS: Final = frozenset("no not plus ne n sans without".split())
_INVERTED: Final = frozenset("t il elle ils elles on je".split())
_PERSONS: Final = frozenset(
    ["i", "we", "he", "she", "they", "it", "je", "j", "nous", "il", "elle", "ils", "elles", "one", "on", "users", "people", "someone", "anyone"]
)


class Reading:
    """The events around one that is judged."""

    def __init__(self, sentence: Sentence, places: list[Place]) -> None:
        self.sentence = sentence
        self.places = places

    def before(self, index: int) -> Event:
        """The event before, or one that is nothing."""
        return self.places[index - 1].event if index else Event(0, 0, "start")

    def after(self, index: int) -> Event:
        """The event after, or one that is nothing."""
        last = index + 1 == len(self.places)
        return Event(0, 0, "end") if last else self.places[index + 1].event

    def word(self, event: Event) -> str:
        """The first word of an event."""
        return self.sentence.tokens[event.start].word if event.end else ""

    def excuse(self, index: int) -> str:
        """Why the dangerous event asks for nothing, or nothing."""
        place = self.places[index]
        if self.sentence.tokens[place.event.start].quoted and place.mood in {
            READ, ASK, WORK, REPORT, FORBID,
        }:  # fmt: skip
            return NAMED
        if self._commands(index):
            return ""
        if self._forbidden(index):
            return FORBIDDEN
        if self._describes(index):
            return SEEN
        if place.event.reading and not self._leads(index):
            return NOUN
        rule = _RULES[place.mood]
        return rule(self, index)

    def _leads(self, index: int) -> bool:
        place = self.places[index]
        return place.head or (
            place.mood == REQUEST and self.before(index).what in {"mood", "you", "to", "soft"}
        )

    def _commands(self, index: int) -> bool:
        """An imperative whatever stands before it: envoie-le; please delete."""
        place = self.places[index]
        if "f" in place.event.forms and place.mood in {OPEN, SUBJECT, REPORT}:
            return self.before(index).what == "you"
        if not any(form in "bi" for form in place.event.forms):
            return False
        following = self.sentence.tokens[place.event.end : place.event.end + 1]
        if following and following[0].joined and following[0].word in _CLITICS:
            return not place.denied
        rest = [token.word for token in self.sentence.tokens[place.event.end :]]
        if any(pair in _FOR_ME for pair in zip(rest, rest[1:], strict=False)):
            return True
        noun = "n" in place.event.forms
        return self.word(self.before(index)) in _PLEADING and not noun

    def _forbidden(self, index: int) -> bool:
        place = self.places[index]
        denied = place.denied or (place.mood == FORBID and place.awaited) or self._not_after(index)
        denied = denied or (place.mood == FORBID and self._wished(index))
        words = self.sentence.tokens[place.event.start : place.event.end]
        if not denied or any(token.word in _NEGATIONS for token in words):
            return False
        return not self._conditional(place.event.end)

    def _conditional(self, start: int) -> bool:
        """Whether a prohibition holds only until, except, or for a part of it."""
        rest = self.sentence.tokens[start:]
        if any(token.word in spoilers() for token in rest):
            return True
        comma = next((i for i, token in enumerate(rest) if token.kind == "mark"), len(rest))
        return any(token.word in weak_spoilers() for token in rest[:comma])

    def _wished(self, index: int) -> bool:
        return self.places[index].awaited

    def _not_after(self, index: int) -> bool:
        """Colloquial French: supprime pas le fil."""
        place = self.places[index]
        if "b" not in place.event.forms or self.sentence.asks:
            return False
        words = [t.word for t in self.sentence.tokens[place.event.end : place.event.end + 3]]
        words = words[1:] if words and words[0] in _CLITICS else words
        return words[:1] in (["pas"], ["jamais"]) and words[1:2] not in (
            ["mal"], ["seulement"], ["que"], ["juste"], ["uniquement"],
        )  # fmt: skip

    def _describes(self, index: int) -> bool:
        """A participle beside its noun: the deleted threads, les fils supprimés."""
        event, mood = self.places[index].event, self.places[index].mood
        if "p" not in event.forms or ("b" in event.forms and not self._plural(event)):
            return False
        before, after = self.before(index), self.after(index)
        english = before.what in _DETERMINERS and after.what in {
            "thing", "unknown", "noun", "danger", "read", "work",
        }  # fmt: skip
        french = before.what in {"thing", "noun"}
        return english or (french and mood in {READ, WORK, ASK, REPORT, SUBJECT})

    def _plural(self, event: Event) -> bool:
        return self.sentence.tokens[event.start].raw.endswith(("és", "ées", "es", "us", "is"))

    def _nominal(self, index: int) -> bool:
        """A noun by its place: after an article, a preposition, an adjective, a verb of reading."""
        event, before = self.places[index].event, self.before(index)
        if "n" not in event.forms:
            return False
        if not any(form in "bi" for form in event.forms):
            return True
        if before.what == "danger":
            return "n" in before.forms
        return before.what in _BEFORE_NOUN or (
            before.what in {"thing", "unknown"} and self._looks(index)
        )

    def _looks(self, index: int) -> bool:
        return not self.places[index].head and self.places[index].mood in {READ, ASK, REPORT, WORK}

    def _compound(self, index: int) -> bool:
        """The noun of something to read: the payment report, le rapport de paiement."""
        after = self.after(index)
        if after.reading and after.what in {"noun", "read", "danger", "work"}:
            return True
        return any(place.event.reading for place in self.places[max(index - 3, 0) : index]) and (
            self.before(index).what in {"prep", "about", "definite", "noun"}
        )

    def _subject_before(self, index: int) -> bool:
        words = [self.word(place.event) for place in self.places[max(index - 2, 0) : index]]
        return bool(words) and (
            words[-1] in _PERSONS
            or (len(words) > 1 and words[0] in _PERSONS and words[1] in _CLITICS)
        )

    def _purpose_before(self, index: int) -> bool:
        """To delete, de le supprimer."""
        words = [self.word(place.event) for place in self.places[max(index - 2, 0) : index]]
        if len(words) > 1 and words[1] in _CLITICS | {"l", "tout", "te", "me", "se"}:
            words.pop()
        return bool(words) and words[-1] in _PURPOSE | {"you"}

    def _told(self, index: int) -> str:
        forms = self.places[index].event.forms
        return TOLD if any(form in "psgfn" for form in forms) and not _imperative(forms) else ""

    def in_ask(self, index: int) -> str:
        """What, when, how …"""
        place = self.places[index]
        if place.generic and place.awaited:
            return ASKED if self.after(index).what != "definite" else ""
        if place.awaited or not _imperative(place.event.forms) or self._nominal(index):
            return ASKED
        if self._subject_before(index) or self._purpose_before(index):
            return ASKED
        following = self.sentence.tokens[place.event.end : place.event.end + 1]
        inverted = bool(following) and following[0].joined and following[0].word in _INVERTED
        return ASKED if inverted else ""

    def in_read(self, index: int) -> str:
        """Show, list, summarize …"""
        place = self.places[index]
        after = self.after(index)
        if not _imperative(place.event.forms):
            ends = after.what in {"end", "soft", "comma", "and"} and "p" in place.event.forms
            linked = self.before(index).what in {"be", "have", "subject", *_DETERMINERS}
            return SEEN if not (place.wanted and ends and not linked) else ""
        if place.awaited or self._nominal(index):
            return SEEN
        if self._subject_before(index) or self.word(self.before(index)) in _THIRD:
            return SEEN
        purpose = self.word(self.before(index)) in {"to", "a", "pour"}
        free = after.what in {"end", "soft", "prep", "comma", "and", "or"}
        return SEEN if purpose and free else ""

    def in_report(self, index: int) -> str:
        """Paul sent …"""
        if self.word(self.before(index)) in _THIRD:
            return TOLD
        if self.before(index).what == "you" and "f" in self.places[index].event.forms:
            return ""
        return self._told(index) or (NOUN if self._nominal(index) else "")

    def in_condition(self, index: int) -> str:
        """If …, when …"""
        if self._subject_before(index) or self.word(self.before(index)) in _THIRD:
            return TOLD
        return self._told(index) or (NOUN if self._nominal(index) else "")

    def in_work(self, index: int) -> str:
        """Create, rename …"""
        event = self.places[index].event
        if self._compound(index) and self._nominal(index):
            return NOUN
        if self._nominal(index):
            named = self.word(self.before(index)) in {"to", "as", "en", "comme"}
            free = not event.noun_acts or (named and event.kind != "configure")
            return NOUN if free else ""
        linked = self.before(index).what in {"be", "have", "subject"}
        return TOLD if "p" in event.forms and linked and not _imperative(event.forms) else ""

    def in_request(self, index: int) -> str:
        """I want …, make …"""
        if not self._nominal(index):
            return ""
        return NOUN if self._compound(index) or not self.places[index].event.noun_acts else ""

    def in_forbid(self, index: int) -> str:
        """Do not …: its object is forbidden with it, another verb is not."""
        if self._nominal(index) and not self._conditional(self.places[index].event.end):
            return FORBIDDEN
        return self.in_request(index)

    def in_subject(self, index: int) -> str:
        """The payment …"""
        place = self.places[index]
        forms = place.event.forms
        if self.word(self.before(index)) in _THIRD:
            return TOLD
        if _imperative(forms) and not self._nominal(index):
            return ""
        if "n" in forms:
            told = place.closing in {REPORT, ASK}
            quiet = not place.event.noun_acts
            return NOUN if told or quiet or self._compound(index) else ""
        if "g" in forms:
            return TOLD if place.closing in {REPORT, ASK} else ""
        return self._told(index) if not self._pleads() else ""

    def in_open(self, index: int) -> str:
        """The first word."""
        place = self.places[index]
        forms = place.event.forms
        if _imperative(forms) or "f" in forms:
            return ""
        if "p" in forms:
            accented = self.sentence.tokens[place.event.start].raw.endswith(("é", "ée"))
            return (
                ""
                if (accented and self.after(index).what == "definite") or self._pleads()
                else SEEN
            )
        return self.in_subject(index)

    def _pleads(self) -> bool:
        return any(token.word in _PLEADING for token in self.sentence.tokens)


def _imperative(forms: str) -> bool:
    return "b" in forms or "i" in forms


_RULES: Final = {
    ASK: Reading.in_ask,
    READ: Reading.in_read,
    REPORT: Reading.in_report,
    CONDITION: Reading.in_condition,
    WORK: Reading.in_work,
    REQUEST: Reading.in_request,
    FORBID: Reading.in_forbid,
    SUBJECT: Reading.in_subject,
    OPEN: Reading.in_open,
}
