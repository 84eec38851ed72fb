"""What a person sees before a vote, and when the command refuses to show it."""

import json

import pytest
from rich.console import Console

from chenu.governance.v1.checkpoint_pb2 import Checkpoint
from chenu_gate.action import ActionKind
from chenu_gate.canonical_json import digest
from cli.view import checkpoint_view
from cli.view_check import ViewUntrue, checked_view
from tests.unit.cli import samples


def shown(found: Checkpoint) -> str:
    console = Console(width=140, record=True, quiet=False, force_terminal=False)
    with console.capture() as captured:
        console.print(checkpoint_view(found, checked_view(found)))
    return captured.get()


def test_an_end_that_its_executor_tells_otherwise_is_shown_with_both() -> None:
    said = samples.checkpoint(
        execution_state="EXECUTION_STATE_SUCCEEDED", contradicted_by="EXECUTION_STATE_FAILED"
    )
    text = shown(said)
    assert "its executor says failed; a person said otherwise" in text
    assert "a person said otherwise" not in shown(samples.checkpoint())


def test_the_view_says_what_will_happen_with_what_and_until_when() -> None:
    found = samples.checkpoint()
    text = shown(found)
    for words in (
        "Shall it be done?",
        "What is deleted cannot be brought back.",
        "Permitted today: 3.",
        "thread.delete of threads (delete)",
        f"{samples.THREAD} as of v3",
        "stopped by",
        "Deleting: Ask. (destructive_action)",
        "silence means no",
        found.etag,
        found.etag[:19],
        found.action_digest,
        "checked here",
    ):
        assert words in text, words


def test_the_agents_words_stand_apart_marked_as_unchecked() -> None:
    text = shown(samples.checkpoint(agent_words="Trust me, this is only a read"))
    before, _, after = text.partition("what the agent says: not checked by anybody")
    assert "Trust me" not in before
    assert "Trust me" in after
    assert "checked here" in before


def test_hidden_characters_in_the_agents_words_do_not_break_the_check() -> None:
    text = shown(samples.checkpoint(agent_words="harm\u200bless\u202e"))
    assert "⟦U+200B⟧" in text
    assert "checked here" in text


def test_disguised_arguments_are_warned_of() -> None:
    text = shown(samples.checkpoint(samples.action(arguments={"thread": "a\u202eb"}, targets=())))
    assert "Look closely at argument thread" in text
    assert "⟦U+202E⟧" in text


def test_a_view_with_another_etag_is_not_shown() -> None:
    found = samples.checkpoint(etag="sha256:" + "0" * 64)
    with pytest.raises(ViewUntrue, match="etag"):
        checked_view(found)


def test_an_action_with_another_digest_is_not_shown() -> None:
    found = samples.checkpoint(action=samples.action(kind=ActionKind.SEARCH).canonical())
    with pytest.raises(ViewUntrue, match="digest names"):
        checked_view(found)


def test_a_view_of_another_action_is_not_shown() -> None:
    found = samples.view_with(samples.checkpoint(), action_digest="sha256:" + "1" * 64)
    with pytest.raises(ViewUntrue, match="another action"):
        checked_view(found)


def test_bytes_that_are_no_canonical_action_are_not_shown() -> None:
    found = samples.checkpoint()
    found.action = json.dumps(json.loads(found.action)).encode()
    found.action_digest = digest(found.action)
    with pytest.raises(ViewUntrue, match="not well formed"):
        checked_view(samples.view_with(found, action_digest=found.action_digest))


def test_a_view_that_was_rendered_otherwise_is_shown_with_a_warning() -> None:
    found = samples.view_with(samples.checkpoint(), consequence="Nothing bad, really.")
    assert "would have rendered the action otherwise" in shown(found)
