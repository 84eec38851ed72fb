"""The Messages format: what is refused, how an answer is counted, cut and streamed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.local.simulator.plan import Call, Plan
from deploy.local.simulator.sse import events
from deploy.local.simulator.wire import (
    WireError,
    count_tokens,
    message_of,
    offered_tools,
    read_request,
)

USER = {"role": "user", "content": "Hello"}
TOOL = {"name": "look", "input_schema": {"type": "object"}}
USE = {
    "role": "assistant",
    "content": [{"type": "tool_use", "id": "u1", "name": "look", "input": {}}],
}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "u1", "content": "x"}]}


def request(**changes: Any) -> dict[str, Any]:
    made = {"model": "claude-sonnet-5-5", "max_tokens": 100, "messages": [USER], **changes}
    return {name: value for name, value in made.items() if value is not ...}


def read(**changes: Any) -> dict[str, Any]:
    return read_request(json.dumps(request(**changes)).encode())


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"max_tokens": ...}, "max_tokens: Field required"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": "10"}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"model": ...}, "model: Field required"),
        ({"model": 5}, "model"),
        ({"stream": "yes"}, "stream"),
        ({"surprise": 1}, "surprise: Extra inputs are not permitted"),
        ({"messages": ...}, "messages: Field required"),
        ({"messages": []}, "messages: at least one"),
        ({"messages": "Hello"}, "messages: Input should be a valid list"),
        ({"messages": ["Hello"]}, "messages.0: Input should be an object"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": ""}]}, "text content blocks must be non-empty"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "messages.0.content.0"),
        ({"messages": [{"role": "user", "content": [{"type": "song"}]}]}, "content.0.type"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "text.text"),
        ({"messages": [{"role": "assistant", "content": "x"}, USER]}, "first message"),
        ({"messages": [USER, {"role": "assistant", "content": "x"}]}, "must end with the user"),
        ({"messages": [USER, USE, USER]}, "without `tool_result` blocks: u1"),
        ({"messages": [USER, USE, {**RESULT, "role": "assistant"}]}, "unexpected `tool_use_id`"),
        ({"messages": [{**USE, "role": "user"}]}, "belong to the assistant"),
        ({"messages": [USER, RESULT]}, "unexpected `tool_use_id`"),
        ({"messages": [USER, USE, RESULT, RESULT]}, "unexpected `tool_use_id`"),
        ({"tools": {}}, "tools: Input should be a valid list"),
        ({"tools": ["x"]}, "tools.0"),
        ({"tools": [{**TOOL, "name": "a.b"}]}, "tools.0.name"),
        ({"tools": [{"name": "a"}]}, "tools.0.input_schema.type"),
        ({"tools": [TOOL, TOOL]}, "Tool names must be unique"),
    ],
)  # fmt: skip
def test_a_wrong_request_is_refused_with_the_place(changes: dict[str, Any], place: str) -> None:
    with pytest.raises(WireError) as refused:
        read(**changes)
    assert refused.value.kind == "invalid_request_error"
    assert place in str(refused.value)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"\xff", b'{"model": "\\ud800"}', b'{"a":' * 100_000]
)
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(WireError) as refused:
        read_request(body)
    assert refused.value.kind == "invalid_request_error"


def test_half_a_surrogate_pair_is_no_text() -> None:
    body = json.dumps(request()).replace("Hello", r"\uD83D Hello").encode()
    with pytest.raises(WireError, match="not valid JSON"):
        read_request(body)
    assert read_request(body.replace(rb"\uD83D", rb"\uD83D\uDE00"))


@pytest.mark.parametrize("model", ["gpt-6", "claude-", "claude-Sonnet", "my-claude-5", ""])
def test_only_claude_is_known_here(model: str) -> None:
    with pytest.raises(WireError) as refused:
        read(model=model)
    assert refused.value.kind == "not_found_error"


def test_a_right_request_is_read() -> None:
    made = read(messages=[USER, USE, RESULT], tools=[TOOL], stream=True, temperature=0.5)
    assert made["messages"] == [USER, USE, RESULT]


def test_counting_needs_no_limit_and_takes_none() -> None:
    body = json.dumps(request(max_tokens=...)).encode()
    assert count_tokens(read_request(body, counting=True)) > 1
    with pytest.raises(WireError, match="max_tokens"):
        read_request(json.dumps(request()).encode(), counting=True)


def test_no_tool_is_offered_when_none_may_be_chosen() -> None:
    assert offered_tools(request(tools=[TOOL])) == {"look": {"type": "object"}}
    assert offered_tools(request(tools=[TOOL], tool_choice={"type": "none"})) == {}
    assert offered_tools(request()) == {}


def test_tokens_are_counted_the_same_every_time_and_grow_with_the_text() -> None:
    plan = Plan("Hello there")
    usage = [message_of(plan, request())["usage"] for _ in range(3)]
    assert usage[0] == usage[1] == usage[2]
    longer = request(messages=[{"role": "user", "content": "Hello " * 100}], system="Be brief")
    assert message_of(plan, longer)["usage"]["input_tokens"] > usage[0]["input_tokens"] + 100


def test_an_answer_says_what_it_is() -> None:
    message = message_of(Plan("Hi", (Call("look", {"a": 1}),)), request())
    assert message["id"].startswith("msg_sim_")
    assert message["model"] == "claude-sonnet-5-5"
    assert message["stop_reason"] == "tool_use"
    assert [block["type"] for block in message["content"]] == ["text", "tool_use"]
    assert message["content"][1]["id"].startswith("toolu_sim_")


def test_words_alone_end_the_turn() -> None:
    assert message_of(Plan("Hi"), request())["stop_reason"] == "end_turn"


def test_an_answer_is_cut_where_the_tokens_are_used_up() -> None:
    plan = Plan("x" * 1000, (Call("look", {}),))
    message = message_of(plan, request(max_tokens=10))
    assert message["stop_reason"] == "max_tokens"
    assert message["content"] == [{"type": "text", "text": "x" * 40}]
    assert message["usage"]["output_tokens"] == 10


def test_a_tool_that_does_not_fit_is_left_out_whole() -> None:
    plan = Plan("Hi", (Call("look", {"text": "x" * 1000}),))
    message = message_of(plan, request(max_tokens=10))
    assert message["stop_reason"] == "max_tokens"
    assert [block["type"] for block in message["content"]] == ["text"]


def parse(chunks: list[bytes]) -> list[dict[str, Any]]:
    parsed = []
    for chunk in chunks:
        first, second, *rest = chunk.decode().split("\n")
        assert rest == ["", ""]
        event = json.loads(second.removeprefix("data: "))
        assert first == f"event: {event['type']}"
        parsed.append(event)
    return parsed


@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1), value=st.text())
def test_a_stream_tells_the_same_message_piece_by_piece(text: str, value: str) -> None:
    plan = Plan(text, (Call("look", {"value": value}), Call("finish", {})))
    message = message_of(plan, request(max_tokens=100_000))
    told: list[dict[str, Any]] = []
    stop_reason = None
    for event in parse(list(events(message))):
        match event["type"]:
            case "content_block_start":
                told.append({**event["content_block"], "pieces": ""})
            case "content_block_delta":
                delta = event["delta"]
                told[event["index"]]["pieces"] += delta.get("text", delta.get("partial_json"))
            case "message_delta":
                stop_reason = event["delta"]["stop_reason"]
                assert event["usage"]["output_tokens"] == message["usage"]["output_tokens"]
    assert stop_reason == "tool_use"
    assert told[0]["pieces"] == text
    assert [json.loads(block["pieces"]) for block in told[1:]] == [{"value": value}, {}]


def test_events_come_in_the_documented_order() -> None:
    message = message_of(Plan("Hi", (Call("look", {"a": 1}),)), request())
    kinds = [event["type"] for event in parse(list(events(message)))]
    assert kinds == [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    start = next(events(message))
    assert b'"stop_reason":null' in start
    assert b'"content":[]' in start
