"""Between our messages and Anthropic's JSON nothing is lost, and a stream is its message."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chenu.llm.v1.completion_pb2 import (
    ContentBlock,
    StopReason,
    TextBlock,
    Tool,
    ToolResultBlock,
    ToolUseBlock,
    Turn,
)
from chenu.llm.v1.completion_service_pb2 import CompleteRequest
from services.llm.stream import Assembly
from services.llm.wire import Ambiguous, from_wire, read_json, to_wire


def test_every_kind_of_block_and_every_option_reaches_the_wire() -> None:
    request = CompleteRequest(
        system="rules",
        temperature_millis=700,
        tools=[Tool(name="t", description="d", input_schema='{"type":"object"}')],
        turns=[
            Turn(role="user", content=[ContentBlock(text=TextBlock(text="hi"))]),
            Turn(
                role="assistant",
                content=[ContentBlock(tool_use=ToolUseBlock(id="1", name="t", input='{"a":1}'))],
            ),
            Turn(
                role="user",
                content=[
                    ContentBlock(
                        tool_result=ToolResultBlock(tool_use_id="1", content="no", is_error=True)
                    )
                ],
            ),
        ],
    )
    body = json.loads(to_wire(request, "claude-x"))
    assert body == {
        "model": "claude-x",
        "max_tokens": 4000,
        "system": "rules",
        "temperature": 0.7,
        "tools": [{"name": "t", "description": "d", "input_schema": {"type": "object"}}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "hi"}]},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "1", "name": "t", "input": {"a": 1}}],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "1", "content": "no", "is_error": True}
                ],
            },
        ],
    }
    assert json.loads(to_wire(request, "claude-x", stream=True)) == body | {"stream": True}


def test_a_tool_is_sent_as_it_stands_in_this_call() -> None:
    for schema in ('{"type":"object"}', '{"type":"object","required":["é"]}', '{"type":"object"}'):
        offered = [Tool(name=name, description="“d”", input_schema=schema) for name in "tu"]
        body = json.loads(to_wire(CompleteRequest(tools=offered), "claude-x"))
        assert body["tools"] == [
            {"name": name, "description": "“d”", "input_schema": json.loads(schema)}
            for name in "tu"
        ]


def test_a_schema_that_is_no_json_is_an_error_and_not_left_out() -> None:
    with pytest.raises(ValueError, match="Expecting"):
        to_wire(CompleteRequest(tools=[Tool(name="t", input_schema="{")]), "claude-x")


def test_cached_tokens_are_counted_as_read() -> None:
    completion = from_wire(
        {
            "model": "claude-x",
            "content": [],
            "stop_reason": "refusal",
            "usage": {
                "input_tokens": 1,
                "cache_read_input_tokens": 20,
                "cache_creation_input_tokens": 300,
                "output_tokens": 4,
            },
        }
    )
    assert completion.usage.input_tokens == 321
    assert completion.usage.output_tokens == 4
    assert completion.stop_reason == StopReason.STOP_REASON_REFUSAL


@given(st.lists(st.text(), max_size=5), st.dictionaries(st.text(), st.integers(), max_size=3))
def test_a_stream_in_any_pieces_is_put_together_as_it_was(
    pieces: list[str], given: dict[str, int]
) -> None:
    text, arguments = "".join(pieces), json.dumps(given)
    assembly = Assembly()
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {"model": "claude-x", "content": [], "usage": {}}},
        {"type": "ping"},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": p}}
            for p in pieces
        ),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "content_block_start",
            "index": 1,
            "content_block": {"type": "tool_use", "id": "1", "name": "t", "input": {}},
        },
        *(
            {
                "type": "content_block_delta",
                "index": 1,
                "delta": {"type": "input_json_delta", "partial_json": c},
            }
            for c in arguments
        ),
        {"type": "content_block_stop", "index": 1},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use"},
            "usage": {"output_tokens": 9},
        },
        {"type": "message_stop"},
    ]
    assert "".join(assembly.add(event) for event in events) == text
    assert assembly.complete
    completion = from_wire(assembly.message())
    assert completion.content[0].text.text == text.replace("\0", "\ufffd")
    assert json.loads(completion.content[1].tool_use.input) == given
    assert completion.usage.output_tokens == 9


@pytest.mark.parametrize(
    "event",
    [
        {"type": "error", "error": {"type": "overloaded_error"}},
        {"type": "content_block_delta", "index": 3, "delta": {"type": "text_delta", "text": "x"}},
    ],
)
def test_a_broken_stream_is_an_error(event: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Assembly().add(event)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("max_tokens", StopReason.STOP_REASON_MAX_TOKENS),
        ("refusal", StopReason.STOP_REASON_REFUSAL),
        ("pause_turn", StopReason.STOP_REASON_PAUSE_TURN),
        ("model_context_window_exceeded", StopReason.STOP_REASON_CONTEXT_WINDOW),
        ("something_new", StopReason.STOP_REASON_UNSPECIFIED),
        (None, StopReason.STOP_REASON_UNSPECIFIED),
    ],
)
def test_an_answer_that_did_not_come_to_its_end_says_so_and_uses_no_tool(
    said: str | None, meant: StopReason
) -> None:
    text = {"type": "text", "text": "I"}
    use = {"type": "tool_use", "id": "1", "name": "t", "input": {"title": "Gar"}}
    content: list[dict[str, Any]] = [text, use, use | {"input": None}]
    completion = from_wire({"model": "claude-x", "content": content, "stop_reason": said})
    assert completion.stop_reason == meant
    assert [block.WhichOneof("block") for block in completion.content] == ["text"]


def test_no_answer_takes_from_what_was_counted() -> None:
    usage = {"input_tokens": -5, "output_tokens": -1, "cache_read_input_tokens": 2}
    completion = from_wire({"model": "claude-x", "content": [], "usage": usage})
    assert (completion.usage.input_tokens, completion.usage.output_tokens) == (2, 0)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2}',
        '{"a": {"b": 1, "\\u0062": 2}}',
        "[NaN]",
        "[-Infinity]",
        "[1e999]",
        "1" * 301,
        "1" * 5000,
    ],
)
def test_json_that_readers_take_for_different_things_is_not_read(text: str) -> None:
    with pytest.raises(Ambiguous):
        read_json(text)


def test_what_no_database_holds_is_replaced_wherever_the_provider_writes_it() -> None:
    use = {"type": "tool_use", "id": "1\0", "name": "t\0", "input": {"a": "\0"}}
    text = {"type": "text", "text": "one\0two"}
    completion = from_wire(
        {"model": "claude-test", "content": [text, use], "stop_reason": "tool_use"}
    )
    assert completion.content[0].text.text == "one\ufffdtwo"
    assert (completion.content[1].tool_use.id, completion.content[1].tool_use.name) == (
        "1\ufffd",
        "t\ufffd",
    )
    assert json.loads(completion.content[1].tool_use.input) == {"a": "\0"}  # escaped in JSON
