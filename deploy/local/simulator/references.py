"""Which thread, sphere or endpoint some words of a request stand for."""

import re
from dataclasses import dataclass
from typing import Final, Literal

from deploy.local.simulator.wording import Masked

SPHERES: Final = {
    "personal": r"personal|private|personnel(?:le)?|privée?",
    "business": r"business|work|professionnel(?:le)?|affaires|travail",
    "creative_studio": r"creative[ _]studio|creative|studio(?: créatif)?|créati(?:f|ve)",
    "entertainment": r"entertainment|divertissement|loisirs",
    "community": r"community|communauté|communautaire",
    "social": r"social(?:e|[ _]media)?",
    "scholar": r"scholar(?:ly)?|academic|studies|études|académique|savoir",
    "government": r"government|gouvernement(?:ale?)?|administrati(?:on|f|ve)",
    "my_team": r"my[ _]team|team|mon équipe|équipe",
}
SPHERE: Final = "|".join(SPHERES.values())
THREAD: Final = r"(?:threads?|conversations?|discussions?|fils?(?: de discussion)?)"
NAMED: Final = (
    r"(?:called|named|titled|entitled|nommée?s?|intitulée?s?|appelée?s?|with (?:the )?(?:title|id))"
)
_ORDINALS: Final = {
    0: r"first|1st|premi(?:er|ère)|newest|latest|most recent|plus récente?",
    1: r"second|2nd|deuxième|seconde?",
    2: r"third|3rd|troisième",
    -1: r"last|oldest|derni(?:er|ère)|plus ancien(?:ne)?",
}
_ORDINAL: Final = re.compile(
    rf"(?:the |le |la |l['’])?(?:(?P<o0>{_ORDINALS[0]})|(?P<o1>{_ORDINALS[1]})"
    rf"|(?P<o2>{_ORDINALS[2]})|(?P<o3>{_ORDINALS[-1]}))"
    rf"(?: (?:one|{THREAD}|results?|résultats?|match|hit))?"
    r"(?: (?:of|you|that|found|about|on|que|trouvé|de|des|sur)\b.*)?",
    re.IGNORECASE,
)
_ALL: Final = re.compile(
    r"(?:(?:all|each|every|everything|any|both|tou(?:s|t|te|tes)|chacune?|chaque)\b.*"
    r"|them(?: all| both)?|those|these|les|ceux.*|celles.*"
    r"|(?:what|whatever|ce que|ceux que|celles que)\b.*"
    rf"|(?:the|les) (?:results?|résultats?|matches|hits|matching {THREAD}"
    rf"|{THREAD} (?:you|that you|found|que|trouvés).*))",
    re.IGNORECASE,
)
_IT: Final = re.compile(
    rf"(?:it|that|this|that one|this one|le|la|l['’]|ceci|cela|ça|celui-ci|celle-ci|y"
    rf"|(?:this|that|the new|the same|ce|cette|le nouveau|le même|la même) {THREAD}|the {THREAD}"
    r"|le fil|la conversation|la discussion|the one (?:you|that).*|the result|le résultat)"
    r"(?:-là|-ci)?",
    re.IGNORECASE,
)
_CURRENT: Final = re.compile(
    rf"(?:(?:the |my )?current {THREAD}|here|this {THREAD}"
    r"|le fil (?:actuel|courant|en cours)|ce fil|ici)",
    re.IGNORECASE,
)
# In small letters only: a title's own article begins with a capital.
_ARTICLE: Final = re.compile(r"(?:(?:the|my|our|an?|les?|la|mon|ma|mes|une?|notre)\s+|l['’])")
_LEAD: Final = re.compile(
    rf"(?:{THREAD}|one|celui|celle)?\s*{NAMED}\s+|{THREAD}(?:\s+id)?(?:\s*:)?\s+", re.IGNORECASE
)
_TAIL: Final = re.compile(
    rf"(?:\s+(?:{THREAD}|please|for me|now|too|as well|s['’]il (?:te|vous) pla[iî]t|svp|stp|aussi"
    r"|maintenant|for good|forever|permanently|définitivement))+$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Found:
    """Threads that an earlier search found: the one at a place, the only one, or all."""

    words: str
    place: int | Literal["only", "all"]


@dataclass(frozen=True, slots=True)
class Earlier:
    """The thread spoken of before: `it`; `words` where nothing was spoken of."""

    words: str


@dataclass(frozen=True, slots=True)
class Current:
    """The thread that the person is in."""

    words: str


Reference = str | Found | Earlier | Current


def references(words: str, masked: Masked) -> list[Reference]:
    """What the words stand for; titles and ids exactly as the person gave them."""
    quoted = [value for value in masked.values(words) if isinstance(value, str)]
    if quoted:
        return list(quoted)
    words = words.strip(" \t,.!?;:")
    if found := _ORDINAL.fullmatch(words):
        place = next(i for i, name in enumerate(("o0", "o1", "o2", "o3")) if found[name])
        return [Found(words, -1 if place == 3 else place)]
    for pattern, reference in (
        (_CURRENT, Current(words)),
        (_IT, Earlier(words)),
        (_ALL, Found(words, "all")),
    ):
        if pattern.fullmatch(words):
            return [reference]
    return [name] if (name := bare_name(words)) else []


def bare_name(words: str) -> str:
    """A title without what only says that it is one: `the thread called X` is `X`."""
    words = words.strip(" \t,.!?;:")
    without = _TAIL.sub("", words)
    if found := _ARTICLE.match(without):
        without = without[found.end() :]
    if found := _LEAD.match(without):
        without = without[found.end() :]
    return without.strip(" \t,.!?;:")


def sphere_in(words: str) -> str:
    """The sphere named in the words, as the tools call it; empty where none is."""
    for name, pattern in SPHERES.items():
        if re.search(rf"\b(?:{pattern})\b", words, re.IGNORECASE):
            return name
    return ""
