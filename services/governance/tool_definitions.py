"""The tools that executors offer, by the hash that an action pins: whatever has it is the tool."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Final

import grpc
import structlog

from chenu.governance.v1.executor_service_pb2 import ListToolsRequest
from chenu.governance.v1.executor_service_pb2_grpc import ExecutorServiceStub
from chenu_gate.action import Action
from chenu_gate.tools import Tool, ToolChanged
from kernel.channels import Channels, alone

OURS: Final = ("threads", "courier")
AGAIN_SECONDS: Final = 5.0
_log: Final = structlog.get_logger(component="tools")


class ToolDefinitions:
    """Asks an executor for its tools when an action names a definition that is not known.

    `others` are the addresses of executors that are not of the fleet. A service's token would be
    good for more than a look at tools, so they get none; whatever they answer goes by its hash.
    """

    def __init__(self, channels: Channels, others: Mapping[str, str]) -> None:
        ours = {name: channels.channel(name) for name in OURS}
        theirs = {name: channels.bare(name, address) for name, address in others.items()}
        self._executors = {
            name: ExecutorServiceStub(channel) for name, channel in (theirs | ours).items()
        }
        self._tools: dict[str, Tool] = {}
        self._asked: dict[str, float] = {}
        self._asking = {name: asyncio.Lock() for name in self._executors}

    async def of(self, action: Action) -> Tool | None:
        """The definition that the action pins; None where its executor does not tell it now."""
        if action.tool.definition not in self._tools and action.executor in self._executors:
            # Whoever comes while it is asked waits for the answer, too.
            async with self._asking[action.executor]:
                known = action.tool.definition in self._tools
                if not known and self._may_ask(action.executor):
                    await self._refresh(action.executor)
        found = self._tools.get(action.tool.definition)
        return found if found is not None and found.name == action.tool.name else None

    def _may_ask(self, executor: str) -> bool:
        asked = self._asked.get(executor, float("-inf"))
        return time.monotonic() >= asked + AGAIN_SECONDS

    async def _refresh(self, executor: str) -> None:
        self._asked[executor] = time.monotonic()
        try:
            with alone():
                answer = await self._executors[executor].ListTools(ListToolsRequest(), timeout=5)
            tools = [Tool.from_definition(definition) for definition in answer.tools]
        except (grpc.aio.AioRpcError, ToolChanged) as error:
            _log.warning("tools not heard", executor=executor, error=repr(error))
            return
        # Each tells its own: what it says of another's would be believed of that one's actions.
        self._tools |= {tool.definition: tool for tool in tools if tool.executor == executor}
