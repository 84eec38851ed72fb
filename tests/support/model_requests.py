"""Requests to a model as Nova makes them, and what the simulator plans for them."""

import json
from collections.abc import Iterable
from typing import Any

from deploy.local.simulator.conversation import read_conversation
from deploy.local.simulator.plan import Plan
from deploy.local.simulator.planner import plan

TOOLS = (
    "thread_create",
    "thread_search",
    "thread_append",
    "thread_archive",
    "thread_delete",
    "thread_transfer",
    "thread_export",
    "thread_share",
    "thread_unshare",
    "webhook_send",
    "finish",
)
THREAD_ID = "0192f0c1-7c6e-7b2a-9a55-1f6b1c2d3e4f"


def search(query: str) -> tuple[str, dict[str, Any]]:
    return "thread_search", {"query": query}


def append(thread: str, text: str) -> tuple[str, dict[str, Any]]:
    return "thread_append", {"thread": thread, "text": text}


def archive(thread: str) -> tuple[str, dict[str, Any]]:
    return "thread_archive", {"thread": thread}


def delete(thread: str) -> tuple[str, dict[str, Any]]:
    return "thread_delete", {"thread": thread}


def transfer(thread: str, sphere: str) -> tuple[str, dict[str, Any]]:
    return "thread_transfer", {"thread": thread, "sphere": sphere}


def export(thread: str) -> tuple[str, dict[str, Any]]:
    return "thread_export", {"thread": thread}


def share(thread: str, identity: str) -> tuple[str, dict[str, Any]]:
    return "thread_share", {"thread": thread, "identity": identity}


def unshare(thread: str, identity: str) -> tuple[str, dict[str, Any]]:
    return "thread_unshare", {"thread": thread, "identity": identity}


def send(endpoint: str, payload: Any) -> tuple[str, dict[str, Any]]:
    return "webhook_send", {"endpoint": endpoint, "payload": payload}


def request_of(words: str, context: dict[str, Any] | None = None) -> dict[str, Any]:
    frozen = json.dumps(context or {"threads": [], "endpoints": [], "current_thread": ""})
    return {"role": "user", "content": f"{words}\n\n<context>\n{frozen}\n</context>"}


def results_in(request: dict[str, Any]) -> dict[str, tuple[bool, Any]]:
    """What a request says of each tool used in the turn before: whether it failed, and the JSON."""
    *_, used, results = request["messages"]
    names = {block["id"]: block["name"] for block in used["content"] if "name" in block}
    return {
        names[block["tool_use_id"]]: (block["is_error"], json.loads(block["content"]))
        for block in results["content"]
    }


def use_id(planned: Plan, number: int) -> str:
    return f"toolu_{id(planned)}_{number}"


def round_of(planned: Plan, *contents: Any, failed: bool = False) -> list[dict[str, Any]]:
    """The two messages that follow a plan: its tools, and what they gave back."""
    uses = [
        {"type": "tool_use", "id": use_id(planned, n), "name": call.tool, "input": call.arguments}
        for n, call in enumerate(planned.calls)
    ]
    results = [
        {
            "type": "tool_result",
            "tool_use_id": use_id(planned, n),
            "content": content if isinstance(content, str) else json.dumps(content),
            "is_error": failed,
        }
        for n, content in enumerate(contents)
    ]
    return [{"role": "assistant", "content": uses}, {"role": "user", "content": results}]


def plan_of(
    *messages: dict[str, Any], tools: Iterable[str] = TOOLS, **properties: dict[str, Any]
) -> Plan:
    """The plan, with these tools; `properties` of their schemas matter in few tests."""
    schemas = {tool: {"type": "object", "properties": properties.get(tool, {})} for tool in tools}
    return plan(read_conversation(messages), schemas)


def actions(planned: Plan) -> list[tuple[str, dict[str, Any]]]:
    return [(call.tool, call.arguments) for call in planned.calls if call.tool != "finish"]


def finishes(planned: Plan) -> bool:
    return bool(planned.calls) and planned.calls[-1].tool == "finish"


def found(*titles: str) -> dict[str, Any]:
    return {"threads": [{"thread_id": f"id-{title}", "title": title} for title in titles]}
