"""The look-up tables that the word lists are made into, once, when first asked for."""

from functools import cache
from types import ModuleType
from typing import Final, NamedTuple

from services.nova.intent import conjugation, lexicon_en, lexicon_fr, phrases_en, phrases_fr
from services.nova.intent.intent import GATED_KINDS, READING_KINDS

LANGUAGES: Final = ("en", "fr")
GAP: Final = "…"
_RIGHTS: Final = "configure_rights"

SPHERES: Final = {
    "personal": "personal", "personnel": "personal", "personnelle": "personal", "perso": "personal",
    "business": "business", "professionnel": "business", "professionnelle": "business",
    "affaires": "business", "creative": "creative_studio", "studio": "creative_studio",
    "entertainment": "entertainment", "divertissement": "entertainment",
    "community": "community", "communaute": "community", "social": "social",
    "sociale": "social", "scholar": "scholar", "universitaire": "scholar",
    "government": "government", "gouvernement": "government", "team": "my_team",
    "equipe": "my_team",
}  # fmt: skip


class Entry(NamedTuple):
    """What a word can be in one language."""

    role: str = ""  # its part in the sentence: definite, prep, subject, modal, verb …
    kind: str = ""  # of the action that it asks for; "act" lends itself to the noun that follows
    forms: str = ""  # letters of conjugation.py, and n for a noun
    gated: bool = False
    noun_acts: bool = False  # the noun is the action itself
    reading: bool = False  # a noun for what one asks to be told
    lemma: str = ""


class Pattern(NamedTuple):
    """A phrase: its words after the first, and what it says."""

    rest: tuple[frozenset[str] | str, ...]
    meaning: str  # "idiom:delete", "request", "ask", "read:query" …
    language: str

    @property
    def weight(self) -> int:
        """The longer phrase wins, an action over a mood, words over gaps."""
        words = sum(2 for part in self.rest if part != GAP)
        rights = 3 * (self.meaning == f"idiom:{_RIGHTS}")
        return words + rights + self.meaning.startswith("idiom:") - (GAP in self.rest)


@cache
def words(language: str) -> dict[str, Entry]:
    """Every known word of a language."""
    source = lexicon_en if language == "en" else lexicon_fr
    table: dict[str, Entry] = {word: Entry("thing") for word in source.WORDS["thing"].split()}
    _add_verbs(table, source, language)
    for kind, nouns in source.NOUNS.items():
        for noun in nouns.split():
            _merge(table, noun, _entry(kind, "n", noun)._replace(noun_acts=True, role="noun"))
    for kind, nouns in source.READING_NOUNS.items():
        for noun in nouns.split():
            _merge(table, noun, Entry("noun", kind, "n", reading=True, lemma=noun))
    for word in source.NOUN_TOO.split():
        for form in (word, word + "s", word + "es"):
            if form in table and "n" not in table[form].forms:
                table[form] = table[form]._replace(forms=table[form].forms + "n")
    _add_small_words(table, source.WORDS)
    _add_light_verbs(table, language)
    return table


def _add_light_verbs(table: dict[str, Entry], language: str) -> None:
    """Verbs that mean something only in a phrase are known words all the same."""
    source = phrases_en if language == "en" else phrases_fr
    for phrases in source.IDIOMS.values():
        for phrase in _phrases(phrases):
            first = phrase.split()[0]
            for verb in first[1:].split("|") if first.startswith("~") else ():
                for form, letter in _inflected(verb, language):
                    if form not in table:
                        table[form] = Entry("verb", "doubtful", letter, lemma=verb)


def _add_small_words(table: dict[str, Entry], by_role: dict[str, str]) -> None:
    """A word's first role stays, and goes before what else the word could be."""
    done: set[str] = set()
    for role, members in by_role.items():
        for word in members.split() if role != "thing" else ():
            if word not in done and not (role == "soft" and word in table and table[word].gated):
                forms = table[word].forms if word in table else ""
                table[word] = Entry(role, forms=forms, lemma=word)
                done.add(word)


def _entry(kind: str, forms: str, lemma: str) -> Entry:
    gated = kind == _RIGHTS or kind in GATED_KINDS
    return Entry("verb", kind.removesuffix("_rights"), forms, gated, lemma=lemma)


def _add_verbs(table: dict[str, Entry], source: ModuleType, language: str) -> None:
    for kind, verbs in source.VERBS.items():
        for verb in verbs.split():
            for form, letter in _forms(verb, language):
                _merge(table, form, _entry(kind, letter, verb.removesuffix("*")))


def _merge(table: dict[str, Entry], word: str, new: Entry) -> None:
    """The first kind stays, for the lists are in the order of what must not be missed."""
    old = table.get(word)
    if old is None or old.role == "thing":
        table[word] = new
        return
    forms = old.forms + "".join(letter for letter in new.forms if letter not in old.forms)
    kept = old if old.kind or not new.gated else new
    table[word] = kept._replace(
        forms=forms,
        noun_acts=old.noun_acts or new.noun_acts,
        reading=old.reading or new.reading,
        gated=old.gated or new.gated,
    )


@cache
def _irregular_past() -> dict[str, list[str]]:
    pairs = (pair.split(":") for pair in lexicon_en.PAST.split())
    return {verb: forms.split(",") for verb, forms in pairs}


@cache
def _irregular_french() -> dict[str, list[list[str]]]:
    table: dict[str, list[list[str]]] = {}
    for entry in lexicon_fr.IRREGULAR.split(";"):
        verb, forms = entry.split(":")
        table[verb.strip()] = [column.split() for column in forms.split("|")]
    return table


def _forms(verb: str, language: str) -> list[tuple[str, str]]:
    if language == "en":
        return list(conjugation.english(verb, _irregular_past()))
    return list(conjugation.french(verb, _irregular_french()))


def _inflected(verb: str, language: str) -> list[tuple[str, str]]:
    doubles = language == "en" and verb in {"drop", "put", "cut", "get", "let", "set"}
    return _forms(verb + "*" * doubles, language)


@cache
def patterns() -> dict[str, tuple[Pattern, ...]]:
    """All phrases of all languages by their first word, the weightiest first."""
    table: dict[str, list[Pattern]] = {}
    for language, source in (("en", phrases_en), ("fr", phrases_fr)):
        for kind, idioms in source.IDIOMS.items():
            for idiom in _phrases(idioms):
                _add_pattern(table, idiom, f"idiom:{kind}", language)
        for mood, phrases in source.MOODS.items():
            for phrase in _phrases(phrases):
                _add_pattern(table, phrase, mood, language)
        for phrase in _phrases(source.TAMPERING):
            _add_pattern(table, phrase, "tampering", language)
    return {
        first: tuple(sorted(found, key=lambda pattern: -pattern.weight))
        for first, found in table.items()
    }


def _phrases(text: str) -> list[str]:
    return [" ".join(phrase.split()) for phrase in text.split(";")]


def _add_pattern(table: dict[str, list[Pattern]], phrase: str, meaning: str, lang: str) -> None:
    first, *rest = phrase.split()
    firsts = first.removeprefix("~").split("|")
    if first.startswith("~"):
        firsts = [form for verb in firsts for form, _ in _inflected(verb, lang)]
    parts = tuple(part if part == GAP or part[0] == "<" else _choice(part) for part in rest)
    for word in dict.fromkeys(firsts):
        table.setdefault(word, []).append(Pattern(parts, meaning, lang))


def _choice(part: str) -> frozenset[str]:
    return frozenset(part.split("|"))


@cache
def spoilers() -> frozenset[str]:
    """Words that turn a prohibition into a condition."""
    return frozenset(f"{phrases_en.SPOILERS} {phrases_fr.SPOILERS}".split())


@cache
def weak_spoilers() -> frozenset[str]:
    """Words that do so only in the same clause."""
    return frozenset(f"{phrases_en.WEAK_SPOILERS} {phrases_fr.WEAK_SPOILERS}".split())


@cache
def currencies() -> frozenset[str]:
    """Names of money that follow a number."""
    return frozenset(f"{phrases_en.CURRENCIES} {phrases_fr.CURRENCIES}".split())


def is_reading(kind: str) -> bool:
    """Whether the kind only looks."""
    return kind in READING_KINDS
