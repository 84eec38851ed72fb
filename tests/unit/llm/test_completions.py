"""Whatever a provider answers: a typed error or a completion of Claude's, and one ledger row."""

from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from chenu.llm.v1.completion_pb2 import Role
from chenu.llm.v1.completion_service_pb2 import CompleteRequest
from kernel.caller import Caller
from kernel.context import background
from kernel.errors import ServiceError
from kernel.grouped_write import GroupedWriter
from services.llm.anthropic_client import AnthropicClient
from services.llm.completions import Completions
from services.llm.settings import LlmSettings

TEXT = {"type": "text", "text": "hello"}
MESSAGE = {"type": "message", "model": "claude-test", "content": [TEXT], "usage": {}}
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
    {"content": [{"type": "tool_use", "id": "1", "name": "t", "input": DEEP}]},
    {"stop_reason": ["end_turn"]},
    {"usage": [1]},
    {"usage": {"output_tokens": "many"}},
    {"usage": {"output_tokens": 2**70}},
    {"usage": {"output_tokens": float("inf")}},
]
START = {"type": "message_start", "message": {"model": "claude-test", "usage": {"input_tokens": 3}}}
BLOCK = {"type": "content_block_start", "index": 0, "content_block": TEXT}
STOP = {"type": "message_stop"}


class Provider:
    """Answers with what it is given, whole or event by event."""

    def __init__(self, message: dict[str, Any], events: list[Any]) -> None:
        self.message, self.events = message, events

    async def create(self, _body: bytes) -> dict[str, Any]:
        return self.message

    async def stream(self, _body: bytes) -> AsyncIterator[Any]:
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
    settings = LlmSettings.model_construct(
        models=("claude-test",), anthropic_url="http://127.0.0.1:1", simulator_host="127.0.0.1:1"
    )
    provider = cast("AnthropicClient", Provider(message or {}, events or []))
    completions = Completions(cast("GroupedWriter", ledger), provider, settings)
    caller, request = cast("Caller", None), CompleteRequest(role=Role.ROLE_NOVA)
    with background("test"):
        try:
            if events is None:
                await completions.complete(caller, request)
            else:
                _ = [part async for part in completions.stream(caller, request)]
        except ServiceError as error:
            return error, ledger
    return None, ledger


@pytest.mark.parametrize("change", BROKEN, ids=range(len(BROKEN)))
async def test_a_message_that_cannot_be_read_is_a_failing_provider_and_booked(
    change: dict[str, Any],
) -> None:
    error, rows = await asked(MESSAGE | change)
    assert error is not None
    assert error.reason == "PROVIDER_UNAVAILABLE"
    assert [row["outcome"] for row in rows] == ["PROVIDER_UNAVAILABLE"]


@pytest.mark.parametrize(
    "events",
    [
        [START, 7],
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
    assert error.reason in {"PROVIDER_UNAVAILABLE", "MODEL_MISMATCH"}


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
