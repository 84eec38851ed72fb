"""Recognise the words and phrases of a sentence."""

from collections.abc import Callable
from typing import Final, NamedTuple

from services.nova.intent.lexicon import (
    GAP,
    SPHERES,
    Entry,
    Pattern,
    is_reading,
    patterns,
    words,
)
from services.nova.intent.spelling import disguised
from services.nova.intent.tokens import Token

_GAP_WORDS: Final = 5
BOUNDARIES: Final = frozenset({"comma", "and", "or", "but"})
# Only a noun follows these, though it may look like a verb: the report to Paul.
ENGLISH_ARTICLES: Final = frozenset(["the", "a", "an", "my", "his", "our", "its", "your", "their"])
_FRENCH_ARTICLES: Final = frozenset(
    ["un", "une", "mon", "ma", "mes", "ton", "ta", "son", "sa", "notre", "cette"]
)
ARTICLES: Final = ENGLISH_ARTICLES | _FRENCH_ARTICLES
_ARTICLES: Final = {"en": ENGLISH_ARTICLES, "fr": _FRENCH_ARTICLES}
_DECIDING: Final = frozenset({"definite", "indefinite"})
_POINTING: Final = frozenset({"definite", "object"})
_NOTHING: Final = Entry()
_MARK: Final = Entry(role="comma")
_OTHER: Final = {"en": "fr", "fr": "en"}


class Event(NamedTuple):
    """Something that a sentence says, at the words from `start` up to `end`."""

    start: int
    end: int
    what: str  # "danger", "read", "work", "act", "verb", "mood", "unknown" or the role of a word
    kind: str = ""  # of the action, or the mood
    forms: str = ""
    noun_acts: bool = False
    reading: bool = False

    @property
    def acts(self) -> bool:
        """Whether the noun asks for the action where nothing else is said."""
        return self.noun_acts or self.end - self.start > 1


def language_of(tokens: list[Token], default: str = "und") -> str:
    """The language that more of the words belong to; small words decide between borrowed ones."""
    english, french = words("en"), words("fr")
    score = small = polite = 0
    for token in tokens:
        if token.kind == "word":
            ours, theirs = english.get(token.word), french.get(token.word)
            said = (ours is not None) - (theirs is not None)
            if "soft" in {entry.role for entry in (ours, theirs) if entry}:
                polite += said  # "Bonjour, mail it" is English
            else:
                score += said
            score -= token.raw != token.word and theirs is not None
            small += ours is None and theirs is not None and theirs.role in _DECIDING
    score = score or (0 if small else polite)
    if score == 0:
        return "fr" if small else default
    return "en" if score > 0 else "fr"


def _entry(token: Token, language: str) -> Entry:
    if token.kind == "mark":
        return _MARK
    if token.kind != "word":
        return Entry(role=token.kind)
    found = words(language).get(token.word) or words(_OTHER[language]).get(token.word)
    found = found or disguised(token.word) or _NOTHING
    both = "p" in found.forms and "b" in found.forms and found.lemma != "creer"
    if both and token.raw != token.word:
        accented = token.raw.rstrip("s").endswith(("é", "ée"))
        dropped = ("b" if found.reading else "bn") if accented else "p"
        return found._replace(forms="".join(f for f in found.forms if f not in dropped))
    return found


_SYMBOLS: Final[dict[str, Callable[[Token, Entry], bool]]] = {
    "<amount>": lambda token, _: token.kind == "amount",
    "<end>": lambda token, _: token.kind == "mark",
    "<quoted>": lambda token, _: token.quoted,
    "<sphere>": lambda token, _: token.word in SPHERES or token.word == "sphere",
    "<plural>": lambda token, entry: entry.role not in _POINTING and token.word.endswith("s"),
    "<definite>": lambda token, entry: entry.role in _POINTING or token.quoted or token.capital,
    "<person>": lambda token, entry: _is_name(token, entry) and _stands_out(token),
    "<name>": lambda token, entry: _is_name(token, entry) and not token.quoted,
}


def _is_name(token: Token, entry: Entry) -> bool:
    addressed = token.kind == "email" or token.raw.startswith("@")
    return addressed or (token.kind == "word" and entry.role == "")


def _stands_out(token: Token) -> bool:
    return token.capital or token.kind == "email" or token.raw.startswith("@")


def _fits(part: frozenset[str] | str, token: Token, entry: Entry) -> bool:
    if isinstance(part, frozenset):
        return token.word in part and token.kind == "word"
    return _SYMBOLS[part](token, entry)


def _match(pattern: Pattern, tokens: list[Token], entries: list[Entry], start: int) -> int:
    """Where the phrase ends, or 0; of a phrase with a gap only the first word is taken."""
    at, gap, gapped = start + 1, False, False
    for part in pattern.rest:
        if part == GAP:
            gap = gapped = True
            continue
        stop = min(at + (_GAP_WORDS if gap else 0) + 1, len(tokens))
        while at < stop and not _fits(part, tokens[at], entries[at]):
            if gap and _ends_gap(entries, at):
                return 0
            at += 1
        if part == "<end>" and at == len(tokens):
            return at
        if at >= stop:
            return 0
        at, gap = at + 1, False
    return start + 1 if gapped else at


def _ends_gap(entries: list[Entry], at: int) -> bool:
    """A phrase does not reach over a comma, a question, or what one asks to be told."""
    entry = entries[at]
    verb_next = entry.role == "to" and "b" in "".join(e.forms for e in entries[at + 1 : at + 2])
    return (
        entry.role in {"comma", "wh", "sub"}
        or verb_next
        or (entry.reading and is_reading(entry.kind))
    )


def _phrase(
    tokens: list[Token], entries: list[Entry], start: int, language: str, *, head: bool
) -> Event | None:
    token = tokens[start]
    noun = start > 0 and tokens[start - 1].word in _ARTICLES[language]
    first = "<amount>" if token.kind == "amount" else token.word
    for pattern in patterns().get(first, ()):
        if not pattern.rest and pattern.language != language:
            continue
        if pattern.meaning.startswith("head:") and not head:
            continue
        if noun and pattern.meaning.startswith("idiom") and not pattern.meaning.endswith("_noun"):
            continue
        end = _match(pattern, tokens, entries, start)
        if end:
            return _phrase_event(pattern, start, end, entries[start], entries[end - 1])
    return None


def _phrase_event(pattern: Pattern, start: int, end: int, entry: Entry, last: Entry) -> Event:
    what, _, kind = pattern.meaning.partition(":")
    if what == "head":
        return Event(start, end, "mood", kind)
    if what == "idiom":
        nominal = entry.role == "amount" or entry.lemma in {"without", "no", "sans"}
        forms = "n" if nominal else entry.forms.replace("n", "") or "b"
        if kind.endswith("_noun"):
            forms = entry.forms if entry.gated else "n"
            acts = not kind.startswith("send")
            return Event(start, end, "danger", kind.removesuffix("_noun"), forms, acts)
        return Event(start, end, "danger", kind.removesuffix("_rights"), forms, nominal)
    if what in {"read", "work"}:
        forms = entry.forms.replace("n", "") or "b"
        return Event(start, end, what, kind, forms, reading=last.reading)
    if what in {"soft", "tampering", "note", "condition", "name"}:
        return Event(start, end, {"condition": "sub", "name": "about"}.get(what, what), kind)
    return Event(start, end, "mood", what)


def _word(entry: Entry, at: int) -> Event:
    if entry.gated:
        return Event(at, at + 1, "danger", entry.kind, entry.forms, entry.noun_acts, entry.reading)
    if entry.role == "verb":
        what = entry.kind
        if is_reading(entry.kind):
            what = "read"
        elif entry.kind in {"create", "update", "configure"}:
            what = "work"
        return Event(at, at + 1, what or "verb", entry.kind, entry.forms, reading=entry.reading)
    what = entry.role or "unknown"
    return Event(at, at + 1, what, entry.kind, entry.forms, reading=entry.reading)


def events(tokens: list[Token], language: str) -> list[Event]:
    """What the words of one sentence say, in order."""
    entries = [_entry(token, language) for token in tokens]
    found: list[Event] = []
    at, head = 0, True
    while at < len(tokens):
        event = _phrase(tokens, entries, at, language, head=head)
        if event is None or (tokens[at].quoted and event.what != "danger"):
            event = _word(entries[at], at)
        found.append(event)
        at = event.end
        head = event.what in BOUNDARIES or (head and event.what == "soft")
    return found
