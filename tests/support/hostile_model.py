"""A model that answers whatever a test says, on the wire of Anthropic's Messages API."""

import json
from collections.abc import Mapping
from itertools import count
from typing import Any

from aiohttp import web

from deploy.local.simulator import wire

_ids = count(1)


def words(said: str) -> dict[str, Any]:
    """A block of text."""
    return {"type": "text", "text": said}


def use(tool: str, given: Any, use_id: str = "") -> dict[str, Any]:
    """A block that uses a tool, under an id of its own where none is given."""
    return {
        "type": "tool_use", "id": use_id or f"toolu_{next(_ids)}", "name": tool, "input": given,
    }  # fmt: skip


def message(*blocks: dict[str, Any], stop: str | None = "tool_use") -> bytes:
    """An answer of these blocks that stopped so."""
    return json.dumps(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-hostile",
            "content": list(blocks),
            "stop_reason": stop,
            "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }
    ).encode()


def plan(*uses: dict[str, Any], answer: str = "So be it.") -> bytes:
    """A whole plan, and what to say after it."""
    return message(*uses, use("finish", {"answer": answer}))


class Model:
    """Gives its answers one after the other, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []
        self.asked: list[dict[str, Any]] = []

    def answer(self, *answers: bytes) -> None:
        """What it will say, call by call; it is an error to ask it once more."""
        self.answers += answers

    async def messages(
        self, _request: web.BaseRequest, body: bytes, headers: Mapping[str, str]
    ) -> web.Response:
        """In the place of the simulator's handler of the same name."""
        self.asked.append(json.loads(body))
        if not self.answers:
            raise wire.WireError("invalid_request_error", "the test has no more answers")
        return web.Response(
            body=self.answers.pop(0), headers=headers, content_type="application/json"
        )

    def told(self) -> list[dict[str, Any]]:
        """What the last request says of the tools that were used in the turn before."""
        return [
            json.loads(block["content"]) | {"is_error": block["is_error"]}
            for block in self.asked[-1]["messages"][-1]["content"]
        ]
