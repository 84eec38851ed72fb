"""What stands around a dangerous word, and what that makes of the word."""

from functools import cache
from itertools import pairwise
from typing import Final

from services.nova.intent.events import ENGLISH_ARTICLES, Event
from services.nova.intent.lexicon import LANGUAGES, spoilers, weak_spoilers, words
from services.nova.intent.places import ASK, READ, REPORT, REQUEST, SUBJECT, WORK, Place
from services.nova.intent.tokens import Sentence, Token

_NOTHING: Final = Event(0, 0, "edge")
_DETERMINERS: Final = frozenset({"definite", "indefinite", "number"})
_BEFORE_NOUN: Final = _DETERMINERS | {"prep", "about", "read", "work", "noun", "amount"}
_NAMEABLE: Final = frozenset({"thing", "unknown", "noun", "danger", "read", "work"})
_CLITICS: Final = frozenset(["le", "la", "les", "lui", "leur", "moi", "nous", "en", "y"])
_BEFORE_VERB: Final = _CLITICS | {"l", "tout", "te", "me", "se", "ne", "n"}
_PERSONS_EN: Final = ["i", "we", "he", "she", "they", "it", "one", "users", "people", "someone"]
_NOBODY: Final = ["nobody", "everyone", "everybody", "somebody"]
_PERSONS_FR: Final = ["je", "j", "nous", "on", "il", "elle", "ils", "elles", "personne"]
_PERSONS: Final = frozenset({"anyone", *_NOBODY, *_PERSONS_EN, *_PERSONS_FR})
_THIRD: Final = frozenset(["il", "elle", "ils", "elles", "qui"])
_LINKS: Final = frozenset(["to", "a", "de", "d", "pour", "entre", "between", "sans", "you"])
_NONE: Final = frozenset(["nothing", "none", "rien", "aucun", "aucune"])
_MENTIONS: Final = frozenset(
    [
        "bouton",
        "option",
        "touche",
        "menu",
        "verb",
        "verbe",
        "term",
        "terme",
        "mot",
        "spell",
        "ecrit",
        "tag",
        "label",
        "keyword",
        "etiquette",
        "categorie",
        "category",
        "pronounce",
        "prononce",
    ]
)
_ASKING: Final = frozenset(["who", "what", "which", "how", "combien"])
# What may stand between a thread and the word that names its topic.
_NAMING_WORDS: Final = frozenset({"thing", "unknown", "noun", "danger", "read", "work", "definite"})
_OF_TOPIC: Final = frozenset(["for", "about", "on", "regarding", "over", "pour", "sur"])
_OF_DOCUMENT: Final = frozenset(["of", "for", "about", "on", "de", "des", "du", "sur"])
_DOCUMENTS: Final = frozenset(
    ["checklist", "table", "chart", "graph", "story", "poem", "guide", "agenda", "tableau"]
)
_POLITE: Final = frozenset({"soft", "and", "or", "but", "comma"})
_WRITING: Final = frozenset(
    ["draft", "write", "compose", "sketch", "redige", "rediger", "redigez", "ebauche", "ecris"]
)
_ARRANGING: Final = frozenset(["sort", "group", "trie", "trier", "triez", "regroupe", "groupe"])
_WITHIN_TOPIC: Final = frozenset(["of", "de", "d", "du", "des", "l"])
_NAMING: Final = frozenset(["appele", "appelee", "appeles", "nomme", "nommee", "nommes"])
# What holds many things: "the payment thread" is a thread.
_HOLDERS_AFTER: Final = frozenset(
    ["thread", "threads", "note", "notes", "task", "project", "folder", "channel", "group"]
)
_HOLDERS: Final = frozenset(["thread", "note", "task", "project", "folder", "channel"]) | frozenset(
    ["fil", "tache", "projet", "dossier", "canal"]
)
_HOLDERS_BEFORE: Final = frozenset(["fil", "fils", "tache", "projet", "dossier", "groupe", "canal"])


@cache
def _determiners() -> frozenset[str]:
    entries = [item for language in LANGUAGES for item in words(language).items()]
    return frozenset(word for word, entry in entries if entry.role in _DETERMINERS)


class Around:
    """A dangerous event and its neighbours."""

    def __init__(self, sentence: Sentence, places: list[Place], index: int) -> None:
        self.sentence = sentence
        self.places = places
        self.index = index
        self.place = places[index]
        self.event = self.place.event
        self.forms = self.event.forms
        self.mood = self.place.mood
        self.before = places[index - 1].event if index else _NOTHING
        self.after = places[index + 1].event if index + 1 < len(places) else _NOTHING

    @property
    def token(self) -> Token:
        """The first word."""
        return self.sentence.tokens[self.event.start]

    @property
    def rest(self) -> list[Token]:
        """The words after the event."""
        return self.sentence.tokens[self.event.end :]

    @property
    def word_before(self) -> str:
        """The word that stands directly before, or nothing."""
        return self.sentence.tokens[self.event.start - 1].word if self.event.start else ""

    @property
    def imperative(self) -> bool:
        """Whether the word can be the verb of a command."""
        return "b" in self.forms or "i" in self.forms

    @property
    def told(self) -> bool:
        """Whether the word can only tell: sent, sends, sending, payment."""
        return not self.imperative and any(form in "psgfn" for form in self.forms)

    @property
    def clitic_follows(self) -> bool:
        """Envoie-le, supprime-la."""
        return bool(self.rest) and self.rest[0].joined and self.rest[0].word in _CLITICS

    @property
    def inverted(self) -> bool:
        """Supprime-t-il, efface-t-on."""
        pronouns = {"t", "il", "elle", "ils", "elles", "on", "je"}
        return bool(self.rest) and self.rest[0].joined and self.rest[0].word in pronouns

    @property
    def nominal(self) -> bool:
        """A noun by its place: after an article, a preposition, an adjective, a verb of reading."""
        if "n" not in self.forms or not self.imperative:
            return "n" in self.forms
        if self.before.what == "danger":
            determined = self.index > 1 and self.places[self.index - 2].event.what in _DETERMINERS
            participle = determined and "p" in self.before.forms  # a deleted message
            return "n" in self.before.forms or participle
        if self.before.what in _BEFORE_NOUN or self.word_before in _determiners():
            return True
        looked_at = not self.place.head and self.mood in {READ, ASK, REPORT, WORK}
        return self.before.what in {"thing", "unknown"} and looked_at

    @property
    def leads(self) -> bool:
        """Whether it stands where the verb of a command stands."""
        asked = self.mood == REQUEST and self.before.what in {"mood", "you", "to", "soft"}
        return self.place.head or asked

    @property
    def compound(self) -> bool:
        """The noun of something to read: the payment report, le rapport de paiement."""
        if self.after.reading and self.after.what in {"noun", "read", "danger", "work"}:
            return True
        single = self.event.end - self.event.start == 1
        held = self._word(self.before) in _HOLDERS_BEFORE and single
        if held or self._word(self.after) in _HOLDERS_AFTER:
            return True
        reading = any(place.event.reading for place in self.places[self._since(3) : self.index])
        return reading and self.before.what in {"prep", "about", "definite", "noun"}

    @property
    def describes(self) -> bool:
        """A participle beside its noun: the deleted threads, les fils supprimés."""
        if self.caused or "p" not in self.forms or ("b" in self.forms and not self.plural):
            return False
        english = self.before.what in _DETERMINERS and self.after.what in _NAMEABLE
        french = self.before.what in {"thing", "noun"}
        return english or (french and self.mood in {READ, WORK, ASK, REPORT, SUBJECT})

    @property
    def labels(self) -> bool:
        """The delete button; le bouton supprimer; un fil appelé Budget."""
        english = self.before.what in _DETERMINERS and self.after.reading
        verb = self.forms.startswith("b") and "n" not in self.forms
        key = (
            self.word_before in ENGLISH_ARTICLES and self.after.what in _NAMEABLE
        )  # the delete key
        english = english or (verb and key)
        named = self.token.word in _NAMING and not self.imperative
        return english or named or self.word_before in _MENTIONS

    @property
    def asked_by(self) -> bool:
        """Directly after the word that asks: which share, who should be able."""
        return self._word(self.before) in _ASKING

    @property
    def topic(self) -> bool:
        """What a thread that is to be made is about: a thread for the car lease."""
        if self.event.end - self.event.start > 1 or not self._names:
            return False
        for place in reversed(self.places[: self.index]):
            event, word = place.event, self._word(place.event)
            if word in _OF_DOCUMENT and self._word_at(event.start - 1) in _DOCUMENTS:
                return True
            if word in _OF_TOPIC:
                return self._word_at(event.start - 1) in _HOLDERS
            if event.what not in _NAMING_WORDS | {"indefinite"} and word not in _WITHIN_TOPIC:
                return False
        return False

    @property
    def written(self) -> bool:
        """Only worded or put in order: draft an announcement, sort the payments."""
        led = self._word(self._first)
        texts = self.event.kind in {"send", "publish"} and led in _WRITING
        return self.nominal and (texts or led in _ARRANGING)

    @property
    def caused(self) -> bool:
        """Have the summary delivered."""
        return "p" in self.forms and self._word(self._first) == "have"

    @property
    def _first(self) -> Event:
        """What opens the clause, politeness apart."""
        clause = (place for place in self.places if place.clause == self.place.clause)
        events = (place.event for place in clause if place.head)
        return next((event for event in events if event.what not in _POLITE), _NOTHING)

    @property
    def _names(self) -> bool:
        determined = self.before.what in _DETERMINERS
        if "g" in self.forms:  # the moving company, the hotel booking; not: sending Ana the list
            ends = self.after.what in {"edge", "comma"}
            return determined or (ends and self.before.what in {"thing", "unknown"})
        return self.nominal or (determined and "p" in self.forms and not self.imperative)

    @property
    def quoted_object(self) -> bool:
        """Trigger the webhook "orders"."""
        told = "p" in self.forms and not self.imperative
        return self.mood == REQUEST and not told and not self.leads

    @property
    def plural(self) -> bool:
        """Whether it can be a French plural."""
        return self.token.raw.endswith(("és", "ées", "es", "us", "is"))

    @property
    def told_of_others(self) -> bool:
        """Il supprime; le système qui envoie."""
        return self.word_before in _THIRD

    @property
    def has_subject(self) -> bool:
        """If I delete, quand je le supprime."""
        near = [self._word(place.event) for place in self.places[self._since(2) : self.index]]
        if len(near) > 1 and near[1] in _BEFORE_VERB:
            return near[0] in _PERSONS
        return bool(near) and near[-1] in _PERSONS

    @property
    def linked(self) -> bool:
        """To delete, de le supprimer."""
        near = [self._word(place.event) for place in self.places[self._since(2) : self.index]]
        if len(near) > 1 and near[1] in _BEFORE_VERB:
            return near[0] in _LINKS
        return self.word_before in _LINKS or (bool(near) and near[-1] in _LINKS)

    @property
    def denied_after(self) -> bool:
        """Delete nothing; colloquial French "supprime pas le fil"."""
        if "b" not in self.forms or self.sentence.asks:
            return False
        near = [token.word for token in self.rest[:3]]
        near = near[1:] if near and near[0] in _CLITICS else near
        if near[:1] and near[0] in _NONE:
            return True
        limits = (["mal"], ["seulement"], ["que"], ["juste"], ["uniquement"])
        return near[:1] in (["pas"], ["jamais"]) and near[1:2] not in limits

    @property
    def by_oneself(self) -> bool:
        """I'll send it myself."""
        near = [token.word for token in self.sentence.tokens[: self.event.start]][-3:]
        rest = [token.word for token in self.rest]
        oneself = "myself" in rest or ("moi", "meme") in pairwise(rest)
        return oneself and bool({"i", "je", "j"} & set(near))

    @property
    def conditional(self) -> bool:
        """Whether a prohibition here holds only until, except, or for a part of it."""
        if any(token.word in spoilers() for token in self.rest):
            return True
        marks = (at for at, token in enumerate(self.rest) if token.kind == "mark")
        clause = self.rest[: next(marks, len(self.rest))]
        return any(token.word in weak_spoilers() for token in clause)

    def _word_at(self, at: int) -> str:
        return self.sentence.tokens[at].word if at >= 0 else ""

    def _since(self, distance: int) -> int:
        return max(self.index - distance, 0)

    def _word(self, event: Event) -> str:
        return self.sentence.tokens[event.start].word if event.end else ""
