"""What people write to try rules out becomes a whole action, or is refused in words."""

import pytest

from chenu_gate.action import Action, ActionKind, Principal
from chenu_gate.refusal import ActionRefused
from chenu_gate.trial_action import trial_action

ME = Principal("t-1", "p-1", "i-1")


def test_what_is_left_out_is_filled_in() -> None:
    action = trial_action(
        {
            "kind": "send",
            "tool": "mail.send",
            "principal": {"agent": "a-1"},
            "targets": [{"type": "thread", "id": "x"}],
        },
        ME,
    )
    assert Action.parse(action.canonical()) == action
    assert (action.kind, action.tool.name) == (ActionKind.SEND, "mail.send")
    assert action.principal == Principal("t-1", "p-1", "i-1", "a-1")
    assert action.targets[0].version == ""
    assert trial_action({}, ME).kind is ActionKind.EXECUTE


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([], "not a JSON object"),
        ({"principal": "me"}, "are JSON objects"),
        ({"targets": ["x"]}, "are JSON objects"),
        ({"targets": 5}, "not a list"),
        ({"targets": None}, "not a list"),
        ({"kind": "sing"}, "kind"),
        ({"amount": 1.5}, "amount"),
        ({"mood": "good"}, "mood"),
    ],
)
def test_what_is_no_action_is_refused_in_words(given: object, told: str) -> None:
    with pytest.raises((ActionRefused, ValueError), match=told):
        trial_action(given, ME)
