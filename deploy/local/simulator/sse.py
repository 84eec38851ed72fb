"""The event stream of an answer, in the order in which Anthropic's API sends it."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from deploy.local.simulator.wire import dumps

_PIECE: Final = re.compile(r".{1,24}(?:\s+|$)|.{1,24}", re.DOTALL)


def events(message: Mapping[str, Any]) -> Iterator[bytes]:
    """The message as server-sent events."""
    usage = message["usage"]
    begun = {
        **message,
        "content": [],
        "stop_reason": None,
        "usage": {**usage, "output_tokens": 1},
    }
    yield _event("message_start", message=begun)
    for index, block in enumerate(message["content"]):
        yield _event("content_block_start", index=index, content_block=_opened(block))
        if index == 0:
            yield _event("ping")
        for delta in _deltas(block):
            yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    stopped = {"stop_reason": message["stop_reason"], "stop_sequence": message["stop_sequence"]}
    yield _event("message_delta", delta=stopped, usage={"output_tokens": usage["output_tokens"]})
    yield _event("message_stop")


def _event(kind: str, **fields: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), dumps({"type": kind, **fields}))


def _opened(block: Mapping[str, Any]) -> dict[str, Any]:
    return {**block, "text": ""} if block["type"] == "text" else {**block, "input": {}}


def _deltas(block: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    if block["type"] == "text":
        for piece in _PIECE.findall(block["text"]):
            yield {"type": "text_delta", "text": piece}
        return
    yield {"type": "input_json_delta", "partial_json": ""}
    for piece in _PIECE.findall(json.dumps(block["input"], ensure_ascii=False)):
        yield {"type": "input_json_delta", "partial_json": piece}
