"""Whatever is put around a command, it stays one; whatever is asked about it stays a question."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.nova.intent import classify
from tests.unit.nova.intent.corpus import FILES, labelled, wrappings

COMMANDS_EN, COMMANDS_FR = wrappings("commands_en"), wrappings("commands_fr")
INFINITIVES_FR = wrappings("infinitives_fr")
GATED = [row.text for name in FILES for row in labelled(name) if row.gated]
PLAIN = [*COMMANDS_EN, *COMMANDS_FR]
INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f"
SMALL_WORDS = [
    "ne",
    "pas",
    "delete",
    "to",
    "?",
    ",",
    "how do i",
    "and",
    "supprime",
    '"',
    "que",
    "'",
]
LOOKALIKES = str.maketrans("aeopcisxy", "аеорсіѕху")


@pytest.mark.parametrize("frame", wrappings("frames_en"))
def test_an_english_command_stays_one_in_any_frame(frame: str) -> None:
    free = [c for c in COMMANDS_EN if not classify(frame.format(c)).requires_checkpoint]
    assert free == []


@pytest.mark.parametrize("frame", wrappings("frames_fr"))
def test_a_french_command_stays_one_in_any_frame(frame: str) -> None:
    free = [c for c in COMMANDS_FR if not classify(frame.format(c)).requires_checkpoint]
    assert free == []


@pytest.mark.parametrize("frame", wrappings("infinitive_frames_fr"))
def test_a_french_infinitive_is_a_command_in_any_request(frame: str) -> None:
    free = [c for c in INFINITIVES_FR if not classify(frame.format(c)).requires_checkpoint]
    assert free == []


@pytest.mark.parametrize("frame", wrappings("questions_en"))
def test_an_english_question_or_prohibition_is_not_stopped(frame: str) -> None:
    stopped = [c for c in COMMANDS_EN if classify(frame.format(c)).requires_checkpoint]
    assert stopped in ([], ["skip the approval"])  # talk of bypassing is stopped in any doubt


@pytest.mark.parametrize("frame", wrappings("questions_fr"))
def test_a_french_question_or_prohibition_is_not_stopped(frame: str) -> None:
    stopped = [c for c in INFINITIVES_FR if classify(frame.format(c)).requires_checkpoint]
    assert stopped == []


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(PLAIN), st.data())
def test_case_spaces_and_hidden_characters_change_nothing(text: str, data: st.DataObject) -> None:
    noise = st.sampled_from(["", "", *INVISIBLE])
    written = "".join(
        data.draw(st.sampled_from([c.lower(), c.upper()])) + data.draw(noise) for c in text
    )
    written = written.replace(" ", data.draw(st.sampled_from([" ", "\u00a0", "  ", "\t"])))
    if data.draw(st.booleans()):
        written = written.translate(LOOKALIKES)
    assert classify(written).requires_checkpoint, written


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(GATED),
    st.sampled_from(["", "Please, ", "Hello! ", "🙂 ", "OK. ", "Bonjour, ", "Hi Nova, ", "\n\n"]),
    st.sampled_from(["", " 🙏", "!!!", " please", " stp", " ...", "\n", " What do you think?"]),
)
@example("Mail it.", "Bonjour, ", " stp")
@example("Get the blog post out", "", " What do you think?")
def test_greetings_and_endings_change_nothing(text: str, before: str, after: str) -> None:
    assert classify(before + text + after).requires_checkpoint


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=400))
def test_no_text_raises(text: str) -> None:
    intent = classify(text)
    assert 0 <= intent.confidence <= 1000
    assert len(intent.keywords) <= 10
    assert all(text[e.start : e.end] == e.value for e in intent.entities)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(SMALL_WORDS)))
def test_no_order_of_small_words_raises(words: list[str]) -> None:
    classify(" ".join(words))
