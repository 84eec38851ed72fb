"""See through misspelt and disguised words: delte, suprimer, d3lete, deleeete, deleteall."""

from functools import cache, lru_cache
from itertools import groupby
from typing import Final

from services.nova.intent.lexicon import LANGUAGES, Entry, words

_LEET: Final = str.maketrans("013457@$", "oieastas")
_LEET_L: Final = str.maketrans("013457@$", "oleastas")
LONGEST: Final = 24
_KEYS: Final = "qwertyuiop asdfghjkl zxcvbnm"
# Only these are looked for in misspelt words: a typing error away from each lies another word.
_CORE: Final = """
    delete remove erase destroy purge wipe discard send forward publish transfer migrate pay
    wire refund export download execute deploy share grant revoke invite promote email eliminate
    supprimer effacer detruire eliminer retirer vider jeter envoyer expedier transmettre publier
    diffuser transferer deplacer payer verser rembourser acheter exporter telecharger executer
    deployer partager purchase reimburse donate notify uninstall revoquer inviter autoriser
    virement paiement suppression transfert payment deletion summarize summarise explain analyze
    search create rename archive resumer expliquer analyser rechercher chercher creer renommer
    archiver montrer"""
_GLUED_TO: Final = """
    all it them this that the everything thread threads money now tout tous toutes les le la ca
    moi fil fils message messages file files data account"""


def _squeezed(word: str) -> str:
    return "".join(letter for letter, _ in groupby(word))


@cache
def _core() -> dict[str, Entry]:
    lemmas = frozenset(_CORE.split())
    entries = (item for language in LANGUAGES for item in words(language).items())
    return {word: entry for word, entry in entries if entry.lemma in lemmas and len(word) > 3}


@cache
def _squeezed_words() -> dict[str, Entry]:
    table: dict[str, Entry] = {}
    for language in LANGUAGES:
        for word, entry in words(language).items():
            if entry.gated and len(word) > 3:
                first = table.setdefault(_squeezed(word), entry)
                table[_squeezed(word)] = first._replace(forms=first.forms + entry.forms)
    return table


@cache
def _shortened() -> dict[str, list[str]]:
    """Each core form with one letter missing, to find the forms that are one change away."""
    table: dict[str, list[str]] = {}
    for word in _core():
        for short in _shorter(word):
            table.setdefault(short, []).append(word)
    return table


def _shorter(word: str) -> list[str]:
    return [word, *(word[:i] + word[i + 1 :] for i in range(len(word)))]


def _one_error_apart(one: str, other: str) -> bool:
    """Whether one letter was left out, added, changed, or swapped with its neighbour."""
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    a, b = one[start:], other[start:]
    if len(a) == len(b) and len(a) > 1 and a[0] == b[1] and a[1] == b[0] and a[2:] == b[2:]:
        return True
    if start == 0:
        return False
    if a[1:] == b[1:] and len(other) == 6 and _neighbours(a[:1], b[:1]):
        return True
    # The shorter a word, the more other words lie one letter away from it.
    changed = len(other) > 6 and a[1:] == b[1:]
    return changed or (len(other) > 5 and (a[1:] == b or a == b[1:]))


def _neighbours(one: str, other: str) -> bool:
    """Whether the keys of two letters lie side by side."""
    return bool(one and other) and any(pair in _KEYS for pair in (one + other, other + one))


def _misspelt(word: str) -> Entry | None:
    core, shortened = _core(), _shortened()
    near = {form for short in _shorter(word) for form in shortened.get(short, ())}
    meant = [core[form] for form in sorted(near) if _one_error_apart(word, form)]
    best = next((entry for entry in meant if entry.gated), meant[0] if meant else None)
    if best is None:
        return None
    forms = "".join(entry.forms for entry in meant if entry.gated == best.gated)
    return best._replace(forms="".join(dict.fromkeys(forms)))


def _glued(word: str) -> Entry | None:
    core, tails = _core(), frozenset(_GLUED_TO.split())
    for cut in range(4, len(word) - 1):
        if word[:cut] in core and word[cut:] in tails and core[word[:cut]].gated:
            return core[word[:cut]]
    return None


def within(letters: str) -> str:
    """The longest word to watch for in letters that were spelled one by one, or none."""
    if any(letters in words(language) and words(language)[letters].gated for language in LANGUAGES):
        return letters
    core = _core()
    return max((form for form in core if core[form].gated and form in letters), key=len, default="")


@lru_cache(maxsize=8192)
def disguised(word: str) -> Entry | None:
    """What an unknown word stands for, when it can be told."""
    if len(word) > LONGEST:
        return _core().get(within(word))
    if not word.isalpha() and any(letter.isalpha() for letter in word):
        for table in (_LEET, _LEET_L):
            plain = word.translate(table)
            for language in LANGUAGES:
                if plain in words(language) and plain != word:
                    return words(language)[plain]
            word = plain if plain.isalpha() else word
    if len(word) < 4 or not word.isalpha():
        return None
    return _squeezed_words().get(_squeezed(word)) or _glued(word) or _misspelt(word)
