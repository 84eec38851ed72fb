"""Whatever a provider answers: a typed error or a completion of Claude's, and one ledger row."""

from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest

from chenu.llm.v1.completion_pb2 import Role, StopReason
from chenu.llm.v1.completion_service_pb2 import CompleteRequest, StreamCompleteResponse
from kernel.caller import Caller
from kernel.context import background
from kernel.errors import ServiceError
from kernel.grouped_write import GroupedWriter
from services.llm.anthropic_client import AnthropicClient
from services.llm.completions import Completions
from services.llm.settings import LlmSettings

TEXT = {"type": "text", "text": "hello"}
USE = {"type": "tool_use", "id": "1", "name": "t", "input": {}}
MESSAGE = {
    "type": "message", "model": "claude-test", "content": [TEXT], "usage": {},
    "stop_reason": "tool_use",
}  # fmt: skip
DEEP: list[Any] = []
for _ in range(5000):
    DEEP = [DEEP]
BROKEN: list[dict[str, Any]] = [
    {"model": 7},
    {"content": None},
    {"content": 7},
    {"content": [7]},
    {"content": [{"type": "text"}]},
    {"content": [{"type": "text", "text": 7}]},
    {"content": [{"type": "text", "text": "\ud800"}]},
    {"content": [{"type": "tool_use", "id": "1", "name": "t"}]},
    {"content": [USE | {"input": {"a": DEEP}}]},
    {"content": [USE | {"input": []}]},
    {"content": [USE | {"input": "{}"}]},
    {"content": [USE | {"id": ""}]},
    {"content": [USE | {"id": "1" * 257}]},
    {"content": [USE, TEXT, USE]},
    {"content": [TEXT | {"text": "x" * 1_100_000}]},
    {"stop_reason": ["end_turn"]},
    {"usage": [1]},
    {"usage": {"output_tokens": "many"}},
    {"usage": {"output_tokens": 2**70}},
    {"usage": {"output_tokens": float("inf")}},
]
START = {"type": "message_start", "message": {"model": "claude-test", "usage": {"input_tokens": 3}}}
BLOCK = {"type": "content_block_start", "index": 0, "content_block": TEXT}
STOP = {"type": "message_stop"}
DELTA = {"type": "text_delta", "text": "more"}
PIECE = {
    "type": "content_block_delta", "index": 0,
    "delta": {"type": "input_json_delta", "partial_json": '{"title": "Gar'},
}  # fmt: skip
ENDED = {"type": "content_block_stop", "index": 0}
END = {"type": "message_delta", "delta": {"stop_reason": "tool_use"}}
CUT = {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}}
CALLER, REQUEST = cast("Caller", None), CompleteRequest(role=Role.ROLE_NOVA)


class Provider:
    """Answers with what it is given, whole or event by event."""

    def __init__(self, message: dict[str, Any], events: list[Any]) -> None:
        self.message, self.events = message, events

    async def create(self, _body: bytes) -> dict[str, Any]:
        return self.message

    async def stream(self, _body: bytes) -> AsyncGenerator[Any, None]:
        for event in self.events:
            yield event


class Ledger(list[dict[str, Any]]):
    """Keeps the rows."""

    async def write(self, _caller: Caller, entry: dict[str, Any], _audit: object) -> None:
        self.append(entry)


async def asked(
    message: dict[str, Any] | None = None, events: list[Any] | None = None
) -> tuple[ServiceError | None, Ledger]:
    """What came of a call, and its rows."""
    ledger = Ledger()
    try:
        if events is None:
            with background("test"):
                await before(Provider(message or {}, []), ledger).complete(CALLER, REQUEST)
        else:
            await streamed(events, ledger)
    except ServiceError as error:
        return error, ledger
    return None, ledger


async def streamed(events: list[Any], ledger: Ledger | None = None) -> list[StreamCompleteResponse]:
    """What is passed on of a stream of these events."""
    completions = before(Provider({}, events), Ledger() if ledger is None else ledger)
    with background("test"):
        return [part async for part in completions.stream(CALLER, REQUEST)]


def before(provider: Provider, ledger: Ledger) -> Completions:
    settings = LlmSettings.model_construct(
        models=("claude-test",), anthropic_url="http://127.0.0.1:1", simulator_host="127.0.0.1:1"
    )
    client = cast("AnthropicClient", provider)
    return Completions(cast("GroupedWriter", ledger), client, settings)


@pytest.mark.parametrize("change", BROKEN, ids=range(len(BROKEN)))
async def test_a_message_that_cannot_be_read_is_no_answer_and_booked(
    change: dict[str, Any],
) -> None:
    error, rows = await asked(MESSAGE | change)
    assert error is not None
    assert error.reason == "ANSWER_UNUSABLE"
    assert [row["outcome"] for row in rows] == ["ANSWER_UNUSABLE"]


@pytest.mark.parametrize(
    "events",
    [
        [START, 7],
        [START, START, STOP],
        [START, BLOCK | {"index": 1}, STOP],
        [START, BLOCK, {"type": "content_block_delta", "index": -1, "delta": DELTA}, STOP],
        [START, BLOCK | {"content_block": USE}, PIECE, END, STOP],
        [START, BLOCK | {"content_block": USE}, PIECE, ENDED, END, STOP],
        [START, ["message_stop"]],
        [START, {"type": "content_block_start", "index": 0}],
        [START, {"type": "content_block_start", "index": 0, "content_block": {"text": "x"}}, STOP],
        [START, {"type": "content_block_start", "index": 0, "content_block": {"type": "text"}}],
        [START, BLOCK, {"type": "content_block_delta", "index": 0, "delta": 7}],
        [START, BLOCK, {"type": "message_delta", "delta": {"stop_reason": ["x"]}}, STOP],
        [{"type": "message_start", "message": {"model": 7}}],
        [{"type": "message_start", "message": {"model": "claude-test", "usage": 7}}, STOP],
    ],
)
async def test_a_stream_that_cannot_be_read_leaves_one_row_all_the_same(events: list[Any]) -> None:
    error, rows = await asked(events=events)
    assert error is not None
    assert [row["outcome"] for row in rows] == [error.reason]
    assert error.reason in {"PROVIDER_UNAVAILABLE", "MODEL_MISMATCH", "ANSWER_UNUSABLE"}


async def test_a_stream_that_was_cut_off_at_its_limit_says_so_and_proposes_nothing() -> None:
    begun = {"type": "content_block_start", "index": 0, "content_block": USE}
    parts = await streamed([START, begun, PIECE, ENDED, CUT, STOP])
    assert parts[-1].completion.stop_reason == StopReason.STOP_REASON_MAX_TOKENS
    assert not parts[-1].completion.content


async def test_what_comes_behind_the_end_of_a_streamed_answer_is_no_part_of_it() -> None:
    more = {"type": "content_block_delta", "index": 0, "delta": DELTA}
    parts = await streamed([START, BLOCK, ENDED, END, STOP, more])
    assert parts[-1].completion.content[0].text.text == "hello"


async def test_what_a_broken_stream_has_cost_is_booked() -> None:
    _, rows = await asked(events=[START, {"type": "content_block_start", "content_block": {}}])
    assert [(row["model_answered"], row["input_tokens"]) for row in rows] == [("claude-test", 3)]


@pytest.mark.parametrize(
    "name", ["", "gpt", "claude-\0", "claude-" + "x" * 70_000], ids=["none", "other", "nul", "long"]
)
async def test_an_answer_that_does_not_name_claude_is_thrown_away_and_booked(name: str) -> None:
    start = {"type": "message_start", "message": {"model": name}}
    for error, rows in (
        await asked(MESSAGE | {"model": name}),
        await asked(events=[start, BLOCK, STOP]),
    ):
        assert error is not None
        assert error.reason == "MODEL_MISMATCH"
        (row,) = rows
        assert "\0" not in row["model_answered"]
        assert len(row["model_answered"]) <= 100
