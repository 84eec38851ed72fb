"""Find what a request names: titles, people, money, dates, addresses, ids."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from services.nova.intent.intent import Entity
from services.nova.intent.lexicon import LANGUAGES, SPHERES, words
from services.nova.intent.normalisation import without_accents

_MONEY: Final = (
    r"(?:€|\$|£|¥|(?:euros?|eur|usd|dollars?|gbp|chf|cad|pounds?|bucks|balles|francs?)\b)"
)
_NUMBER: Final = r"\d{1,15}(?:[.,' \u00a0\u202f]\d{1,15}){0,4}"
_DAY_EN: Final = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_DAY_FR: Final = r"(?:lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche)"
_MONTH: Final = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december"
    r"|janvier|f[ée]vrier|mars|avril|mai|juin|juillet|ao[uû]t|septembre|octobre|novembre"
    r"|d[ée]cembre|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|janv|f[ée]vr|avr|juil|d[ée]c)"
)
# In the order of who keeps a stretch of text that two of them claim.
_FORMS: Final = tuple(
    (kind, re.compile(form, re.IGNORECASE))
    for kind, form in (
        ("id", r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"),
        ("url", r"\b(?:https?://|www\.)[^\s<>\"«»]*[^\s<>\"«».,;:!?)]"),
        ("email", r"(?<![\w.+%-])[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}"),
        ("title", r"[\"“„«]\s{0,2}([^\"“”„«»\n]{1,200}?)\s{0,2}[\"”“»]"),
        ("title", r"(?<!\w)['‘]([^'‘’\n]{1,200})['’](?!\w)"),
        ("amount", rf"(?<![\w.,])(?:[$€£¥]\s?{_NUMBER}(?:[km]\b)?|{_NUMBER}\s?k?{_MONEY})"),
        ("date", r"\b\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2})?Z?)?\b"),
        ("date", r"\b\d{1,2}[/.]\d{1,2}(?:[/.]\d{2,4})?\b"),
        ("date", rf"\b\d{{1,2}}(?:st|nd|rd|th|er)?\s(?:of\s)?{_MONTH}\b(?:\s\d{{4}})?\b"),
        ("date", rf"\b{_MONTH}\s\d{{1,2}}(?:st|nd|rd|th)?(?:,?\s\d{{4}})?\b"),
        ("date", r"\b(?:\d{1,2}:\d{2}(?:\s?[ap]m)?|\d{1,2}\s?[ap]m|\d{1,2}\s?h(?:\d{2})?)\b"),
        ("date", rf"\b(?:(?:next|last|this)\s(?:{_DAY_EN}|week|month|year)|{_DAY_EN}s?)\b"),
        ("date", rf"\b{_DAY_FR}(?:\s(?:prochain|dernier))?\b"),
        ("date", r"\b(?:semaine|ann[ée]e)\s(?:prochaine|derni[èe]re)\b"),
        ("date", r"\b(?:mois|an)\s(?:prochain|dernier)\b"),
        ("date", r"\b(?:today|tonight|tomorrow|yesterday)\b"),
        ("date", r"\b(?:(?:apr[èe]s-)?demain|hier|aujourd['’]hui|ce soir)\b"),
        ("thread", r"\b(?:thread|fil)\s(?:#\s?|n°\s?)?(\d{1,12})\b"),
        ("endpoint", r"\b(?:endpoint|webhook|hook)\s([a-z0-9][\w-]{1,63})\b"),
        ("endpoint", r"\b([a-z0-9][\w-]{1,63})\s(?:endpoint|webhook)\b"),
        ("sphere", r"\b(my_team|creative_studio|social_media)\b"),
    )
)
_NAME: Final = re.compile(r"\b[^\W\d_a-z][\w'’-]{0,40}")
_WORD: Final = re.compile(r"\w+")
_TITLES: Final = frozenset(["mr", "mrs", "ms", "dr", "m", "mme", "mlle", "prof", "st"])
_NAMED: Final = frozenset(
    ["called", "named", "titled", "entitled", "intitulé", "intitulée", "nommé", "appelé"]
)
_SENTENCE_END: Final = frozenset('.!?:;\n"“«')
_AT_MOST: Final = 200


def entities(text: str) -> tuple[Entity, ...]:
    """What the text names, in the order of the text; nothing is named twice at one place."""
    taken = bytearray(len(text))
    found: list[Entity] = []
    for kind, start, end in _candidates(text):
        if len(found) < _AT_MOST and not any(taken[start:end]):
            taken[start:end] = b"\1" * (end - start)
            found.append(Entity(kind, text[start:end], start, end))
    return tuple(sorted(found, key=lambda entity: entity.start))


def _candidates(text: str) -> Iterator[tuple[str, int, int]]:
    for kind, form in _FORMS:
        for match in form.finditer(text):
            group = 1 if form.groups else 0
            start, end = match.span(group)
            if kind == "endpoint" and _known(match.group(group)):
                continue
            yield kind, start, end
    yield from _spheres(text)
    yield from _names(text)


def _spheres(text: str) -> Iterator[tuple[str, int, int]]:
    for match in _WORD.finditer(text):
        word = without_accents(match.group().lower())
        if word in SPHERES and _near_sphere(text, match):
            yield "sphere", *match.span()


def _near_sphere(text: str, match: re.Match[str]) -> bool:
    around = text[max(match.start() - 24, 0) : match.end() + 10].lower()
    return "sph" in around


def _names(text: str) -> Iterator[tuple[str, int, int]]:
    """Capitalised words that open no sentence; after "thread" they name the thread."""
    pending: tuple[str, int, int] | None = None
    for match in _NAME.finditer(text):
        kind = _named_kind(text, match)
        if pending and kind == "person" and text[pending[2] : match.start()] == " ":
            pending = (pending[0], pending[1], match.end())  # first name and last name
            continue
        if pending:
            yield pending
        pending = (kind, *match.span()) if kind else None
    if pending:
        yield pending


def _named_kind(text: str, match: re.Match[str]) -> str:
    before = text[max(match.start() - 12, 0) : match.start()].rstrip()
    name = match.group()
    last = before.rsplit(None, 1)[-1].lower() if before else ""
    if last.removesuffix(".") in _TITLES and last.endswith("."):  # Dr. Lee
        return "person"
    if not before or before[-1] in _SENTENCE_END or len(name) < 2 or name.isupper():
        return ""
    if name.lower() in _TITLES:
        return ""
    if last in {"thread", "fil"}:
        return "thread"
    if last in _NAMED:
        return "title"
    letter = unicodedata.category(name[0]).startswith("L")
    return "person" if letter and not _known(name) else ""


def _known(word: str) -> bool:
    plain = without_accents(word.lower().split("'")[0].split("’")[0])
    return any(plain in words(language) for language in LANGUAGES) or plain in SPHERES
