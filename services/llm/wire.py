"""Between our messages and Anthropic's JSON. A rule: pure, and nothing is dropped silently."""

import json
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NoReturn

from chenu.llm.v1.completion_pb2 import Completion, ContentBlock, StopReason, Turn
from chenu.llm.v1.completion_service_pb2 import CompleteRequest

_STOP: Final = {
    "end_turn": StopReason.STOP_REASON_END_TURN,
    "tool_use": StopReason.STOP_REASON_TOOL_USE,
    "max_tokens": StopReason.STOP_REASON_MAX_TOKENS,
    "stop_sequence": StopReason.STOP_REASON_STOP_SEQUENCE,
    "refusal": StopReason.STOP_REASON_REFUSAL,
    "pause_turn": StopReason.STOP_REASON_PAUSE_TURN,
    "model_context_window_exceeded": StopReason.STOP_REASON_CONTEXT_WINDOW,
}
_WHOLE: Final = frozenset({"end_turn", "tool_use", "stop_sequence"})
_LONGEST_ID: Final = 256
_LONGEST_INTEGER: Final = 300
DEFAULT_MAX_TOKENS: Final = 4000
# What reading a message that is not as it should be can raise.
MALFORMED: Final = (
    ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError
)  # fmt: skip


class Ambiguous(ValueError):
    """JSON that readers could take for different things."""


def read_json(data: bytes | str) -> Any:
    """What the JSON says; Ambiguous, ValueError or RecursionError where it says no one thing."""
    return json.loads(
        data,
        object_pairs_hook=_object,
        parse_constant=_refuse,
        parse_float=_finite,
        parse_int=_integer,
    )


def to_wire(request: CompleteRequest, model: str, *, stream: bool = False) -> bytes:
    """The body of POST /v1/messages; ValueError where a part is not JSON."""
    body: dict[str, Any] = {
        "model": model,
        "max_tokens": request.max_tokens or DEFAULT_MAX_TOKENS,
        "messages": [_turn(turn) for turn in request.turns],
    }
    if request.system:
        body["system"] = request.system
    if request.temperature_millis:
        body["temperature"] = request.temperature_millis / 1000
    if stream:
        body["stream"] = True
    text = json.dumps(body)
    if request.tools:
        tools = (_tool(tool.name, tool.description, tool.input_schema) for tool in request.tools)
        text = f'{text[:-1]}, "tools": [{", ".join(tools)}]}}'
    return text.encode()


def from_wire(message: Mapping[str, Any]) -> Completion:
    """The provider's message as a completion; unknown kinds of block are left out.

    So are the uses of tools of an answer that did not come to its end: they may be cut short, and
    what would have followed them is not known. Raises one of MALFORMED where it is none.
    """
    stopped, ids = message.get("stop_reason") or "", set[str]()
    completion = Completion(
        model=message["model"],
        stop_reason=_STOP.get(stopped, StopReason.STOP_REASON_UNSPECIFIED),
    )
    for block in message["content"]:
        if block["type"] == "text":
            completion.content.add().text.text = _storable(block["text"])
        elif block["type"] == "tool_use" and stopped in _WHOLE:
            use = completion.content.add().tool_use
            use.id, use.name = _storable(block["id"]), _storable(block["name"])
            if not 0 < len(use.id) <= _LONGEST_ID or use.id in ids:
                raise ValueError("a use of a tool without an id of its own")
            ids.add(use.id)
            if not isinstance(block["input"], dict):
                raise ValueError("a use of a tool whose input is no object")
            use.input = json.dumps(block["input"], ensure_ascii=False)
    usage = message.get("usage") or {}
    # Anthropic counts cached tokens apart from input_tokens; what was read is the sum.
    completion.usage.input_tokens = sum(
        _count(usage, name)
        for name in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    )
    completion.usage.output_tokens = _count(usage, "output_tokens")
    return completion


def _count(usage: Mapping[str, Any], name: str) -> int:
    """A negative one would take from the sums of the ledger."""
    return max(int(usage.get(name) or 0), 0)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Ambiguous("a key stands twice")
    return members


def _refuse(constant: str) -> NoReturn:
    raise Ambiguous(f"{constant} is no number")


def _finite(literal: str) -> float:
    if math.isinf(number := float(literal)):
        raise Ambiguous("a number beyond all that can be held")
    return number


def _integer(literal: str) -> int:
    # Measured before it is converted: int() is slow, then refuses, for thousands of digits.
    if len(literal) > _LONGEST_INTEGER:
        raise Ambiguous("a number beyond all that can be held")
    return int(literal)


def _storable(text: str) -> str:
    """The text with U+FFFD for U+0000, which no database holds."""
    return text.replace("\0", "\ufffd")


@lru_cache(maxsize=128)
def _tool(name: str, description: str, input_schema: str) -> str:
    """Most of a body are its tools, and they are the same in every call."""
    schema = json.loads(input_schema)
    return json.dumps({"name": name, "description": description, "input_schema": schema})


def _turn(turn: Turn) -> dict[str, Any]:
    return {"role": turn.role, "content": [_block(block) for block in turn.content]}


def _block(block: ContentBlock) -> dict[str, Any]:
    if block.HasField("tool_use"):
        use = block.tool_use
        return {
            "type": "tool_use",
            "id": use.id,
            "name": use.name,
            "input": json.loads(use.input or "{}"),
        }
    if block.HasField("tool_result"):
        result = block.tool_result
        return {
            "type": "tool_result",
            "tool_use_id": result.tool_use_id,
            "content": result.content,
            "is_error": result.is_error,
        }
    return {"type": "text", "text": block.text.text}
