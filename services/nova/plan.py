"""Reads a model's answer as a plan. A rule: what is not understood is not planned."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from chenu.llm.v1.completion_pb2 import ContentBlock
from services.nova.prompts import FINISH


@dataclass(frozen=True, slots=True)
class Proposal:
    """A tool that the model proposes to use; `arguments` is None where they are no object."""

    use_id: str
    tool: str
    arguments: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What the model answered: words, proposals, and whether that is all."""

    answer: str
    proposals: tuple[Proposal, ...]
    final: bool
    finish_use_id: str = ""


def read_plan(content: Iterable[ContentBlock]) -> Plan:
    """The plan in a model's answer. Words without proposals are final."""
    words, proposals, closing, finished = [], [], "", ""
    for block in content:
        if block.HasField("text"):
            words.append(block.text.text)
        elif block.HasField("tool_use"):
            arguments = _object(block.tool_use.input)
            if block.tool_use.name == FINISH:
                finished = block.tool_use.id
                said = (arguments or {}).get("answer")
                # No database holds U+0000, which may stand in JSON.
                closing = said.replace("\0", "\ufffd") if isinstance(said, str) else ""
            else:
                proposals.append(Proposal(block.tool_use.id, block.tool_use.name, arguments))
    answer = closing or "\n".join(w for w in words if w).strip()
    return Plan(answer, tuple(proposals), bool(finished) or not proposals, finished)


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
