"""Anthropic's Messages format as this server speaks it: what it refuses, what it answers."""

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

from deploy.local.simulator.plan import Plan

STATUS: Final[Mapping[str, int]] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "not_found_error": 404,
    "request_too_large": 413,
    "api_error": 500,
    "overloaded_error": 529,
}
MODELS: Final = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-haiku-4-5")
_MODEL: Final = re.compile(r"claude-[a-z0-9][a-z0-9.@-]{0,100}")
_TOOL_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,128}")
# What a request to this server may hold. An unknown field is refused, as a typing error is there.
_COUNTED: Final = {
    *("messages", "model", "system", "thinking", "tool_choice", "tools"),
    *("cache_control", "output_config", "speed"),
}
_FIELDS: Final = _COUNTED | {
    *("max_tokens", "metadata", "stop_sequences", "stream", "temperature", "top_k", "top_p"),
    *("container", "diagnostics", "inference_geo", "service_tier"),
}
_BLOCKS: Final[Mapping[str, Mapping[str, type | tuple[type, ...]]]] = {
    "text": {"text": str},
    "tool_use": {"id": str, "name": str, "input": dict},
    "tool_result": {"tool_use_id": str},
    "image": {"source": dict},
    "document": {"source": dict},
    "thinking": {"thinking": str},
    "redacted_thinking": {"data": str},
}


class WireError(Exception):
    """An answer in the error format; `kind` is one of STATUS."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def error_body(kind: str, message: str, request_id: str) -> bytes:
    """The body of an error."""
    error = {"type": kind, "message": message}
    return dumps({"type": "error", "error": error, "request_id": request_id})


def read_request(body: bytes, *, counting: bool = False) -> dict[str, Any]:
    """The request in a body; refuses what Anthropic's API refuses, as far as it matters here."""
    try:
        request = json.loads(body)
        if b"\\ud" in body.lower():
            dumps(request)  # half a surrogate pair is no text
    except (ValueError, RecursionError) as error:
        raise WireError("invalid_request_error", "The request body is not valid JSON") from error
    _demand(isinstance(request, dict), "", "Input should be an object")
    for name in request.keys() - (_COUNTED if counting else _FIELDS):
        _demand(False, name, "Extra inputs are not permitted")
    model = request.get("model")
    _demand(isinstance(model, str), "model", "Field required")
    if not counting:
        limit = request.get("max_tokens")
        _demand(limit is not None, "max_tokens", "Field required")
        _demand(type(limit) is int and limit >= 1, "max_tokens", "Input should be at least 1")
        _demand(type(request.get("stream", False)) is bool, "stream", "Input should be a boolean")
    _check_tools(request.get("tools", []))
    _check_messages(request.get("messages"))
    if not _MODEL.fullmatch(str(model)):
        raise WireError("not_found_error", f"model: {model}")
    return dict(request)


def offered_tools(request: Mapping[str, Any]) -> dict[str, Any]:
    """The schemas of the tools that an answer may use, by name."""
    if (request.get("tool_choice") or {}).get("type") == "none":
        return {}
    return {tool["name"]: tool["input_schema"] for tool in request.get("tools") or ()}


def message_of(plan: Plan, request: Mapping[str, Any]) -> dict[str, Any]:
    """The answer that a plan comes to; cut where `max_tokens` are used up."""
    content: list[dict[str, Any]] = [{"type": "text", "text": plan.text}] if plan.text else []
    content += [
        {
            "type": "tool_use",
            "id": f"toolu_sim_{secrets.token_hex(12)}",
            "name": call.tool,
            "input": call.arguments,
        }
        for call in plan.calls
    ]
    stop_reason = "tool_use" if plan.calls else "end_turn"
    used, kept = 0, []
    for block in content:
        room = request["max_tokens"] - used
        cost = _output_tokens(block)
        if cost > room:
            stop_reason = "max_tokens"
            if block["type"] == "text":
                kept.append({"type": "text", "text": block["text"][: room * 4]})
                used += room
            break
        kept.append(block)
        used += cost
    return {
        "id": f"msg_sim_{secrets.token_hex(12)}",
        "type": "message",
        "role": "assistant",
        "model": request["model"],
        "content": kept,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {"input_tokens": count_tokens(request), "output_tokens": max(used, 1)},
    }


def count_tokens(request: Mapping[str, Any]) -> int:
    """Input tokens: a quarter of the characters that a model would read, the same every time."""
    read = [request.get("system"), request.get("messages"), request.get("tools")]
    return len(json.dumps(read, ensure_ascii=False, separators=(",", ":"))) // 4 + 1


def model_info(model: str) -> dict[str, Any]:
    """An entry of the list of models, which says what it really is."""
    return {
        "type": "model",
        "id": model,
        "display_name": f"CHE·NU simulator (answers as {model}; no model)",
        "created_at": "1970-01-01T00:00:00Z",
        "lifecycle": "active",
    }


def dumps(value: Any) -> bytes:
    """JSON as this server writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _output_tokens(block: Mapping[str, Any]) -> int:
    said = block["text"] if block["type"] == "text" else json.dumps(block["input"]) + block["name"]
    return len(said) // 4 + 1


def _demand(holds: bool, place: str, message: str) -> None:
    if not holds:
        raise WireError("invalid_request_error", f"{place}: {message}" if place else message)


def _check_tools(tools: Any) -> None:
    _demand(isinstance(tools, list), "tools", "Input should be a valid list")
    names = set()
    for at, tool in enumerate(tools):
        place = f"tools.{at}"
        _demand(isinstance(tool, dict), place, "Input should be an object")
        name, schema = tool.get("name"), tool.get("input_schema")
        valid = isinstance(name, str) and _TOOL_NAME.fullmatch(name) is not None
        _demand(valid, f"{place}.name", "String should match pattern '^[a-zA-Z0-9_-]{1,128}$'")
        is_object = isinstance(schema, dict) and schema.get("type") == "object"
        _demand(is_object, f"{place}.input_schema.type", "Input should be 'object'")
        _demand(name not in names, "tools", "Tool names must be unique.")
        names.add(name)


def _check_messages(messages: Any) -> None:
    _demand(messages is not None, "messages", "Field required")
    _demand(isinstance(messages, list), "messages", "Input should be a valid list")
    _demand(bool(messages), "messages", "at least one message is required")
    unanswered: Sequence[str] = ()
    for at, message in enumerate(messages):
        place = f"messages.{at}"
        _demand(isinstance(message, dict), place, "Input should be an object")
        role = message.get("role")
        _demand(
            role in ("user", "assistant"), f"{place}.role", "Input should be 'user' or 'assistant'"
        )
        unanswered = _check_content(message.get("content"), role, place, unanswered)
    _demand(messages[0]["role"] == "user", "messages", "the first message must have the user role")
    _demand(messages[-1]["role"] == "user", "messages", "the conversation must end with the user")


def _check_content(content: Any, role: str, place: str, unanswered: Sequence[str]) -> Sequence[str]:
    """Check one message's blocks; returns the ids of tools that the next one must answer."""
    _demand(isinstance(content, str | list), f"{place}.content", "Field required")
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    for at, block in enumerate(blocks):
        _check_block(block, f"{place}.content.{at}")
    results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
    missing = [use for use in unanswered if use not in results]
    _demand(
        not missing, place, f"`tool_use` ids without `tool_result` blocks: {', '.join(missing)}"
    )
    for result in results:
        known = role == "user" and result in unanswered
        _demand(known, place, f"unexpected `tool_use_id` in `tool_result` blocks: {result}")
    uses = [block["id"] for block in blocks if block["type"] == "tool_use"]
    _demand(role == "assistant" or not uses, place, "`tool_use` blocks belong to the assistant")
    return uses


def _check_block(block: Any, place: str) -> None:
    _demand(isinstance(block, dict), place, "Input should be an object")
    kind = block.get("type")
    _demand(kind in _BLOCKS, f"{place}.type", f"Input tag {kind!r} does not match any expected tag")
    for name, type_ in _BLOCKS[kind].items():
        _demand(isinstance(block.get(name), type_), f"{place}.{kind}.{name}", "Field required")
    if kind == "text":
        _demand(bool(block["text"].strip()), place, "text content blocks must be non-empty")
