from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chenu_gate.action import Action, ActionKind, Target
from chenu_gate.action import Tool as PinnedTool
from chenu_gate.tools import (
    ArgumentsInvalid,
    TargetArgument,
    Tool,
    Toolbox,
    ToolChanged,
    ToolMisused,
    ToolUnknown,
)
from tests.support.actions import an_action

SCHEMA = {
    "type": "object",
    "properties": {
        "thread": {"type": "string", "minLength": 1},
        "into": {"type": "string"},
        "count": {"type": "integer", "default": 3, "maximum": 10},
        "note": {},
    },
    "required": ["thread"],
    "additionalProperties": False,
}


def a_tool(**changes: Any) -> Tool:
    given: dict[str, Any] = {
        "name": "thread.merge",
        "description": "Puts one thread into another.",
        "input_schema": SCHEMA,
        "kind": ActionKind.UPDATE,
        "executor": "threads",
        "target_arguments": (
            TargetArgument("thread", "thread"),
            TargetArgument("into", "thread", any_version=True),
        ),
    }
    return Tool.declare(**given | changes)


def use(tool: Tool, /, **changes: Any) -> Action:
    given: dict[str, Any] = {
        "kind": tool.kind,
        "tool": tool.pinned,
        "arguments": {"thread": "t-1"},
        "targets": (Target("thread", "t-1", "v1"),),
    }
    return an_action(**given | changes)


def test_a_fair_use_is_let_through_and_told_by_its_tool() -> None:
    tool = a_tool()

    assert Toolbox([a_tool(name="thread.split"), tool]).check(use(tool)) == tool


def test_a_tool_that_is_not_in_the_box_is_unknown() -> None:
    with pytest.raises(ToolUnknown) as refused:
        Toolbox([a_tool(name="thread.split")]).check(use(a_tool()))

    assert refused.value.reason == "TOOL_UNKNOWN"


@pytest.mark.parametrize(
    "change",
    [
        {"name": "thread.other"},
        {"description": "Puts two threads together."},
        {"input_schema": {**SCHEMA, "required": []}},
        {"kind": ActionKind.DELETE},
        {"executor": "spheres"},
        {"target_arguments": ()},
        {"target_arguments": (TargetArgument("thread", "thread", any_version=True),)},
        {"target_arguments": (TargetArgument("thread", "meeting"),)},
    ],
)
def test_every_part_of_a_definition_moves_its_digest(change: dict[str, Any]) -> None:
    assert a_tool(**change).definition != a_tool().definition


def test_an_action_that_is_bound_to_another_definition_is_refused() -> None:
    tool = a_tool()
    older = a_tool(description="Puts one thread into another, carefully.")

    with pytest.raises(ToolChanged) as refused:
        Toolbox([tool]).check(use(tool, tool=older.pinned))

    assert refused.value.reason == "TOOL_CHANGED"
    assert refused.value.metadata["definition"] == tool.definition


@pytest.mark.parametrize(
    ("what", "lie"), [("kind", {"kind": ActionKind.SEARCH}), ("executor", {"executor": "courier"})]
)
def test_an_action_that_lies_about_its_tool_is_refused(what: str, lie: dict[str, Any]) -> None:
    tool = a_tool()

    with pytest.raises(ToolMisused) as refused:
        tool.check(use(tool, **lie))

    assert refused.value.reason == "ACTION_INVALID"
    assert refused.value.metadata["cause"] == what


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({}, "required"),
        ({"thread": 7}, "type"),
        ({"thread": ""}, "minLength"),
        ({"thread": "t-1", "count": 11}, "maximum"),
        ({"thread": "t-1", "count": True}, "type"),
        ({"thread": "t-1", "other": 1}, "additionalProperties"),
        ({"thread": "t-1", "note": "a\0b"}, "nul"),
        ({"thread": "t-1", "note": [{"deep": ["\0"]}]}, "nul"),
        ({"thread": "t-1", "note": {"\0": 1}}, "nul"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments: dict[str, Any], rule: str) -> None:
    tool = a_tool()

    with pytest.raises(ArgumentsInvalid) as refused:
        tool.check(use(tool, arguments=arguments))

    assert refused.value.reason == "ARGUMENTS_INVALID"
    assert refused.value.metadata["cause"] == rule


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"properties": {"thread": {"$ref": "file:///etc/hostname"}}},
        {"$id": "http://127.0.0.1:9/", "properties": {"a": {"$ref": "other.json#/b"}}},
        {"pattern": "("},
        {"type": "nothing"},
        {"required": 1},
        {"properties": []},
        [],
    ],
    ids=str,
)
def test_an_executors_schema_fetches_nothing_and_one_that_is_broken_checks_nothing(
    schema: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[Any] = []
    monkeypatch.setattr("urllib.request.urlopen", fetched.append)
    tool = a_tool(input_schema=schema)
    with pytest.raises(ArgumentsInvalid) as refusal:
        tool.check_arguments({"thread": "x"})
    assert refusal.value.metadata["cause"] == "schema"
    assert tool.essential({"thread": "x", "a": 1}) == {"thread": "x", "a": 1}
    assert not fetched


def test_a_message_never_repeats_a_senders_characters() -> None:
    schema = {**SCHEMA, "patternProperties": {".": {"type": "integer"}}}

    with pytest.raises(ArgumentsInvalid) as refused:
        a_tool(input_schema=schema).check_arguments({"thread": "t", "\u202eevil\n": "x"})

    assert str(refused.value).isascii()
    assert "\n" not in str(refused.value)


def test_a_default_of_the_schema_is_never_slipped_into_what_was_approved() -> None:
    arguments = {"thread": "t-1"}

    a_tool().check_arguments(arguments)

    assert arguments == {"thread": "t-1"}


@pytest.mark.parametrize(
    "targets",
    [
        (),
        (Target("thread", "t-2", "v1"),),
        (Target("meeting", "t-1", "v1"),),
        (Target("thread", "t-1", "v1"), Target("thread", "t-2", "v1")),
    ],
)
def test_targets_are_exactly_those_that_the_arguments_name(targets: tuple[Target, ...]) -> None:
    tool = a_tool()

    with pytest.raises(ArgumentsInvalid) as refused:
        tool.check(use(tool, targets=targets))

    assert refused.value.metadata["cause"] == "targets"


def test_a_target_needs_a_version_unless_its_content_does_not_matter() -> None:
    tool = a_tool()
    both = {"thread": "t-1", "into": "t-2"}
    tool.check(
        use(tool, arguments=both, targets=(Target("thread", "t-1", "v1"), Target("thread", "t-2")))
    )

    with pytest.raises(ArgumentsInvalid) as refused:
        tool.check(
            use(
                tool,
                arguments=both,
                targets=(Target("thread", "t-1"), Target("thread", "t-2", "v1")),
            )
        )

    assert refused.value.metadata["cause"] == "version"


def test_a_definition_survives_the_wire() -> None:
    tool = a_tool()

    assert Tool.from_definition(tool.message()) == tool


@pytest.mark.parametrize("field", ["name", "description", "executor"])
def test_a_definition_that_was_altered_on_the_wire_is_refused(field: str) -> None:
    message = a_tool().message()
    setattr(message, field, "other")

    with pytest.raises(ToolChanged):
        Tool.from_definition(message)


def test_an_action_pinned_to_the_same_definition_under_another_name_is_unknown() -> None:
    tool = a_tool()
    action = replace(use(tool), tool=PinnedTool("thread.rename", tool.definition))

    with pytest.raises(ToolUnknown):
        Toolbox([tool]).check(action)


def test_what_is_cosmetic_is_not_essential_and_a_target_never_is_cosmetic() -> None:
    tool = Tool.declare(
        name="letter.send",
        description="Sends.",
        input_schema={
            "type": "object",
            "properties": {
                "to": {"type": "string", "x-cosmetic": True},
                "greeting": {"type": "string", "x-cosmetic": True},
                "text": {"type": "string", "x-cosmetic": "yes"},
            },
        },
        kind=ActionKind.SEND,
        executor="letters",
        target_arguments=(TargetArgument("to", "person"),),
    )

    essential = tool.essential({"to": "Ada", "greeting": "Dear", "text": "Come.", "more": 1})

    assert essential == {"to": "Ada", "text": "Come.", "more": 1}
