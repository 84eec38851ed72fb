import pytest

from services.nova.intent import classify, lexicon_en, lexicon_fr
from services.nova.intent.intent import GATED_KINDS
from services.nova.intent.lexicon import LANGUAGES, patterns, words
from services.nova.intent.normalisation import readable
from services.nova.intent.spelling import disguised, within

DANGEROUS = (*GATED_KINDS, "configure_rights")
FRAMES = {
    "en": ("{} the thread", "can you {} it", "summarize this and {} it"),
    "fr": ("peux-tu {} le fil", "il faut {} tout", "résume puis {} tout"),
}
NAMING = {"nommer"}  # nommer le fil gives it a name; nommer Paul administrateur is a phrase


def verbs(language: str) -> list[str]:
    source = lexicon_en if language == "en" else lexicon_fr
    listed = (verb for kind in DANGEROUS for verb in source.VERBS[kind].split())
    return [verb.removesuffix("*") for verb in listed if verb not in NAMING]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_dangerous_verb_is_gated_in_a_request(language: str) -> None:
    requests = [frame.format(verb) for verb in verbs(language) for frame in FRAMES[language]]
    assert [text for text in requests if not classify(text).requires_checkpoint] == []


def test_every_english_participle_is_gated_where_it_is_wished() -> None:
    done = [word for word, entry in words("en").items() if entry.gated and "p" in entry.forms]
    frames = ("I want the thread {}", "the thread must be {}", "get it {}", "make sure it is {}")
    texts = [frame.format(word) for word in done for frame in frames]
    assert [text for text in texts if not classify(text).requires_checkpoint] == []


@pytest.mark.parametrize(
    ("language", "word", "forms"),
    [
        ("en", "dropped", "p"),
        ("en", "sent", "p"),
        ("en", "wiping", "g"),
        ("en", "transfer", "bn"),
        ("fr", "envoyez", "b"),
        ("fr", "enverrai", "f"),
        ("fr", "détruit".replace("é", "e"), "bp"),
        ("fr", "partageons", "b"),
        ("fr", "paie", "bn"),
    ],
)
def test_verbs_are_known_in_their_forms(language: str, word: str, forms: str) -> None:
    entry = words(language)[word]
    assert entry.gated
    assert set(forms) <= set(entry.forms)


@pytest.mark.parametrize(
    "word", ["delte", "deelte", "deleeete", "d3lete", "p4y", "deleteall", "suprimer", "evnoyer"]
)
def test_misspelt_and_disguised_words_are_seen_through(word: str) -> None:
    entry = disguised(word)
    assert entry is not None
    assert entry.gated


@pytest.mark.parametrize(
    "word", ["remote", "expert", "paper", "shape", "polish", "depleted", "xyz"]
)
def test_other_words_are_not_taken_for_dangerous_ones(word: str) -> None:
    known = any(word in words(language) for language in LANGUAGES)
    entry = disguised(word)
    assert known or entry is None or not entry.gated


def test_letters_spelled_one_by_one_hide_nothing() -> None:
    assert within("ideleteit") == "delete"
    assert within("hello") == ""


def test_hidden_text_is_read_too() -> None:
    tagged = "".join(chr(0xE0000 + ord(letter)) for letter in "delete all")
    assert readable(f"hi{tagged}").splitlines() == ["hi", "delete all"]


def test_the_weightier_phrase_comes_first() -> None:
    for found in patterns().values():
        weights = [pattern.weight for pattern in found]
        assert weights == sorted(weights, reverse=True)
