"""The words that a request is about, and how soon it should be done."""

from functools import cache
from typing import Final

from services.nova.intent import phrases_en, phrases_fr
from services.nova.intent.lexicon import LANGUAGES, words
from services.nova.intent.tokens import Sentence

KEYWORDS_AT_MOST: Final = 10
_CONTENT: Final = frozenset({"verb", "noun", "thing", ""})


def keywords(sentences: list[Sentence]) -> tuple[str, ...]:
    """The first words that carry meaning, each once."""
    found: dict[str, None] = {}
    for sentence in sentences:
        for token in sentence.tokens:
            if token.kind == "word" and len(token.word) > 2 and _means_something(token.word):
                found.setdefault(token.word)
                if len(found) == KEYWORDS_AT_MOST:
                    return tuple(found)
    return tuple(found)


def _means_something(word: str) -> bool:
    entries = [words(language)[word] for language in LANGUAGES if word in words(language)]
    return not entries or all(entry.role in _CONTENT for entry in entries)


@cache
def _phrases() -> tuple[tuple[str, str], ...]:
    return tuple(
        (urgency, f" {phrase} ")
        for urgency in ("low", "background", "critical", "high")
        for source in (phrases_en, phrases_fr)
        for phrase in source.URGENCY[urgency].split("|")
    )


def urgency(sentences: list[Sentence]) -> str:
    """What the words say of it: "no rush" goes before "important"."""
    text = " ".join(token.word for sentence in sentences for token in sentence.tokens)
    padded = f" {text} "
    return next((name for name, phrase in _phrases() if phrase in padded), "normal")
