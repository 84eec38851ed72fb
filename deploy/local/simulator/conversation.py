"""What a Messages request says: the person's words, the frozen context, what tools gave back."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_CONTEXT: Final = re.compile(r"<context>(.*?)</context>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Result:
    """What one use of a tool gave back; `content` is parsed where it is JSON.

    Where a person had changed the action, `arguments` are theirs.
    """

    tool: str
    arguments: Mapping[str, Any]
    content: Any
    failed: bool

    @property
    def reason(self) -> str:
        """Why it came to nothing, in a word; empty where none is given."""
        return str(self.content.get("reason", "")) if isinstance(self.content, dict) else ""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A request, and the results of each round since."""

    request: str
    context: Mapping[str, Any]
    rounds: Sequence[Sequence[Result]]

    @property
    def results(self) -> list[Result]:
        """The results of all rounds, in order."""
        return [result for results in self.rounds for result in results]

    @property
    def current_thread(self) -> str:
        """Id of the thread that the person is in; empty outside of one."""
        return str(self.context.get("current_thread") or "")

    def known(self, kind: str) -> list[dict[str, Any]]:
        """The context's `threads` or `endpoints`."""
        items = self.context.get(kind)
        return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def read_conversation(messages: Sequence[Mapping[str, Any]]) -> Conversation:
    """The newest request of a person, and the rounds after it; earlier requests are done with."""
    blocks = [_blocks(message["content"]) for message in messages]
    asked = max(
        (at for at, message in enumerate(messages) if _asks(message["role"], blocks[at])), default=0
    )
    words = "\n".join(block["text"] for block in blocks[asked] if block["type"] == "text")
    uses = {
        block["id"]: block
        for content in blocks[asked:]
        for block in content
        if block["type"] == "tool_use"
    }
    rounds = [
        [_result(block, uses) for block in content if block["type"] == "tool_result"]
        for message, content in zip(messages[asked + 1 :], blocks[asked + 1 :], strict=True)
        if message["role"] == "user"
    ]
    return Conversation(_CONTEXT.sub("", words).strip(), _context(words), rounds)


def threads_in(value: Any) -> list[dict[str, Any]]:
    """Each thread in a tool's result, wherever it stands: an object with an id and a title."""
    if isinstance(value, list):
        return [thread for item in value for thread in threads_in(item)]
    if not isinstance(value, dict):
        return []
    identity = value.get("thread_id") or value.get("id")
    if isinstance(identity, str) and isinstance(value.get("title"), str):
        return [{**value, "id": identity}]
    return [thread for item in value.values() for thread in threads_in(item)]


def _asks(role: str, content: list[dict[str, Any]]) -> bool:
    kinds = {block["type"] for block in content}
    return role == "user" and "text" in kinds and "tool_result" not in kinds


def _blocks(content: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)


def _context(words: str) -> dict[str, Any]:
    found = _CONTEXT.search(words)
    value = _parsed(found[1]) if found else {}
    return value if isinstance(value, dict) else {}


def _result(block: dict[str, Any], uses: Mapping[str, Any]) -> Result:
    use = uses.get(block["tool_use_id"], {})
    content = block.get("content") or ""
    told = _parsed("".join(part.get("text", "") for part in _blocks(content)))
    arguments = use.get("input", {})
    if isinstance(told, dict) and told.get("reason") == "EDITED":
        arguments, told = told["arguments"], _parsed(told["result"])
    return Result(use.get("name", ""), arguments, told, bool(block.get("is_error")))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
