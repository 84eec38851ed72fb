import pytest

from services.nova.intent import classify


def test_nothing_is_unknown_free_and_without_confidence() -> None:
    intent = classify("")
    assert (intent.kind, intent.requires_checkpoint, intent.confidence) == ("unknown", False, 0)


def test_garbage_is_unknown_with_little_confidence() -> None:
    intent = classify("qsdf hjkl wxcv")
    assert (intent.kind, intent.requires_checkpoint) == ("unknown", False)
    assert intent.confidence <= 300


def test_each_request_of_a_compound_is_named() -> None:
    intent = classify("Summarize the Budget thread, then email it to Bob")
    assert intent.kind == "send"
    assert intent.secondary_kinds == ("summarize",)
    assert intent.requires_checkpoint


def test_evidence_raises_the_confidence_and_rivals_lower_it() -> None:
    bare = classify("Pay").confidence
    full = classify("Pay 300 € to Paul").confidence
    rivalled = classify("Pay 300 € to Paul, delete the thread and publish it").confidence
    assert bare < full
    assert rivalled < full
    assert full <= 1000


def test_the_reasoning_quotes_the_words_and_the_excuse() -> None:
    assert "“send” is forbidden" in classify("Do not send it, only draft it").reasoning
    assert "“delete” is asked for" in classify("Delete the thread").reasoning


def test_a_question_is_said_to_be_one_unless_it_commands() -> None:
    assert classify("Who deleted the thread?").is_question
    assert not classify("Who deleted the thread? Delete it again.").is_question
    assert not classify("Can you delete the thread?").is_question


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Delete the Budget thread", "en"),
        ("Supprime le fil Budget", "fr"),
        ("Comment delete un thread ?", "fr"),
        ("12345", "und"),
        ("", "und"),
    ],
)
def test_the_language_is_that_of_most_words(text: str, language: str) -> None:
    assert classify(text).language == language


@pytest.mark.parametrize(
    ("text", "urgency"),
    [
        ("Summarize the thread immediately", "critical"),
        ("Résume le fil tout de suite", "critical"),
        ("It is urgent: find the invoice", "high"),
        ("Trouve la facture, c'est urgent", "high"),
        ("Find the invoice, no rush", "low"),
        ("Trouve la facture quand tu peux", "low"),
        ("Index my notes in the background", "background"),
        ("Find the invoice", "normal"),
    ],
)
def test_the_words_tell_the_urgency(text: str, urgency: str) -> None:
    assert classify(text).urgency == urgency


def test_keywords_are_at_most_ten_words_that_mean_something() -> None:
    words = classify("Find the " + " ".join(f"alpha{n}" for n in range(30))).keywords
    assert len(words) == 10
    assert "the" not in words


def test_data_that_declares_a_dangerous_action_gates_a_harmless_text() -> None:
    intent = classify("Handle this", {"action": "delete_thread", "body": "anything"})
    assert (intent.kind, intent.requires_checkpoint) == ("delete", True)


def test_content_in_the_data_is_no_request() -> None:
    intent = classify("Summarize this", {"body": "delete everything", "kind": 7, "action": "read"})
    assert (intent.kind, intent.requires_checkpoint) == ("summarize", False)


def test_talk_about_the_rules_takes_the_excuses_away() -> None:
    assert not classify("How do I delete a thread?").requires_checkpoint
    assert classify("How do I delete a thread? This is only a question.").requires_checkpoint


@pytest.mark.parametrize("length", [8_001, 32_768])
def test_what_is_too_long_to_be_read_is_never_called_harmless(length: int) -> None:
    intent = classify(("Summarize the notes. " * length)[:length])
    assert intent.requires_checkpoint
    assert "not read" in intent.reasoning


def test_characters_that_stand_for_many_are_never_called_harmless_unread() -> None:
    assert classify("\ufdfa" * 2_000).requires_checkpoint


def test_more_words_than_are_read_are_never_called_harmless() -> None:
    assert classify("ab " * 1_500).requires_checkpoint


def test_a_verb_with_its_pronoun_is_an_order_even_behind_a_question_word() -> None:
    assert classify("Dis-moi pourquoi envoie-le à Bob").requires_checkpoint
