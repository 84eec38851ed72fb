from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chenu_gate.action import (
    READING_KINDS,
    Action,
    ActionKind,
    Principal,
    Target,
    Tool,
)
from chenu_gate.refusal import ActionRefused
from tests.support.actions import DEFINITION, actions, an_action, values


@given(actions)
def test_what_parses_is_what_was_written(action: Action) -> None:
    parsed = Action.parse(action.canonical())

    assert parsed == action
    assert parsed.canonical() == action.canonical()
    assert parsed.digest == action.digest
    assert parsed.shape_digest == action.shape_digest
    assert hash(parsed) == hash(action)


@given(actions, values)
def test_any_other_arguments_make_another_digest(action: Action, value: Any) -> None:
    name, *_ = [*action.arguments, "amount"]
    changed = replace(action, arguments={**action.arguments, name: value})
    assume(changed.canonical() != action.canonical())

    assert changed.digest != action.digest
    assert changed.shape_digest != action.shape_digest


@pytest.mark.parametrize(
    "change",
    [
        {"kind": ActionKind.UPDATE},
        {"tool": Tool("thread.archive", DEFINITION)},
        {"tool": Tool("thread.delete", "sha256:" + "5f" * 32)},
        {"executor": "spheres"},
        {"principal": Principal("other", "", "other")},
        {"source_sphere": "personal"},
        {"target_sphere": "personal"},
        {"targets": ()},
        {"arguments": {}},
    ],
)
def test_a_change_of_any_field_makes_another_digest_and_another_shape(
    change: dict[str, Any],
) -> None:
    action = an_action()
    changed = replace(action, **change)

    assert changed != action
    assert changed.digest != action.digest
    assert changed.shape_digest != action.shape_digest


@pytest.mark.parametrize("field", ["tenant", "person", "identity", "agent"])
def test_a_change_of_any_part_of_the_principal_makes_another_digest(field: str) -> None:
    action = an_action()
    changed = replace(action, principal=replace(action.principal, **{field: "somebody-else"}))

    assert changed.digest != action.digest


@pytest.mark.parametrize("field", ["type", "id", "version"])
def test_a_change_of_any_part_of_a_target_makes_another_digest(field: str) -> None:
    action = an_action()
    changed = replace(action, targets=(replace(action.targets[0], **{field: "v8"}),))

    assert changed.digest != action.digest


def test_the_shape_is_the_same_in_every_run_and_thread() -> None:
    action = an_action()
    elsewhere = replace(action, run="another-run", thread="another-thread")

    assert elsewhere.digest != action.digest
    assert elsewhere.shape_digest == action.shape_digest


def test_the_bytes_are_the_ones_of_rfc_8785() -> None:
    action = Action(
        kind=ActionKind.SEND,
        tool=Tool("webhook.send", DEFINITION),
        executor="courier",
        principal=Principal("t", "p", "i"),
        targets=(Target("endpoint", "e"),),
        arguments={"€": '\u20ac\n\x0f"\\', "\U0001f600": 1, "\ufb33": -7, "a": [True, None, {}]},
    )

    # Keys in the order of their UTF-16 code units: the emoji's stand below U+FB33.
    assert (
        action.canonical()
        == (
            '{"arguments":{"a":[true,null,{}],"€":"€\\n\\u000f\\"\\\\","\U0001f600":1,"\ufb33":-7},'
            '"executor":"courier","kind":"send",'
            '"principal":{"agent":"","identity":"i","person":"p","tenant":"t"},"run":"",'
            '"source_sphere":"","target_sphere":"",'
            '"targets":[{"id":"e","name":"","type":"endpoint","version":""}],"thread":"",'
            f'"tool":{{"definition":"{DEFINITION}","name":"webhook.send"}},'
            '"version":"chenu.action.v1"}'
        ).encode()
    )


def test_text_is_never_normalised() -> None:
    composed = an_action(arguments={"name": "caf\u00e9"}, run="r", thread="t")
    decomposed = replace(composed, arguments={"name": "cafe\u0301"})

    assert Action.parse(decomposed.canonical()).arguments["name"] == "cafe\u0301"
    assert composed.digest != decomposed.digest


def test_true_is_not_one() -> None:
    action = an_action(arguments={"count": 1})

    assert replace(action, arguments={"count": True}) != action


@given(actions, st.data())
def test_a_changed_byte_is_refused_or_makes_another_digest(
    action: Action, data: st.DataObject
) -> None:
    original = action.canonical()
    at = data.draw(st.integers(0, len(original) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != original[at]))
    changed = original[:at] + bytes([byte]) + original[at + 1 :]

    try:
        parsed = Action.parse(changed)
    except ActionRefused:
        return
    assert parsed.digest != action.digest
    assert parsed.canonical() == changed


def test_every_changed_bit_of_one_action_is_refused_or_makes_another_digest() -> None:
    action = an_action()
    original = action.canonical()
    digests = set()
    for at in range(len(original)):
        for bit in range(8):
            changed = bytearray(original)
            changed[at] ^= 1 << bit
            try:
                digests.add(Action.parse(bytes(changed)).digest)
            except ActionRefused:
                continue

    assert digests
    assert action.digest not in digests


def test_an_action_cannot_be_changed_after_it_was_made() -> None:
    given_arguments: dict[str, Any] = {"to": ["alice"], "more": {"a": 1}}
    action = an_action(arguments=given_arguments)
    digest = action.digest

    given_arguments["to"].append("mallory")
    action.document()["arguments"]["to"].append("mallory")
    with pytest.raises(TypeError):
        action.arguments["to"] = "mallory"  # type: ignore[index]
    with pytest.raises(TypeError):
        action.arguments["more"]["a"] = 2  # type: ignore[index]
    with pytest.raises(FrozenInstanceError):
        action.executor = "mallory"  # type: ignore[misc]

    assert action.arguments["to"] == ("alice",)
    assert action.digest == digest == Action.parse(action.canonical()).digest


def test_reading_kinds_are_four_of_fourteen() -> None:
    assert len(ActionKind) == 14
    assert {"query", "search", "summarize", "analyze"} == READING_KINDS
