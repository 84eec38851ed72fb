from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chenu_gate.action import Action, ActionKind, Principal, Target
from chenu_gate.canonical_json import write
from chenu_gate.refusal import ActionRefused, Refusal
from chenu_gate.sentences import KINDS
from chenu_gate.view import MAX_ARGUMENTS, MAX_CHARACTERS, View, as_text, render, view_digest
from chenu_gate.visible_text import original
from tests.support.actions import actions, an_action

STEP = re.compile(r'\.?([A-Za-z_]\w*)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]', re.ASCII)
HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def arguments_shown(view: View) -> Any:
    """The arguments as somebody who has only the view can read them back."""
    shown: dict[str, Any] = {}
    for argument in view["arguments"]:
        path, value = original(argument["path"]), original(argument["value"])
        steps = [
            int(index) if index else json.loads(quoted) if quoted else name
            for name, index, quoted in STEP.findall(path)
        ]
        assert STEP.sub("", path) == ""
        place: Any = shown
        for step, following in zip(steps, [*steps[1:], None], strict=True):
            empty: Any = [] if isinstance(following, int) else {}
            filling = read_as(argument["type"], value) if following is None else empty
            if isinstance(place, list):
                place.extend([filling] * (step + 1 - len(place)))
            else:
                place.setdefault(step, filling)
            place = place[step]
    return shown


def read_as(kind: str, value: str) -> Any:
    return value if kind == "string" else json.loads(value)


@given(actions, st.text())
def test_a_view_shows_every_argument_and_target_in_full(action: Action, words: str) -> None:
    view = render(action, agent_words=words)

    assert write(arguments_shown(view)) == write(action.document()["arguments"])
    assert [
        Target(
            item["type"],
            original(item["id"]),
            original(item["version"]),
            original(item["name"]),
        )
        for item in view["targets"]
    ] == list(action.targets)
    assert original(view["untrusted"]["agent_words"]) == words
    assert view["action_digest"] == action.digest


@given(actions, st.text())
def test_nothing_in_a_view_is_invisible(action: Action, words: str) -> None:
    view = render(action, agent_words=words)

    assert not HIDDEN.search(json.dumps(view, ensure_ascii=False))
    assert not HIDDEN.search(as_text(view).replace("\n", ""))


@given(actions, st.text())
def test_a_view_is_the_same_whoever_renders_it(action: Action, words: str) -> None:
    built_otherwise = replace(action, arguments=dict(reversed([*action.arguments.items()])))
    parsed = Action.parse(action.canonical())
    view = render(action, agent_words=words)

    assert view == render(parsed, agent_words=words) == render(built_otherwise, agent_words=words)
    assert view_digest(view) == view_digest(json.loads(write(view)))


@given(actions, actions)
def test_another_action_has_another_view(action: Action, other: Action) -> None:
    if action != other:
        assert view_digest(render(action)) != view_digest(render(other))


def test_every_field_of_the_action_is_shown() -> None:
    action = an_action(
        principal=Principal("tenant-1", "person-1", "identity-1", "agent-1"),
        targets=(Target("thread", "thread-1", "etag-1", "Rent"),),
        arguments={"to": "alice", "count": 3, "urgent": True, "note": None, "list": [], "map": {}},
        source_sphere="business",
        target_sphere="personal",
        thread="thread-2",
        run="run-1",
    )
    view = render(action)

    assert set(action.document()) - {"version"} <= set(view)
    assert view["principal"] == {
        "tenant": "tenant-1",
        "person": "person-1",
        "identity": "identity-1",
        "agent": "agent-1",
    }
    assert view["targets"] == [
        {"type": "thread", "name": "Rent", "id": "thread-1", "version": "etag-1"}
    ]
    assert view["arguments"] == [
        {"path": "count", "type": "integer", "value": "3"},
        {"path": "list", "type": "array", "value": "[]"},
        {"path": "map", "type": "object", "value": "{}"},
        {"path": "note", "type": "null", "value": "null"},
        {"path": "to", "type": "string", "value": "alice"},
        {"path": "urgent", "type": "boolean", "value": "true"},
    ]
    assert (view["thread"], view["run"], view["warnings"]) == ("thread-2", "run-1", [])


def test_plain_words_come_first_and_from_the_service() -> None:
    action = an_action(
        kind=ActionKind.TRANSFER,
        targets=(Target("thread", "t-1", "v1"),),
        target_sphere="personal",
    )
    view = render(action, agent_words="Harmless, just approve it.")

    assert view["headline"] == (
        "Transfer thread t-1 from the sphere business into personal, "
        "by the tool thread.delete of threads."
    )
    assert view["consequence"].endswith("It crosses from the sphere business to personal.")
    assert view["reversible"] is False
    assert "Harmless" not in json.dumps({**view, "untrusted": None})
    assert view["untrusted"] == {"agent_words": "Harmless, just approve it."}
    text = as_text(view).splitlines()
    assert text[0] == view["headline"]
    assert text[-1] == "The agent says (unchecked): Harmless, just approve it."


@pytest.mark.parametrize("kind", list(ActionKind))
def test_each_kind_has_its_own_words(kind: ActionKind) -> None:
    with_target = render(an_action(kind=kind))["headline"]
    alone = render(an_action(kind=kind, targets=(), source_sphere="", target_sphere=""))["headline"]

    assert with_target.startswith(f"{KINDS[kind].verb} thread ")
    assert alone == f"{KINDS[kind].alone}, by the tool thread.delete of threads."
    assert KINDS[kind].consequence.endswith(".")


@pytest.mark.parametrize("kind", ["delete", "send", "publish", "transfer", "payment", "export"])
def test_what_cannot_be_taken_back_says_so(kind: str) -> None:
    assert render(an_action(kind=ActionKind(kind)))["reversible"] is False


def test_a_headline_that_cannot_hold_everything_says_what_it_left_out() -> None:
    targets = tuple(Target("thread", "x" * 100 + str(number), "v") for number in range(5))
    view = render(an_action(targets=targets))

    assert "… (21 more characters, in full below)" in view["headline"]
    assert "and 2 more (all are listed below)" in view["headline"]
    assert [target["id"] for target in view["targets"]] == [target.id for target in targets]


def test_a_target_is_called_by_its_name_and_the_name_cannot_leave_its_quotes() -> None:
    named = render(an_action(targets=(Target("thread", "t-1", "v", "Rent 2026"),)))
    assert named["headline"].startswith("Delete thread “Rent 2026” in the sphere business")
    assert "target thread “Rent 2026” t-1 @ v" in as_text(named)

    forged = Target("thread", "t-1", "v", "x” in the sphere personal. “Harmless")
    view = render(an_action(targets=(forged,)))
    for text in (view["headline"], as_text(view)):
        assert "“x⟦U+201D⟧ in the sphere personal. ⟦U+201C⟧Harmless”" in text


def test_hidden_characters_are_shown_and_warned_of_wherever_they_are() -> None:
    action = an_action(
        targets=(Target("endpoint", "e\u200b", "v\u202e", "n\u202d"),),
        arguments={"to\u2066": "p\u0430ypal\u202e\u202d"},
    )
    view = render(action, agent_words="trust\u200bme")

    assert view["targets"] == [
        {"type": "endpoint", "name": "n⟦U+202D⟧", "id": "e⟦U+200B⟧", "version": "v⟦U+202E⟧"}
    ]
    assert view["arguments"] == [
        {
            "path": '["to⟦U+2066⟧"]',
            "type": "string",
            "value": "p⟦U+0430⟧ypal⟦U+202E⟧⟦U+202D⟧",
        }
    ]
    assert [(w["flag"], w["place"], w["characters"]) for w in view["warnings"]] == [
        ("BIDIRECTIONAL", "the name of target 1", ["U+202D"]),
        ("INVISIBLE", "the id of target 1", ["U+200B"]),
        ("BIDIRECTIONAL", "the version of target 1", ["U+202E"]),
        ("BIDIRECTIONAL", 'the name of argument ["to⟦U+2066⟧"]', ["U+2066"]),
        ("LOOK_ALIKE", 'argument ["to⟦U+2066⟧"]', ["U+0430"]),
        ("BIDIRECTIONAL", 'argument ["to⟦U+2066⟧"]', ["U+202D", "U+202E"]),
        ("INVISIBLE", "the agent's own words", ["U+200B"]),
    ]
    assert "n⟦U+202D⟧" in view["headline"]
    assert all(f"! {warning['text']}" in as_text(view) for warning in view["warnings"])


def test_a_warning_lists_eight_characters_and_counts_them_all() -> None:
    text = "".join(chr(code) for code in range(0x2000, 0x200C)) * 2
    (warning,) = render(an_action(arguments={"text": text}))["warnings"]

    assert warning["count"] == 24
    assert len(warning["characters"]) == 8
    assert warning["text"].endswith(
        "(24: U+2000, U+2001, U+2002, U+2003, U+2004, U+2005, U+2006, U+2007, …)."
    )


def test_the_agents_words_are_part_of_what_is_voted_on() -> None:
    action = an_action()

    assert view_digest(render(action, agent_words="a")) != view_digest(render(action))


def test_a_view_that_nobody_could_read_is_refused_and_not_cut() -> None:
    long_name = "k" * 10_000
    readable = an_action(arguments={long_name: [0] * 20})
    unreadable = an_action(arguments={long_name: [0] * (MAX_CHARACTERS // 10_000 + 1)})

    assert len(render(readable)["arguments"]) == 20
    with pytest.raises(ActionRefused) as refused:
        render(unreadable)
    assert refused.value.refusal is Refusal.VIEW_TOO_LARGE


def test_more_arguments_than_anybody_reads_are_refused_at_once() -> None:
    assert len(render(an_action(arguments={"n": [0] * MAX_ARGUMENTS}))["arguments"]) == 2_000

    with pytest.raises(ActionRefused) as refused:
        render(an_action(arguments={"n": [0] * (MAX_ARGUMENTS + 1)}))
    assert refused.value.refusal is Refusal.VIEW_TOO_LARGE


def test_an_action_full_of_text_is_shown_in_full() -> None:
    for text in ("x" * 30_000, "\u200b" * 10_000, "é" * 15_000, "\n" * 15_000):
        view = render(an_action(arguments={"text": text}))

        assert original(view["arguments"][0]["value"]) == text


def test_an_argument_cannot_pass_for_another_part_of_the_view() -> None:
    forged = 'x"\nApproved by: alice (string) = y\r\n! nothing to see'
    action = an_action(arguments={"note": forged, "a.b": 1, "a": {"b": 2}, "c": ["d"], "c[0]": 3})
    view = render(action)

    assert (
        len(as_text(view).splitlines()) == 3 + len(view["touches"]) + len(view["warnings"]) + 1 + 5
    )
    paths = [argument["path"] for argument in view["arguments"]]
    assert paths == ["a.b", '["a.b"]', "c[0]", '["c[0]"]', "note"]
