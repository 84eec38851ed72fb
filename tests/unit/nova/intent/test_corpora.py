import pytest

from services.nova.intent import classify
from tests.unit.nova.intent.corpus import FILES, JUDGED, Labelled, judged, labelled

SENTENCES = [
    pytest.param(row, id=f"{name}:{number}")
    for name in FILES
    for number, row in enumerate(labelled(name), 1)
]


@pytest.mark.parametrize("row", SENTENCES)
def test_a_sentence_is_gated_and_named_as_labelled(row: Labelled) -> None:
    intent = classify(row.text)
    assert intent.requires_checkpoint is row.gated, intent
    assert intent.kind in row.kinds, intent


@pytest.mark.parametrize("name", JUDGED)
def test_whatever_the_manner_a_request_is_gated_or_free_as_judged(name: str) -> None:
    rows = judged(name)
    wrong = [text for gated, text in rows if classify(text).requires_checkpoint is not gated]
    assert len(rows) > 300
    assert wrong == []


@pytest.mark.parametrize("ending", ["en", "fr"])
def test_each_language_has_three_hundred_sentences_and_every_kind(ending: str) -> None:
    rows = [row for name in FILES if name.endswith(ending) for row in labelled(name)]
    kinds = {kind for row in rows for kind in row.kinds}
    assert len(rows) >= 300
    assert len(kinds) == 15


def test_no_sentence_stands_in_two_sets() -> None:
    texts = [row.text for name in FILES for row in labelled(name)]
    shared = {text for text in texts if texts.count(text) > 1}
    assert len(shared) < 10, shared
