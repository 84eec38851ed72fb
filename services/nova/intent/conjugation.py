"""The forms of a verb, each with a letter that tells what it can be.

b: base form or imperative · i: infinitive only · s: says that somebody does it · g: doing ·
p: done, or did · f: other finite forms (future, plural, subjunctive).
"""

from collections.abc import Iterator
from typing import Final

_FUTURE: Final = ("ai", "as", "a", "ons", "ez", "ont", "ais", "ait", "ions", "iez", "aient")


def english(verb: str, past: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    """The forms of an English verb; `past` has those that are not made with -ed."""
    stem = verb.removesuffix("*")
    last = stem + stem[-1] if verb.endswith("*") else stem
    yield stem, "b"
    if stem.endswith(("s", "x", "z", "ch", "sh", "o")):
        yield stem + "es", "s"
    elif stem.endswith("y") and stem[-2:-1] not in "aeiou":
        yield stem[:-1] + "ies", "s"
        last = stem
    else:
        yield stem + "s", "s"
    silent = stem.endswith("e") and not stem.endswith(("ee", "oe", "ye"))
    yield (stem[:-1] if silent else last) + "ing", "g"
    if stem in past:
        yield from ((form, "p") for form in past[stem])
    elif stem.endswith("y") and stem[-2:-1] not in "aeiou":
        yield stem[:-1] + "ied", "p"
    else:
        yield (stem[:-1] if stem.endswith("e") else last) + "ed", "p"


def french(verb: str, irregular: dict[str, list[list[str]]]) -> Iterator[tuple[str, str]]:
    """The forms of a French verb, without accents."""
    yield verb, "i"
    if verb in irregular:
        bases, participles, gerunds, futures = irregular[verb]
    else:
        bases, participles, gerunds, futures = _regular(verb)
    yield from ((form, "b") for form in bases)
    yield from ((form, "p") for form in participles)
    yield from ((form, "g") for form in gerunds)
    for gerund in gerunds:
        stem = gerund.removesuffix("ant")
        yield from ((stem + end, "f") for end in ("ent", "ait", "aient", "ais", "iez", "ions"))
    yield from ((stem + end, "f") for stem in futures for end in _FUTURE)


def _regular(verb: str) -> tuple[list[str], list[str], list[str], list[str]]:
    stem = verb[:-2]
    if verb.endswith("er"):
        strong = _strong(stem)
        bases = [s + end for s in strong for end in ("e", "es")] + [stem + "ez", stem + "ons"]
        soft = stem + "e" if stem.endswith("g") else stem
        bases.append(soft + "ons")
        participles = [stem + end for end in ("e", "ee", "es", "ees")]
        return bases, participles, [soft + "ant"], [s + "er" for s in strong]
    if verb.endswith("ir"):
        bases = [stem + end for end in ("is", "it", "issons", "issez", "isse", "isses")]
        return bases, [stem + end for end in ("i", "ie", "is", "ies")], [stem + "issant"], [verb]
    bases = [stem + end for end in ("s", "ds", "ons", "ez", "e", "es", "")]
    return bases, [stem + end for end in ("u", "ue", "us", "ues")], [stem + "ant"], [verb[:-1]]


def _strong(stem: str) -> list[str]:
    """The stem as it is said and as it is often written: paye and paie, jete and jette."""
    if stem.endswith("y"):
        return [stem, stem[:-1] + "i"]
    if stem.endswith(("el", "et")):
        return [stem, stem + stem[-1]]
    return [stem]
